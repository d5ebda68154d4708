"""What a reader may ask for, and what they are told when it cannot be done."""

import inspect
import math
from dataclasses import fields

import pytest

from explainer.capture import record
from explainer.parameters import MAX_PROMPT, MAX_SEED, ParameterError, RunParameters


@pytest.mark.parametrize(
    "values",
    [
        {"prompt": "小狐狸在雪地里 🦊"},
        {"prompt": "<script>alert(1)</script>"},
        {"prompt": "x" * MAX_PROMPT},
        {"seed": 0},
        {"seed": MAX_SEED},
        {"steps": 1},
        {"guidance_scale": 0},
        {"scheduler": "DDIMScheduler"},
        {"weights": (("fox", 0), ("a", 10.0))},
    ],
)
def test_whatever_can_be_run_is_taken(values):
    RunParameters(**{"prompt": "a fox"} | values)


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        ({"prompt": ""}, "Write what the picture should show"),
        ({"prompt": " \n"}, "Write what the picture should show"),
        ({"prompt": 7}, "must be text, not 7"),
        ({"prompt": "x" * 2**20}, "1,048,576 characters"),
        ({"prompt": "a \ud83e fox"}, "half of a character"),
        ({"negative_prompt": None}, "negative prompt must be text"),
        ({"seed": -1}, "from 0 to 18446744073709551615"),
        ({"seed": 2**64}, "from 0 to 18446744073709551615"),
        ({"seed": 10**5000}, "thousands of digits"),
        ({"seed": 1.5}, "whole number"),
        ({"steps": 0}, "number of steps must be a whole number from 1 to 200, not 0"),
        ({"steps": 10_000}, "not 10000"),
        ({"steps": True}, "not True"),
        ({"guidance_scale": -5}, "from 0 to 50, not -5"),
        ({"guidance_scale": math.nan}, "not nan"),
        ({"guidance_scale": "abc"}, "not 'abc'"),
        ({"scheduler": "../../x"}, "no scheduler"),
        ({"weights": (("fox", 11),)}, "weight of “fox” must be a number from 0 to 10, not 11"),
        ({"weights": (("fox", math.nan),)}, "not nan"),
        ({"weights": (("a:b", 1),)}, "no word that can have a weight"),
        ({"weights": (("", 1),)}, "no word"),
        ({"weights": (("fox", 1),) * 21}, "21 words"),
    ],
)
def test_whatever_cannot_be_run_is_refused_with_advice(values, advice):
    with pytest.raises(ParameterError, match=advice) as caught:
        RunParameters(**{"prompt": "a fox"} | values)
    assert caught.value.parameter == next(iter(values))


def test_equal_numbers_are_equal_parameters():
    whole = RunParameters(prompt="a fox", guidance_scale=5)
    assert repr(whole) == repr(RunParameters(prompt="a fox", guidance_scale=5.0))


def test_a_link_gives_back_the_parameters():
    asked = RunParameters(
        prompt="a fox & a bear = 🦊?", seed=MAX_SEED, steps=3, guidance_scale=1.5, scheduler="X"
    )
    assert RunParameters.from_query("?" + asked.to_query()) == asked


def test_a_link_gives_back_the_weights_in_one_order():
    asked = RunParameters(prompt="a red fox", weights=(("Red", 0.25), ("fox", 2)))
    assert RunParameters.from_query(asked.to_query()) == asked
    assert asked == RunParameters(prompt="a red fox", weights=(("fox", 2.0), ("red", 0.25)))


def test_a_link_holds_only_what_differs_from_the_usual():
    assert RunParameters(prompt="fox").to_query() == "prompt=fox"


def test_a_link_may_hold_what_others_put_there():
    assert RunParameters.from_query("token=1&prompt=fox") == RunParameters(prompt="fox")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "seed=3",
        "prompt=fox&seed=x",
        "prompt=fox&steps=1e3",
        "prompt=fox&weights=fox",
        "prompt=fox&weights=fox:x",
    ],
)
def test_a_damaged_link_is_refused(query):
    with pytest.raises(ParameterError):
        RunParameters.from_query(query)


def test_the_arguments_are_all_that_record_takes_of_a_run():
    wanted = RunParameters(prompt="a fox", seed=3, weights=(("fox", 2.0),))
    taken = set(inspect.signature(record).parameters)
    assert set(wanted.arguments()) == {field.name for field in fields(RunParameters)} <= taken
    assert wanted.arguments()["weights"] == {"fox": 2.0}
