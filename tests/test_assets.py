"""What is recorded with the embedded model belongs to the weights that lie here."""

import make_assets
import pytest

from explainer import recorded
from explainer.models import embedded_fingerprint
from explainer.trace import Trace
from tests.synthetic import make_trace


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
@pytest.mark.parametrize("name", make_assets.RUNS)
def test_a_recorded_run_was_made_with_these_weights(name):
    trace = Trace.load(recorded.FOLDER / f"{name}.trace")
    assert trace.fingerprint == embedded_fingerprint(), "stale: run `make assets`"
    assert (trace.prompt, trace.seed) == (
        make_assets.RUNS[name].prompt,
        make_assets.RUNS[name].seed,
    )


@pytest.mark.skipif(embedded_fingerprint() is None, reason="the weights are not trained yet")
def test_the_stills_were_made_with_these_weights():
    assert recorded.fingerprint() == embedded_fingerprint(), "stale: run `make assets`"


def test_the_strip_goes_from_the_first_step_to_the_last():
    trace = make_trace(steps=10, size=32)
    strip = make_assets.strip(trace)
    assert strip.size == (6 * 36 - 4, 2 * 36 - 4)
    last = strip.crop((5 * 36, 36, 5 * 36 + 32, 68)).convert("RGB")
    first = strip.crop((0, 36, 32, 68)).convert("RGB")
    assert last.tobytes() != first.tobytes()
