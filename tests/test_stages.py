"""What the stages compute, against what can be worked out by hand."""

import numpy as np
import pytest

from explainer.stages import text


@pytest.mark.parametrize(
    ("a", "b", "cosine"),
    [
        ([1, 0], [1, 1], np.sqrt(0.5)),
        ([3, 4], [3, 4], 1),
        ([3, 4], [-6, -8], -1),
        ([2, 0, 0], [0, 5, 0], 0),
        ([1, 2, 2], [2, 1, 2], 8 / 9),
    ],
)
def test_similarity_is_the_cosine_of_the_angle(a, b, cosine):
    assert text.similarity(a, b) == pytest.approx(cosine, abs=1e-12)


def test_similarity_keeps_its_precision_on_half_floats():
    vector = np.full(4096, 40, np.float16)  # the squares add up to more than float16 holds
    assert text.similarity(vector, vector) == pytest.approx(1)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1, 2], [1, 2, 3], r"not \(2,\) and \(3,\)"),
        ([[1, 2]], [[1, 2]], r"one length"),
        ([0, 0], [1, 0], "zeros has no direction"),
    ],
)
def test_similarity_refuses_what_has_no_angle(a, b, message):
    with pytest.raises(ValueError, match=message):
        text.similarity(a, b)
