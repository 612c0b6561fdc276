"""What cannot be asked is refused before a model writes anything, and says how it could be."""

import pytest

from tests.helpers.runs import KEPT
from tracelab.arithmetic import Arithmetic
from tracelab.assess import Assessing
from tracelab.intervene import Intervening
from tracelab.probes.tested import tested as model_and_sets
from tracelab.runs.entry import compose
from tracelab.runs.folder import Run
from tracelab.steer import Steering

pytestmark = pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")  # of KEPT's task's knobs


@pytest.fixture
def run():
    return Run.open(KEPT)


def changed(run, **parts):
    """The run with other parts of its config."""
    return Run(run.folder, {**run.config, **parts})


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


# --- what was trained on, and how long completions are ---------------------------------------------------


def test_probes_cut_completions_where_the_evaluation_does(run):
    """A run that is judged with another limit than it began with."""
    short = changed(run, eval={**run.config["eval"], "max_new": 7})
    assert model_and_sets(short, problems=2).max_new == 7
    assert model_and_sets(run, problems=2).max_new == run.read_json("run.json")["max_new"]
