"""Traces that a student prefers: by a planted rule, and by a run's model that has learned a little."""

import shutil
import warnings
from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest
import torch

from tests.helpers.runs import KEPT, small
from tests.helpers.students import Rising, Silent, falls
from tracelab.core import rng
from tracelab.data.card import Arm, data_card, text
from tracelab.data.frozen import arm, drawn
from tracelab.models.gpt import GPT
from tracelab.models.latent import thinking
from tracelab.probes import memorisation
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run
from tracelab.runs.sets import prepare
from tracelab.runs.students import RunStudent, pinned
from tracelab.runs.trained import stamp_of
from tracelab.runs.treatments import build_treatment
from tracelab.tasks.arithmetic import Arithmetic
from tracelab.tasks.deduction import Deduction
from tracelab.tasks.game import Game
from tracelab.tasks.graph_path import GraphPath
from tracelab.tasks.maze import Maze
from tracelab.tasks.sat import Sat
from tracelab.tasks.sudoku import Sudoku
from tracelab.traces._asking import between_words, read_by
from tracelab.traces.base import reference
from tracelab.traces.chosen import Chosen
from tracelab.traces.speculative import Speculative
from tracelab.training.experiment import train

N = 24
GRAPHS = GraphPath()
TASKS = (Maze(size=7, format="compact"), GRAPHS, Sat(), Sudoku(), Arithmetic(), Deduction())
OLDER = "ignore:.*an older spelling:FutureWarning"  # of KEPT's task's knobs
pytestmark = pytest.mark.filterwarnings(OLDER)


def treated_by(treatment, task, n=N, seed=0):
    examples = drawn(task, 0, "train", "problem", 0, n)
    return treatment(task, examples, rng.keys(seed, "train", 0, n, "treatment")), examples


@pytest.fixture(scope="module")
def student():
    """A run that has learned a little."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*an older spelling", FutureWarning)
        return Run.open(KEPT)


@pytest.fixture(scope="module")
def mazes(student):
    """The student's task, and problems that it did not see."""
    task = build_task(student.settings.task)
    return task, drawn(task, 1, "test", "problem", 0, N)


def unlikely(student, mazes, share):
    """Below what is this share of the reference's tokens, for the student?"""
    task, examples = mazes
    known, _ = read_by(RunStudent(str(student.folder)), task, examples, reference(task, examples))
    return float(np.exp(np.quantile(known.values, share)))


def asked(student, **part):
    """A treatment with the run as its student."""
    kind = "chosen.Chosen" if "by" in part else "speculative.Speculative"
    config = {"_target_": f"tracelab.traces.{kind}", "student": str(student.folder), **part}
    return build_treatment(config)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_verifier_certifies_what_was_chosen(task):
    """By the tokens that are trained on; and another key chooses another trace, so that there is a choice."""
    chosen = Chosen()
    examples = drawn(task, 0, "train", "problem", 0, N)
    one, other = (arm(task, chosen, examples, seed, "train") for seed in range(2))
    card = data_card(task, chosen, {"train": Arm(examples, *one)})["splits"]["train"]
    assert card["trace"]["strict"]["successes"] == N
    assert card["solution"]["solution optimal"]["successes"] == N
    differ = [not np.array_equal(a, b) for a, b in zip(one[1].rows, other[1].rows, strict=True)]
    assert np.mean(differ) > 0.3
    changed = [not np.array_equal(a, b) for a, b in zip(one[1].rows, examples.trace, strict=True)]
    assert card["measured"]["traces not the reference's"] == pytest.approx(np.mean(changed))
    assert card["measured"]["draws strictly valid"] > 0.3


def test_a_planted_preference_is_followed():
    """Of all candidates, found again, the student's favourite is written, or what it likes least."""
    examples, keys = drawn(GRAPHS, 0, "train", "problem", 0, N), rng.keys(0, "train", 0, N, "treatment")
    candidates = [examples.trace]
    candidates += [GRAPHS.alternatives(examples, keys + np.uint64(draw)) for draw in range(1, 8)]
    rates = []  # (8, N) falls per token, which the student likes least; nan of what is not valid
    for traces in candidates:
        valid = GRAPHS.judge_traces(examples, traces)
        assert valid.mean() > 0.5
        rates.append(np.where(valid, falling(examples, traces), np.nan))
    for by, best in (("likeliest", np.nanmin), ("unlikeliest", np.nanmax)):
        treated = Chosen(by=by).given(Rising())(GRAPHS, examples, keys)
        assert falling(examples, treated.rows) == pytest.approx(best(rates, axis=0))
    assert (np.nanmin(rates, axis=0) < np.nanmax(rates, axis=0)).mean() > 0.8, "there is a choice"


def falling(examples, rows):
    """(n,) of each trace's tokens, between the words around it, the share that falls."""
    found = []
    for trace in rows:
        if len(trace) == 0:
            found.append(np.nan)
            continue
        one = type(rows)(trace, np.array([0, len(trace)]))
        tokens = between_words(GRAPHS, GRAPHS.codec.encode(GRAPHS.codec.trace, one))
        found.append(falls(tokens).mean())
    return np.array(found)


def test_facts_are_propagated_in_other_orders():
    """Of what follows at the same time, any may come first; what it follows from stays beside it."""
    task = Sudoku()
    examples, keys = drawn(task, 0, "train", "problem", 0, N), rng.keys(0, "train", 0, N, "treatment")
    other = task.alternatives(examples, keys)
    assert task.judge_traces(examples, other).all()
    without_choice = [i for i, rows in enumerate(examples.trace) if (rows[:, 0] == 1).all()]
    assert len(without_choice) > 5
    for i in without_choice:
        assert sorted(map(tuple, other[i][:, :2])) == sorted(map(tuple, examples.trace[i][:, :2]))
    assert np.mean([(other[i] != examples.trace[i]).any() for i in without_choice]) > 0.8


@pytest.mark.parametrize(
    ("task", "kept"), [(Game(search="alphabeta"), 1), (Arithmetic(operations=[50, 90]), 0)], ids=str
)
def test_a_search_that_takes_too_long_is_given_up(task, kept):
    """It has no steps, and the others have theirs: the limit goes by the reference, here cut short."""
    examples, keys = drawn(task, 0, "train", "problem", 0, N), rng.keys(0, "train", 0, N, "treatment")
    every = task.alternatives(examples, keys)
    short = replace(examples, trace=examples.trace.between(np.zeros(N, np.int64), np.full(N, kept)))
    found, most = task.alternatives(short, keys), 4 * kept + 64
    longer = every.lengths > most
    assert 0 < longer.sum() < N
    for trace, whole, given_up in zip(found, every, longer, strict=True):
        assert len(trace) == 0 if given_up else np.array_equal(trace, whole)


def test_where_there_is_no_choice_it_is_the_reference():
    treated, examples = treated_by(Chosen(), Arithmetic(solver="backward"))
    assert (treated.rows.values == examples.trace.values).all()
    assert treated.measured["traces not the reference's"] == 0
    alone, examples = treated_by(Chosen(candidates=1), GRAPHS)
    assert (alone.rows.values == examples.trace.values).all()


def test_what_the_student_finds_likelier_is_on_the_card(student, mazes):
    """Of each trace, read alone and at once, without a cache."""
    task, examples = mazes
    model, means = RunStudent(str(student.folder)).model, {}
    for by in ("likeliest", "random", "unlikeliest"):
        treatment = asked(student, by=by)
        sequences, treated = arm(task, treatment, examples, 0, "test")
        whole = data_card(task, treatment, {"test": Arm(examples, sequences, treated)})
        card = whole["splits"]["test"]["measured"]
        for name, traces in {
            "logprob per token": treated.trace,
            "reference's": reference(task, examples),
        }.items():
            known = []  # of each trace, one after the other
            for prompt, trace in zip(task.prompts(examples), between_words(task, traces), strict=True):
                row = torch.from_numpy(np.concatenate([prompt, trace]).astype(np.int64))
                logprobs = model(row[None, :-1]).log_softmax(-1)[0, len(prompt) - 1 :]
                known.append(logprobs.gather(1, row[len(prompt) :, None])[:, 0])
            assert card[name] == pytest.approx(torch.cat(known).mean().item(), rel=1e-4)
            means[by, name] = np.mean([trace.mean().item() for trace in known])
        assert f"logprob per token      {card['logprob per token']:9.4f}" in text(whole)
    least, chance, most = (means[by, "logprob per token"] for by in ("unlikeliest", "random", "likeliest"))
    assert least < chance < most
    assert least < means["random", "reference's"] < most


def test_what_is_proposed_is_written_but_where_it_is_unlikely(student, mazes):
    """Token by token, each behind all that was written before it, without a cache."""
    task, examples = mazes
    model, threshold = RunStudent(str(student.folder)).model, unlikely(student, mazes, 0.3)
    treated = asked(student, threshold=threshold, keep="all")(task, examples, None)
    proposed, replaced = reference(task, examples), 0
    words = np.unique(proposed.values)
    for i in range(4):
        before = [*task.prompts(examples)[i], task.codec.markers[0]]
        written, refused = one_by_one(model, before, proposed[i], words, threshold)
        assert treated.trace[i].tolist() == written
        replaced += refused
    assert 0 < replaced < sum(map(len, list(proposed)[:4]))
    few = asked(student, threshold=threshold, keep="all")(task, examples.take(np.arange(4)), None)
    tokens = sum(map(len, list(proposed)[:4]))
    assert few.measured["tokens refused"] == pytest.approx(replaced / tokens)
    other = sum(int((few.trace[i] != proposed[i]).sum()) for i in range(4))
    assert few.measured["tokens replaced"] == pytest.approx(other / tokens)
    every = asked(student, threshold=1.0, keep="all")(task, examples, None)
    assert every.measured["tokens replaced"] < every.measured["tokens refused"] == 1, "some were likeliest"


def one_by_one(model, before, proposed, words, threshold):
    """What is written of a proposed trace behind so many tokens, and how many are refused."""
    row, refused = [int(token) for token in before], 0
    for token in proposed:
        with torch.no_grad():
            likely = model(torch.tensor([row]))[0, -1].softmax(-1)
        unlikely = bool(likely[int(token)] < threshold)
        row.append(int(words[likely[words].argmax()]) if unlikely else int(token))
        refused += unlikely
    return row[len(before) :], refused


class Thinking(RunStudent):
    """A student that thinks in latents and knows all of a task's words."""

    def check(self, task):
        """It does."""

    @cached_property
    def model(self):
        """A small one, off its initial weights."""
        shape = {"layers": 1, "width": 32, "heads": 4, "kv_heads": 2, "mlp": 48}
        model = thinking(GPT(len(TASKS[0].codec.vocabulary), 256, **shape), 2, "recycled", 0.5, seed=0)
        with torch.no_grad():
            for p in model.parameters():
                p.add_(0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
        return model.double()


def test_latents_stand_before_the_word_that_opens_a_trace():
    """Where they stood when the student was trained."""
    task, student = TASKS[0], Thinking("nowhere")
    examples = drawn(task, 0, "train", "problem", 0, 3)
    proposed, words = reference(task, examples), np.unique(reference(task, examples).values)
    known, _ = read_by(student, task, examples, proposed)
    threshold = float(np.exp(np.median(known.values)))
    treated = Speculative(threshold=threshold, keep="all").given(student)(task, examples, None)
    refused = 0
    for i, prompt in enumerate(task.prompts(examples)):
        before = [*prompt, *student.model.lead, task.codec.markers[0]]
        written, own = one_by_one(student.model, before, proposed[i], words, threshold)
        assert treated.trace[i].tolist() == written
        refused += own
    assert 0 < refused < len(proposed.values)


def test_a_threshold_of_nothing_is_the_reference_and_invalid_traces_are_put_back(student, mazes):
    task, examples = mazes
    proposed = reference(task, examples)
    nothing = asked(student, threshold=0.0, keep="all")(task, examples, None)
    assert (nothing.trace.values == proposed.values).all()
    assert nothing.measured["tokens refused"] == nothing.measured["tokens replaced"] == 0
    threshold = unlikely(student, mazes, 0.03)
    everything = asked(student, threshold=threshold, keep="all")(task, examples, None)
    valid = everything.residual_valid
    assert 0 < everything.measured["still strictly valid"] == valid.mean() < 1
    assert everything.measured["logprob per token"] > everything.measured["reference's"]
    kept = asked(student, threshold=threshold)(task, examples, None)
    assert kept.residual_valid.all()
    assert kept.measured["still strictly valid"] == valid.mean()
    assert kept.measured["tokens refused"] == everything.measured["tokens refused"]
    assert kept.measured["tokens replaced"] == (kept.trace.values != proposed.values).mean()
    assert kept.measured["tokens replaced"] < everything.measured["tokens replaced"]
    for i, trace in enumerate(kept.trace):
        assert (trace == (everything.trace if valid[i] else proposed)[i]).all()


@pytest.mark.parametrize("kind", [Speculative, Chosen])
def test_references_that_are_not_valid_are_refused_before_the_student_is_asked(kind):
    """Of another solver's, say, that were read from a file."""
    examples = drawn(TASKS[0], 0, "train", "problem", 0, 3)
    other = replace(TASKS[0], solver="dfs")
    with pytest.raises(ValueError, match=r"of 3 reference traces are not strictly valid, .* set task to"):
        kind().given(Silent())(other, examples, np.zeros(3, np.uint64))


def test_a_run_is_prepared_with_its_student(student, tmp_path):
    words = ("trace=chosen", "trace.by=likeliest", f"trace.student={student.folder}")
    data = prepare(small(tmp_path, "task.format=compact", "data.train_size=40", *words))
    train_split = data.card["splits"]["train"]
    assert train_split["trace"]["strict"]["rate"] == 1
    assert train_split["measured"]["logprob per token"] > train_split["measured"]["reference's"]
    assert data.card["treatment"]["student"] == str(student.folder)


def test_a_student_that_was_trained_on_is_another(student, tmp_path):
    """A run notes how far its student was, and is not resumed with it as another model."""
    copy = Run.open(shutil.copytree(student.folder, tmp_path / "student"))
    few = ("data.train_size=40", "eval.problems=4", "task.ood=[]", "validate_problems=0", "threads=1")
    words = (
        *few,
        "task.format=compact",
        "trace=chosen",
        "trace.by=likeliest",
        f"trace.student={copy.folder}",
    )
    run = train(small(tmp_path / "run", *words, "budget.steps=1")).run
    noted = run.read_json("run.json")["student"]
    assert noted == stamp_of(student, "last")
    content = torch.load(copy.checkpoint(), weights_only=True)
    content["progress"]["steps"] += 1
    torch.save(content, copy.checkpoint())
    longer = small(run.folder, *words, "budget.steps=2")
    with pytest.raises(ValueError, match=rf"was at step {noted['steps']} when this run began"):
        train(longer)
    with pytest.raises(ValueError, match="was at step"):
        pinned(run.config["trace"], {"student": noted})
    with pytest.raises(ValueError, match=rf"was at step {noted['steps']} when this run began"):
        memorisation.of_run(run)
    assert pinned(run.config["trace"], {}) == pinned({"_target_": "any"}, None) == {}, "of an older version"
    assert pinned(run.config["trace"], None)["student"]["steps"] == noted["steps"] + 1
    assert Run.open(run.folder).settings.budget.steps == 1


def test_a_student_that_is_missing_or_of_other_words_is_named(student, tmp_path):
    with pytest.raises(ValueError, match=r"chosen traces need trace\.student=<run folder>"):
        Chosen(by="likeliest").check(GRAPHS)
    with pytest.raises(ValueError, match=r"speculative traces need trace\.student"):
        Speculative().check(GRAPHS)
    with pytest.raises(ValueError, match="choose one of likeliest, random, unlikeliest"):
        Chosen(by="best")
    with pytest.raises(ValueError, match="choose one of valid, all"):
        Speculative(keep="some")
    with pytest.raises(ValueError, match="another vocabulary"):
        asked(student, by="likeliest").check(GRAPHS)
    with pytest.raises(ValueError, match=r"trace\.student=.* is no run's folder"):
        asked(Run(tmp_path, {}), by="likeliest").check(GRAPHS)
    with pytest.raises(ValueError, match="is not loaded"):
        Chosen(by="likeliest", student="somewhere").check(GRAPHS)
    longer = Maze(size=9, reach={"side": 9})
    examples = drawn(longer, 0, "train", "problem", 0, 2)
    with pytest.raises(ValueError, match="tokens at most"):
        RunStudent(str(student.folder)).logprobs(longer.prompts(examples), reference(longer, examples))
