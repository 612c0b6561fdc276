"""What cannot be asked is refused before a model writes anything, and says how it could be."""

import shutil

import numpy as np
import pytest
import torch

from tests.helpers.runs import KEPT
from tracelab.arithmetic import Arithmetic
from tracelab.assess import Assessing
from tracelab.data.frozen import references
from tracelab.evaluation.judging import trained_model
from tracelab.intervene import Intervening
from tracelab.memorise import Memorising
from tracelab.models.recurrent import Recurrent
from tracelab.probes import finding, heads, states
from tracelab.probes.activations import Written
from tracelab.probes.arithmetic import Merge, check_related, merge
from tracelab.probes.contrasts import lengths
from tracelab.probes.diff import Asked as Compared
from tracelab.probes.diff import of_runs
from tracelab.probes.finding import Asked, Transfer, reader_of, transferred
from tracelab.probes.imposing import solutions
from tracelab.probes.settings import Fitting
from tracelab.probes.states import States
from tracelab.probes.steering import of_run
from tracelab.probes.tested import tested as model_and_sets
from tracelab.runs import sets
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import save
from tracelab.runs.entry import compose
from tracelab.runs.folder import Run
from tracelab.runs.settings import Sampling
from tracelab.runs.trained import stamp_of
from tracelab.steer import Steering

pytestmark = pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")  # of KEPT's task's knobs

LATENT = {"_target_": "tracelab.traces.latent.Latent", "stages": 2}


@pytest.fixture
def run():
    return Run.open(KEPT)


def changed(run, **parts):
    """The run with other parts of its config."""
    return Run(run.folder, {**run.config, **parts})


def copied(run, to, who, *before, **noted):
    """A copy of a run by another name, which goes back to others."""
    copy = Run.open(shutil.copytree(run.folder, to))
    copy.write_json("run.json", {**run.read_json("run.json"), "id": who, "ancestors": before, **noted})
    return copy


@pytest.fixture
def silent(monkeypatch):
    """Whoever lets a model write fails."""
    for module, name in ((finding, "judge_model"), (states, "generate")):
        monkeypatch.setattr(module, name, lambda *_, **__: pytest.fail("a model writes already"))


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


@pytest.mark.parametrize(
    ("kind", "config", "knob", "values"),
    [
        (Intervening, "intervene", "rates", ("0.5", "0.25")),
        (Intervening, "intervene", "prefixes", ("0", "1")),
        (Assessing, "assess", "kinds", ("a", "b")),
        (Assessing, "assess", "rates", ("1", "0.5")),
        (Memorising, "memorise", "perturbations", ("a", "b")),
        (Steering, "steer", "scales", ("1", "2")),
        (Steering, "steer", "ways", ("add", "project_out")),
        (Steering, "steer", "places", ("a", "b")),
    ],
)
def test_what_is_asked_for_twice_would_count_twice(kind, config, knob, values):
    one, other = values
    with pytest.raises(ValueError, match=f"{knob}=.*: it should have no value twice"):
        compose(kind, config, "run=a", f"{knob}=[{one},{other},{one}]")
    assert len(getattr(compose(kind, config, "run=a", f"{knob}=[{one},{other}]"), knob)) == 2


def test_no_trace_at_all_may_be_imposed():
    assert compose(Intervening, "intervene", "run=a", "prefixes=[0,1]").prefixes == [0, 1]


# --- steering --------------------------------------------------------------------------------------------


def asked(**more):
    usual = {"contrast": "parts", "kind": None, "match": "problem", "fit": Sampling(problems=8)}
    usual |= {"places": ("blocks.0",), "together": False, "ways": ("add",), "scales": (1.0,)}
    return Asked(**(usual | {"heads": 0.25, "control": True} | more))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"contrast": "runs"}, "contrast=runs compares with another run: name it, other=runs/"),
        ({"contrast": "steps", "kind": "jump"}, "kind='jump' is unknown; choose one of create, close"),
        ({"contrast": "length"}, r"nothing can be contrasted: .* sample each problem several times"),
        ({"contrast": "length", "match": "hardness"}, "match='hardness' is unknown; choose one of problem"),
        ({"places": ("blocks.9",)}, "the model has no place 'blocks.9'; choose from embed"),
    ],
)
@pytest.mark.parametrize("carried", [False, True])
def test_a_contrast_that_cannot_be_had(run, silent, more, message, carried):
    if carried:  # the same of the run in which a direction is found
        transfer = Transfer(run, 4, 4, more.get("places"))
        more = {**more, "places": ("blocks.0",), "transfer": transfer}
    with pytest.raises(ValueError, match=message):
        of_run(run, asked(**more), None, None, 2)


@pytest.mark.parametrize("match", ["problem", "optimal_cost"])
def test_no_trace_is_longer_than_another(run, match):
    """Completions have no trace, or all have the same."""
    task = build_task(run.settings.task)
    examples = sets.problems(run.settings, task, "val", 1).take(np.zeros(4, np.int64))
    for completions in (solutions(task, examples), references(task, examples)):
        written = Written.of(task, examples, completions)
        with pytest.raises(ValueError, match=r"nothing can be contrasted: .* a run that writes traces"):
            lengths(trained_model(run, task, "last", 256), written, ["blocks.0"], match)


def test_a_model_without_heads_has_none_to_edit():
    model = Recurrent(20, 16, layers=1, width=16, mlp=32)
    with pytest.raises(ValueError, match=r"edit_heads\] edits attention heads, and a Recurrent has none"):
        heads.places(model)


def test_a_place_that_the_model_has_not(run, silent):
    with pytest.raises(ValueError, match=r"the model has no place 'blocks\.9'"):
        States(places=["blocks.9"], problems=2)(run)


def test_a_run_that_writes_no_traces_is_asked_of_others(run):
    short = changed(run, eval={**run.config["eval"], "max_new": 1})
    with pytest.raises(ValueError, match=r"of a run that writes no traces, take probe\.traces=\[reference\]"):
        States(traces=["own"], problems=2)(short)


@pytest.mark.parametrize("latent", [LATENT, {**LATENT, "feedback": "pause"}])
def test_latents_are_read_by_both_or_by_none(run, silent, latent, tmp_path):
    task, thinks = build_task(run.settings.task), changed(run, trace=LATENT)
    other = run if latent is LATENT else changed(run, trace=latent)
    wanted = "has other latents than .*2 recycled"
    for one, two in ((other, thinks), (thinks, other)):
        with pytest.raises(ValueError, match=wanted):
            reader_of(one, two, task)
        with pytest.raises(ValueError, match=wanted):
            transferred(Transfer(one, 4, 4), two, None, ("blocks.0",), asked(), None)
    one, two = (
        changed(copied(run, tmp_path / who, who, "first"), trace=each.config["trace"])
        for who, each in (("one", other), ("two", thinks))
    )
    with pytest.raises(ValueError, match=wanted):
        check_related(Merge(base=one, models=((two, 1.0),)))


# --- task vectors ----------------------------------------------------------------------------------------


def test_a_vector_is_from_what_a_run_began_with(run, tmp_path):
    """GRPO less SFT on a third run: SFT must be what GRPO began with, wherever they stand."""
    sft = copied(run, tmp_path / "sft", "sft", "first")
    third = copied(run, tmp_path / "third", "third", "first")
    grpo = copied(run, tmp_path / "grpo", "grpo", "sft", "first", began=stamp_of(sft))
    models = ((grpo, 1.0), (sft, -1.0))
    check_related(Merge(base=third, models=models))
    names = {**grpo.config["names"], "algorithm": "grpo"}
    from_best = changed(grpo, checkpoint="best", names=names)
    grpo.write_json("run.json", {**grpo.read_json("run.json"), "began": stamp_of(sft, "best")})
    with pytest.raises(ValueError, match=r"began with the best weights .*sft.*: take checkpoint=best"):
        check_related(Merge(base=third, models=((from_best, 1.0), (sft, -1.0))))
    check_related(Merge(base=third, models=((from_best, 1.0), (sft, -1.0)), checkpoint="best"))
    grpo.write_json("run.json", {**grpo.read_json("run.json"), "began": stamp_of(sft)})
    content = torch.load(sft.checkpoint(), weights_only=True)
    content["progress"]["steps"] += 5
    save(sft.checkpoint(), content)
    for base, added in ((third, models), (sft, models[:1]), (grpo, ((sft, -1.0), (third, 1.0)))):
        with pytest.raises(ValueError, match=r"grpo began with .*sft at step (\d+), which is at step"):
            check_related(Merge(base=base, models=added))


def test_a_sum_is_judged_by_its_only_weights_and_writes_as_much_as_any_of_its_runs(run, tmp_path):
    base, longer = (
        copied(run, tmp_path / who, who, "first", context=context, max_new=max_new)
        for who, context, max_new in (("base", 256, 222), ("longer", 512, 300))
    )
    best = changed(base, eval={**base.config["eval"], "checkpoint": "best"})
    merge(Merge(base=best, models=((longer, 1.0),)), tmp_path / "sum")
    found = Run.open(tmp_path / "sum")
    assert found.trained(found.settings.eval.checkpoint) == found.checkpoint()
    record = found.read_json("run.json")
    assert (record["context"], record["max_new"]) == (512, 300)


# --- how long completions are ----------------------------------------------------------------------------


def test_before_reads_what_it_can_of_what_after_writes(run, tmp_path, capsys):
    before = copied(run, tmp_path / "before", "before", context=120)
    after = changed(run, eval={**run.config["eval"], "temperature": 1.0})
    fit = Sampling(problems=16, temperature=1.0)
    asked = Compared("before", 4, fit, Fitting(steps=2, batch_tokens=512), (), 1e-3, 0)
    found = of_runs(before, after, asked, problems=16)
    assert 0 < found.summary["texts"]["fitted"] < 16
    assert 0 < found.summary["texts"]["held_out"] < 16
    assert "the other run's model reads 120 tokens at most" in capsys.readouterr().err


def test_probes_cut_completions_where_the_evaluation_does(run):
    """A run that is judged with another limit than it began with."""
    short = changed(run, eval={**run.config["eval"], "max_new": 7})
    assert model_and_sets(short, problems=2).max_new == 7
    assert model_and_sets(run, problems=2).max_new == run.read_json("run.json")["max_new"]
