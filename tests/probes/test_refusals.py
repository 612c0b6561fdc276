"""What cannot be asked is refused before a model writes anything, and says how it could be."""

import pytest

from tracelab.arithmetic import Arithmetic
from tracelab.assess import Assessing
from tracelab.intervene import Intervening
from tracelab.runs.entry import compose
from tracelab.steer import Steering

# --- knobs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "config", "knob", "value"),
    [
        (Intervening, "intervene", "rates.1", "rates=[0.5,0]"),
        (Assessing, "assess", "rates.0", "rates=[0,0.5]"),
        (Steering, "steer", "heads", "heads=0"),
        (Arithmetic, "arithmetic", "density", "density=0"),
    ],
)
def test_a_share_of_nothing_is_refused(kind, config, knob, value):
    places = ("base=a", "add=b", "to=c") if kind is Arithmetic else ("run=a",)
    with pytest.raises(ValueError, match=f"{knob}=0: it should be greater than 0"):
        compose(kind, config, *places, value)
    assert compose(kind, config, *places, value.replace("0]", "1]").replace("0,", "1,").replace("=0", "=1"))


def test_no_trace_at_all_may_be_imposed():
    assert compose(Intervening, "intervene", "run=a", "prefixes=[0,1]").prefixes == [0, 1]
