"""Where right answers behind invalid traces come from: hand-made completions whose class is known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from tests.helpers.written import completed, outcomes, study
from tests.oracles import deduction as oracle
from tests.search.test_backtracking import CONTRADICTION, FORMULA, PROOF, TASK, one
from tests.search.test_verifier import ring
from tests.tasks.test_arithmetic import CASE
from tests.tasks.test_deduction import PLACES
from tests.tasks.test_deduction import case as theory
from tracelab.analysis.provenance import classified, led, led_right, shares_of
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.core.types import PROVENANCES
from tracelab.data.frozen import drawn, references
from tracelab.report.sections.provenance import section
from tracelab.tasks.arithmetic import Arithmetic
from tracelab.tasks.deduction import Deduction
from tracelab.tasks.game import Game
from tracelab.tasks.knights_knaves import KnightsKnaves
from tracelab.tasks.maze import Maze
from tracelab.traces.corrupted import Corrupted

# to the goal of `ring` along the upper side
STARTS, BESIDE, ALONG = "close 0 0 c0 c2 create 1 0 c1 c1", "create 0 1 c1 c3", "close 1 0 c1 c1"
ARRIVES = "create 2 0 c2 c0 close 2 0 c2 c0"
UPPER = " solution plan 0 0 plan 1 0 plan 2 0 end"
LOOP = " solution plan 0 0 plan 0 1 plan 0 0 plan 1 0 plan 2 0 end"
MAZE = [
    (f"{STARTS} {ALONG} {ARRIVES}", "legal", UPPER),  # a successor is left out
    (f"{STARTS} {BESIDE} {ALONG} create 2 0 c2 c0", "legal", UPPER),  # the goal is not closed
    (f"{STARTS} create 0 1 c2 c3 {ALONG} {ARRIVES}", "unused", UPPER),
    (f"{STARTS} create 0 1 c1 {ALONG} {ARRIVES}", "unused", UPPER),  # half a step
    (f"{STARTS} {BESIDE} create 1 0 c1 c1 {ALONG} {ARRIVES}", "unused", UPPER),  # said rightly before
    (f"close 0 0 c0 c2 create 1 0 c2 c1 create 1 0 c1 c1 {BESIDE} {ALONG} {ARRIVES}", "undone", UPPER),
    (f"{STARTS} {BESIDE} close 1 0 c2 c1 {ALONG} {ARRIVES}", "undone", UPPER),
    (f"close 0 0 c0 c2 create 1 0 c1 c2 {BESIDE} close 1 0 c1 c2 {ARRIVES}", "led", UPPER),
    (f"create 1 0 c1 c1 close 0 0 c0 c2 {BESIDE} {ALONG} {ARRIVES}", "rebuilt", UPPER),  # no such edge
    (f"close 0 0 c0 c2 {BESIDE}", "rebuilt", UPPER),
    (f"{STARTS} {BESIDE} {ALONG} {ARRIVES}", "rebuilt", LOOP),
    ("create create c1 0", "rebuilt", UPPER),  # no step at all
]
# -1, 3, and 2 or -2
FIRST, THEN = "decide 1 propagate 2 c1 conflict c2 backtrack -1", "propagate 3 c3 decide 2"
SAT = [
    ("decide 2 decide 1 conflict c2 backtrack -1 propagate 3 c3", "legal", " solution -1 2 3 end"),
    (f"{FIRST} {THEN} propagate -2 c2", "unused", " solution -1 2 3 end"),
    (f"{FIRST} {THEN} conflict c1", "unused", " solution -1 2 3 end"),
    (f"decide 1 propagate -3 c3 {FIRST.removeprefix('decide 1 ')} {THEN}", "undone", " solution -1 2 3 end"),
    (f"propagate -1 c1 {THEN}", "led", " solution -1 2 3 end"),
    ("decide 1 propagate 2 c1", "rebuilt", " solution -1 2 3 end"),
    (f"{FIRST} {THEN}", "rebuilt", " solution -1 -2 3 end"),
]
PROVED = PROOF.removeprefix("reasoning ").removesuffix(" solution unsat end")
UNSAT = [
    (f"{PROVED} conflict c2", "legal", " solution unsat end"),
    (f"{PROVED} backtrack 1", "unused", " solution unsat end"),
    (f"decide 1 propagate -2 c3 {PROVED.removeprefix('decide 1 ')}", "undone", " solution unsat end"),
    ("propagate -1 c1 propagate 2 c1 conflict c2", "led", " solution unsat end"),
    ("decide 1 propagate 2 c3 conflict c4", "rebuilt", " solution unsat end"),
]
# A = 5, B = A + 3, C = A * 2, D = B - A
ARITHMETIC = [
    ("let A 5 mul C 5 2 0 add B 5 3 8 sub D 8 5 3", "legal", " solution 3 end"),
    ("let A 5 mul C 5 2 1 add B 5 3 8 sub D 8 5 3", "unused", " solution 3 end"),
    ("let A 5 add B 5 3 8 sub D 8 5 3 let A 6", "unused", " solution 3 end"),
    ("let A 6 let A 5 add B 5 3 8 sub D 8 5 3", "undone", " solution 3 end"),
    ("let A 6 add B 6 3 9 sub D 9 6 3", "led", " solution 3 end"),
    ("add B 5 3 8 let A 5 sub D 8 5 3", "led", " solution 3 end"),
    ("let A 5 add B 5 3 8", "rebuilt", " solution 3 end"),
    ("let A 5 add B 5 3 8 sub D 8 5 4", "rebuilt", " solution 3 end"),
]
# A and B hold; r0: A and B then C; r1: C then D; r2: E then D; r3: B then F
DEDUCTION = [
    ("apply r0 C apply r0 C apply r1 D", "legal", " solution r0 C r1 D end"),
    ("apply r2 E apply r0 C apply r1 D", "unused", " solution r0 C r1 D end"),
    ("apply r0 C apply r1 D apply r2 D", "unused", " solution r0 C r1 D end"),
    ("apply r1 D apply r0 C apply r1 D", "undone", " solution r0 C r1 D end"),
    ("apply r1 D apply r0 C", "led", " solution r0 C r1 D end"),
    ("apply r0 C", "rebuilt", " solution r0 C r1 D end"),
    ("apply r0 C apply r2 D", "rebuilt", " solution r0 C r1 D end"),
]
NOTHING = [
    ("apply r2 E apply r0 C apply r1 D apply r3 F", "unused", " solution unknown end"),
    ("apply r0 C apply r1 D", "rebuilt", " solution unknown end"),
]
# X O X / O O X / . . . to X: c3 wins, b3 holds a draw, a3 loses
A3 = "enter a3 enter b3 leaf loss enter c3 enter b3 leaf draw return draw return loss"
B3 = "enter b3 enter a3 enter c3 leaf win return win enter c3 enter a3 leaf draw return draw return draw"
GAME = [
    (f"enter c3 leaf win enter c3 leaf win {A3} {B3} return win", "legal", " solution c3 end"),
    (f"enter a1 {A3} {B3} enter c3 leaf win return win", "unused", " solution c3 end"),
    (f"{A3} {B3} enter c3 leaf draw leaf win return win", "undone", " solution c3 end"),
    ("enter c3 leaf win enter a3 leaf loss return win", "led", " solution c3 end"),
    ("enter c3 leaf draw enter a3 leaf loss return draw", "led", " solution c3 end"),
    (f"{A3} enter c3 leaf win", "rebuilt", " solution c3 end"),
    ("enter c3 leaf draw enter a3 leaf win return win", "rebuilt", " solution c3 end"),
]
N = 40


def damaged(task, examples):
    """Right solutions behind traces of which a fifth of the steps is damaged."""
    keys = rng.keys(0, "test", 0, len(examples), "treatment")
    return completed(task, Corrupted(rate=0.2)(task, examples, keys).trace, examples.solution)


def computing():
    task = Arithmetic()
    examples = drawn(task, 0, "test", "problem", 0, 1)
    return task, replace(examples, problem=Ragged.of([CASE], dtype=np.int16))


def playing():
    task = Game(board=[3, 3], line=3)
    problem = task.parse(task.codec.tokens_of("X O X / O O X / . . . to X"))
    return task, task.solved(Ragged.of([problem], np.int16))


def in_words(text):
    """A text with the words that the vocabulary of deduction has for letters."""
    names = {key: oracle.ONSETS[a] + oracle.VOWELS[a % 5] + oracle.CODAS[a] for key, a in PLACES.items()}
    return " ".join(names.get(word, word) for word in text.split())


@pytest.mark.parametrize(
    ("case", "written"),
    [
        (ring, MAZE),
        (lambda: (TASK, one(FORMULA)), SAT),
        (lambda: (TASK, one(CONTRADICTION)), UNSAT),
        (computing, ARITHMETIC),
        (lambda: theory(PLACES["D"], "forward"), DEDUCTION),
        (lambda: theory(PLACES["E"], "forward"), NOTHING),
        (playing, GAME),
    ],
    ids=["maze", "sat", "unsat", "arithmetic", "deduction", "unknown", "game"],
)
def test_classes_that_are_known_by_construction(case, written):
    """One of each class in each grammar, and more."""
    task, examples = case()
    texts = [f"reasoning {trace}{solution}" for trace, _, solution in written]
    texts = [in_words(text) if task.name == "deduction" else text for text in texts]
    several = replace(examples.take(np.zeros(len(texts), int)), index=np.arange(len(texts)))
    tokens = Ragged.of([task.codec.tokens_of(text) for text in texts])
    rows = classified(outcomes(task, several, tokens).lazy(), task)
    assert dict(zip(rows["index"], rows["provenance"], strict=True)) == {
        k: known for k, (_, known, _) in enumerate(written)
    }
    if len(written) > 4:
        assert set(rows["provenance"]) == set(PROVENANCES)


@pytest.mark.parametrize(
    "task",
    [Maze(size=7, format="compact"), KnightsKnaves(), Arithmetic(), Game()],
    ids=lambda task: task.name,
)
def test_what_is_classified_and_that_shares_add_up(task):
    """Valid traces never are; of damaged ones behind right solutions each is, of one class."""
    examples = drawn(task, 0, "test", "problem", 0, N)
    assert classified(outcomes(task, examples, references(task, examples)).lazy(), task).is_empty()
    known = outcomes(task, examples, damaged(task, examples))
    rows = classified(known.lazy(), task)
    invalid = known.filter(~pl.col("trace_strict"))
    assert len(invalid) > N / 4
    assert rows["index"].to_list() == invalid["index"].to_list()
    assert set(rows["provenance"]) <= set(PROVENANCES)
    (row,) = shares_of(rows, by=("grammar", "task", "arm")).to_dicts()
    assert sum(row[name] for name in PROVENANCES) == pytest.approx(1)
    assert (row["n"], row["seeds"], row["task"]) == (len(invalid), 1, task.name)
    for name in PROVENANCES:
        assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
        assert row[name] == pytest.approx((rows["provenance"] == name).mean())


def test_whether_answers_that_wrong_steps_lead_to_are_right():
    """Three of them, one right; a wrong answer that no step leads to, and a valid trace, are none."""
    task, examples = computing()
    texts = [
        "let A 6 add B 6 3 9 sub D 9 6 3 solution 3 end",
        "let A 6 add B 6 3 9 sub D 9 5 4 solution 4 end",
        "let A 6 add B 6 3 9 sub D 9 4 5 solution 5 end",
        "let A 6 add B 6 3 9 sub D 9 6 3 solution 7 end",
        "let A 5 add B 5 3 8 sub D 8 5 3 solution 3 end",
    ]
    several = replace(examples.take(np.zeros(len(texts), int)), index=np.arange(len(texts)))
    tokens = Ragged.of([task.codec.tokens_of(f"reasoning {text}") for text in texts])
    known = outcomes(task, several, tokens).with_columns(
        problem_key=pl.Series(range(len(texts)), dtype=pl.UInt64)
    )
    rows = led(known.lazy(), task)
    assert rows.select("index", "solution_valid").rows() == [(0, True), (1, False), (2, False)]
    (row,) = led_right(rows).to_dicts()
    assert row["value"] == pytest.approx(1 / 3)
    assert (row["n"], row["seeds"]) == (3, 1)
    assert row["low"] < 1 / 3 < row["high"]


@pytest.mark.parametrize(
    "task", [Maze(size=5, format="compact", ood=[]), Deduction(ood=[])], ids=lambda t: t.name
)
def test_where_wrong_answers_are_never_led_nobody_is_told_how_many_are_right(task):
    known = outcomes(task, examples := drawn(task, 0, "test", "problem", 0, 4), references(task, examples))
    with pytest.raises(ValueError, match="none that is led is wrong"):
        led(known.lazy(), task)


@pytest.mark.filterwarnings("ignore:.*an older spelling")
def test_the_report_says_how_many_are_right_where_it_is_known(tmp_path):
    """Of arithmetic: every other completion ends in another answer, to which its last step leads."""

    def fitted(task, examples):
        traces, answers = [], []
        for k, (steps, answer) in enumerate(zip(examples.trace, examples.solution, strict=True)):
            steps, answer = steps.copy(), answer.copy()
            steps[-1, 3] = (steps[-1, 3] + 1) % 10  # an operand that nothing said
            for row in (steps[-1], answer[-1]):  # every other one ends in another value
                row[-1] = (row[-1] + k % 2) % 10
            traces.append(steps)
            answers.append(answer)
        steps = Ragged.stack(traces, task.codec.trace_width)
        answers = Ragged.stack(answers, task.codec.solution_width)
        return completed(task, task.codec.encode(task.codec.trace, steps), answers)

    knobs = "task:\n  _target_: tracelab.tasks.arithmetic.Arithmetic\n  operators: [add]\n  ood: []\n"
    found = study(tmp_path, 40, fitted, knobs)
    page = section(found)
    assert "Right among answers that wrong steps lead to" in page
    assert "50.0 <small>[35.2, 64.8]</small>" in page


def test_without_a_trace_there_is_nothing_to_classify():
    task = Arithmetic()
    examples = drawn(task, 0, "test", "problem", 0, N)
    known = outcomes(task, examples, completed(task, Ragged.of([[]] * N), examples.solution))
    assert known["solution_valid"].all()
    assert classified(known.lazy(), task).is_empty()
    with pytest.raises(ValueError, match="no `provenance`"):
        classified(known.lazy(), SimpleNamespace(name="own"))


@pytest.mark.filterwarnings("ignore:.*an older spelling")
def test_a_section_of_the_report_shows_it(tmp_path):
    """A run whose right answers stand behind damaged traces; one whose traces are valid has none."""
    (tmp_path / "valid").mkdir()
    assert section(study(tmp_path / "valid", N, references)) is None
    found = study(tmp_path, N, damaged)
    page = section(found)
    written = pl.read_csv(tmp_path / "study_data" / "provenance.csv")
    assert written["split"].to_list() == sorted(found.splits)
    for row in written.iter_rows(named=True):
        assert all(f"{100 * row[name]:.1f} <small>" in page for name in PROVENANCES)
    assert "the family best-first" in page
    assert "wrong steps lead to" not in page, "of mazes it is not known"
