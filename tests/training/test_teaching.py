"""A teacher that adapts: it goes on when the model is good enough, by what a resumed run sees just so."""

import csv
import json
import signal

import pytest
import torch
from scipy import stats

from tests.helpers.engine import sequences
from tests.helpers.runs import small
from tests.models.test_models import interrupt_at
from tracelab.analysis.learning import validations
from tracelab.core.settings import read
from tracelab.evaluation.judging import trained_model
from tracelab.probes.exposure import seen
from tracelab.probes.unseen import trained_on
from tracelab.runs.arms import arms_of, described
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import load_weights
from tracelab.runs.folder import Run
from tracelab.runs.identity import arm_of
from tracelab.runs.levels import at_levels
from tracelab.runs.sets import prepare, training_problems
from tracelab.runs.sets import test_sets as sets_of
from tracelab.training import teaching
from tracelab.training.experiment import train
from tracelab.training.learner import Learner
from tracelab.training.settings import Training
from tracelab.training.teaching import DELAY, Taught, held_out_of
from tracelab.training.validation import found_together

TEACHER = (
    "task.ood=[]",
    "task.format=compact",
    "task.size=6",
    "task.reach={side:6}",
    "data.short_first=null",
    "data.train_size=60",
    "data.batch_tokens=600",
    "budget.steps=60",
    "validate_every=10",
    "eval.problems=4",
    "eval.max_new=null",
    "trainer.precision=32-true",
    "threads=1",
)
EASY = "data.teacher={knob:size,values:[4,5,6],bound:0.0}"  # what any model reaches
SETS = [[sequences(20, seed=10 * level + k) for k in range(3)] for level in range(3)]


def test_a_look_before_there_are_batches_moves_nothing(tmp_path):
    """Lightning's, of so many validation batches, which it makes before it lays any out to train on."""
    words = (*TEACHER, EASY, "trainer.num_sanity_val_steps=2", "budget.steps=12")
    moves = train(small(tmp_path, *words)).run.read_json("run.json")["moves"]
    assert [move["step"] for move in moves] == [10, 12]


def taught():
    levels = [lambda k, level=level: SETS[level][k % 3] for level in range(3)]
    return Taught(levels, batch_tokens=64, context=64, seed=3)


def trained(loader, batches, moves, since=0):
    """Tokens and level of what comes, as a learner takes it; moves: after so many batches."""
    found = []
    for batch, n in zip(loader, range(since + 1, batches + 1), strict=False):
        found.append((batch.tokens, sum(move["batch"] < n for move in loader.moves)))
        loader.trained = batch.after
        assert loader.count == n
        if n in moves:
            loader.move(step=n)
    return found


@pytest.mark.parametrize("moves", [(), (7,), (7, 9), (30, 60)])
def test_a_level_rises_some_batches_after_it_is_told_to(moves):
    """However far ahead batches are laid out; and whatever was left of the chunk."""
    loader = taught()
    known = [[row.tolist() for one in level for row in one.tokens] for level in SETS]
    for n, (tokens, level) in enumerate(trained(loader, 120, moves)):
        assert level == sum(n >= move + DELAY for move in moves)
        for row in tokens:
            begins = row[row > 0].tolist()
            assert any(whole[: len(begins)] == begins for whole in known[level])
            assert not any(whole[: len(begins)] == begins for whole in known[level - 1])
    assert loader.level == len(moves)


@pytest.mark.parametrize("stop", [3, 7, 8, 15, 22, 23, 24, 31, 40, 64])
def test_the_next_batch_is_the_next_wherever_training_stopped(stop):
    moves = (7, 25)
    whole = trained(taught(), 90, moves)
    loader = taught()
    trained(loader, stop, moves)
    state = json.loads(json.dumps(loader.state_dict()))
    resumed = taught()
    resumed.load_state_dict(state)
    rest = trained(resumed, 90, moves, since=stop)
    assert len(rest) == 90 - stop
    assert all(torch.equal(a[0], b[0]) for a, b in zip(whole[stop:], rest, strict=True))
    assert resumed.moves == [{"batch": n + DELAY, "step": n} for n in moves]


def test_problems_of_every_level_are_judged_and_room_is_made_for_them(tmp_path):
    """The card is not of the last one's alone, which a run may never reach."""
    words = (*TEACHER, "data.teacher={knob:size,values:[6,4,5],bound:0.0}", "task.size=5")
    data = prepare(small(tmp_path, *words))
    assert list(data.card["levels"]) == ["6", "4"]
    for part, (_, chunk) in zip(data.card["levels"].values(), data.turns, strict=False):
        assert part["problems"] == part["trace"]["strict"]["successes"] == part["trace"]["strict"]["n"] == 60
        assert part["longest"] == chunk(0).longest
        assert part["tokens"] == len(chunk(0).tokens.values)
    assert data.card["levels"]["6"]["longest"] > data.train.longest
    assert data.context >= data.card["levels"]["6"]["longest"]
    assert "problems of earlier values, all judged: size=6: 60, size=4: 60" in data.summary


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run that was not stopped ("whole"), and one that was, between a validation and what it moved."""
    folder, before = tmp_path_factory.mktemp("taught"), signal.getsignal(signal.SIGINT)
    assert train(small(folder / "whole", *TEACHER, EASY)).metrics is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Learner, "on_train_batch_start", interrupt_at(23))
        assert train(small(folder / "run", *TEACHER, EASY)).metrics is None
    signal.signal(signal.SIGINT, before)  # Lightning ignores it from here on
    assert len(json.loads((folder / "run" / "run.json").read_text())["moves"]) == 2
    assert train(small(folder / "run", *TEACHER, EASY)).state == "resumed"
    return folder


def test_a_run_goes_on_bit_for_bit(folder):
    weights = [load_weights(folder / run / "checkpoints" / "last.ckpt") for run in ("whole", "run")]
    assert all(torch.equal(a, b) for a, b in zip(weights[0].values(), weights[1].values(), strict=True))
    records = [json.loads((folder / run / "run.json").read_text()) for run in ("whole", "run")]
    assert records[0]["moves"] == records[1]["moves"]
    assert records[0]["status"] == records[1]["status"] == "evaluated"


def test_a_validation_that_was_lost_is_made_up_for(folder, tmp_path):
    """The checkpoint of its step comes before it: what it moved is moved again."""
    looks = []

    def crash(*arguments):
        looks.append(arguments)
        if len(looks) == 2:
            raise RuntimeError("crash")
        return found_together(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teaching, "found_together", crash)
        with pytest.raises(RuntimeError, match="crash"):
            train(small(tmp_path / "run", *TEACHER, EASY))
    assert len(json.loads((tmp_path / "run" / "run.json").read_text())["moves"]) == 1
    resumed = train(small(tmp_path / "run", *TEACHER, EASY)).run
    whole = Run.open(folder / "whole")
    assert resumed.read_json("run.json")["moves"] == whole.read_json("run.json")["moves"]
    weights = [load_weights(run.checkpoint()) for run in (whole, resumed)]
    assert all(torch.equal(a, b) for a, b in zip(weights[0].values(), weights[1].values(), strict=True))


def test_moves_are_noted(folder):
    """In run.json, and the level in metrics.csv; the problems of the last value are those of the tests."""
    moves = json.loads((folder / "whole" / "run.json").read_text())["moves"]
    assert [(move["from"], move["to"], move["step"]) for move in moves] == [(4, 5, 10), (5, 6, 20)]
    assert [move["batch"] for move in moves] == [10 + DELAY, 20 + DELAY]
    assert all(move["tokens"] > 0 <= move["solution_valid"] for move in moves)
    with open(folder / "whole" / "metrics.csv", newline="") as file:
        levels = [float(row["val/level"]) for row in csv.DictReader(file) if row["val/level"]]
    assert levels == [0, 1, 2, 2, 2, 2]
    with pytest.warns(UserWarning, match="so that its looks are not of one set"):
        assert validations(folder / "whole") is None
    assert json.loads((folder / "whole" / "data_card.json").read_text())["teacher"]["values"] == [4, 5, 6]


def test_the_model_is_asked_at_the_present_level(folder):
    """The last validation's figures are those of the last level's problems, under the last weights."""
    run = Run.open(folder / "whole")
    with open(run.folder / "metrics.csv", newline="") as file:
        logged = [row for row in csv.DictReader(file) if row["val/level"]][-1]
    model = trained_model(run, build_task(run.settings.task), "last", run.read_json("run.json")["context"])
    experiment = read(Training, run.config)
    found = [held_out_of(each)(model) for each in at_levels(experiment)]
    assert float(logged["val/tokens"]) == pytest.approx(found[2]["tokens"])
    assert found[0]["tokens"] != found[2]["tokens"]


def test_a_bound_that_is_not_reached_keeps_the_level(tmp_path):
    words = ("data.teacher={knob:size,values:[5,6],bound:1.0}", "budget.steps=12", "validate_every=4")
    run = train(small(tmp_path / "run", *TEACHER, *words)).run
    assert run.read_json("run.json")["moves"] == []
    assert json.loads((run.folder / "vocab.json").read_text()) == list(
        build_task(run.settings.task).codec.vocabulary
    )
    with pytest.raises(ValueError, match="nobody counts them: take a run without a teacher"):
        seen(run.settings, build_task(run.settings.task), 10)
    known = set(trained_on(run, "last").tolist())
    for each in at_levels(run.settings):
        assert known >= set(training_problems(each, build_task(each.task))[0].identity.tolist())


def test_sets_are_of_their_levels(tmp_path):
    """What is trained on, what is asked of the model on the way, and what it is tested on."""
    experiment = small(tmp_path, *TEACHER, EASY)
    data, sides = prepare(experiment), []
    for each, (_, chunk) in zip(at_levels(experiment), data.turns, strict=True):
        task, held_out = build_task(each.task), held_out_of(each)
        assert task.codec.vocabulary == data.vocabulary
        prompts = task.prompts(training_problems(each, task)[0])
        assert [row[:n].tolist() for row, n in zip(chunk(0).tokens, chunk(0).prompt, strict=True)] == [
            row.tolist() for row in prompts
        ]
        assert len(held_out.examples) == 8
        sides.append(held_out.task.size)
    assert sides == [4, 5, 6]
    assert data.context >= max(chunk(0).longest for _, chunk in data.turns)
    (last,) = sets_of(experiment, build_task(experiment.task)).values()
    assert last[0].size == 6


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        (("data.teacher={knob:sise,values:[4,6],bound:1}",), "data.teacher.knob='sise' is unknown"),
        ((EASY, "+trainer.limit_val_batches=0"), "data.teacher never goes on"),
        ((EASY, "trainer.check_val_every_n_epoch=2"), "data.teacher never goes on"),
        (("data.teacher={knob:size,values:[6],bound:1}",), "at least 2 items"),
        (("data.teacher={knob:size,values:[4,6],bound:2}",), "data.teacher.bound=2"),
        (("task.size=5",), r"values=\[4, 5, 6\] do not end with task.size=5"),
        (("task.reach=null",), r"task\.reach=\{side:6\} or more"),
        (("data.short_first=0.3",), "so does data.short_first=0.3: take data.short_first=null"),
        (("data.files=[a.jsonl]",), "leave one of them out"),
        (("validate_problems=0",), "take validate_problems=64"),
        (("trainer=fsdp", "optim=adamw"), "take trainer=ddp or one device"),
        (("trace=latent", "trace.stages=2"), "trace=latent changes in the course of a training"),
    ],
)
def test_what_a_teacher_does_not_go_with_says_so(tmp_path, monkeypatch, knobs, message):
    monkeypatch.setattr("tracelab.training.experiment.prepare", lambda *_, **__: pytest.fail("drawn"))
    (tmp_path / "a.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        train(small(tmp_path / "run", *TEACHER, EASY, *knobs))


def test_another_look_at_held_out_problems_is_another_run(folder):
    """At more of them, or at longer completions. It would go on elsewhere, and is not found finished. With
    another number of them it is another arm.
    """
    for budget in ((), ("budget.steps=70",)):
        with pytest.raises(
            ValueError, match=r"validate_problems=4: with data\.teacher it decides what is trained"
        ):
            train(small(folder / "whole", *TEACHER, EASY, "validate_problems=4", *budget))
        with pytest.raises(ValueError, match=r"eval\.max_new=9: with data\.teacher it .* begun with None"):
            train(small(folder / "whole", *TEACHER, EASY, "eval.max_new=9", *budget))
    config = described(folder / "whole")
    other = {**config, "validate_problems": 4}
    known = config["validate_problems"]
    assert arms_of([config, other]) == [f"correct validate_problems={n}" for n in (known, 4)]
    assert arms_of([config, config]) == ["correct"] * 2
    plain = [{**one, "data": {**one["data"], "teacher": None}} for one in (config, other)]
    assert len({*arms_of(plain)}) == 1
    runs = [Run(folder / "whole", one) for one in (config, other, *plain)]
    assert len({arm_of(run) for run in runs}) == 3


def test_luck_of_few_held_out_problems():
    """As docs/training.md says."""
    assert stats.binom.sf(0.8 * 64, 64, 0.76) == pytest.approx(0.2, abs=0.01)
