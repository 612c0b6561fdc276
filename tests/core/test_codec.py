"""Tokens from rows and back, on a format made for the purpose and on the maze's three."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.full_checks import as_tokens, completions, problems
from tracelab.core.codec import EOS, PAD, SPECIALS, UNK, Codec, narrow
from tracelab.core.formats import Field, Format
from tracelab.core.ragged import Ragged, offsets_of
from tracelab.tasks.maze import FORMATS, Maze

DIGITS = tuple("0123456789")
TOY = Codec(
    words=("go", "end", "at", "is", *DIGITS, "a", "b", "c"),
    format=Format(
        fields={
            "ones": Field(1, DIGITS),
            "tens": Field(1, DIGITS, div=10),
            "name": Field(2, ("a", "b", "c")),
        },
        prompt={"at": "at {tens} {ones}"},
        trace={"go": "go {tens} {ones} is {name}", "name": "{name}"},
        solution={"at": "at {tens} {ones}"},
        trace_open="",
        solution_open="",
        stop="end",
    ),
    prompt_width=2,
    trace_width=3,
    solution_width=2,
)


def rows_of(*rows):
    return Ragged(np.array(rows, np.int32).reshape(len(rows), -1), offsets_of([len(rows)]))


def test_one_template_one_text():
    tokens = TOY.encode(TOY.trace, rows_of([0, 42, 2], [1, -1, 0]))
    assert TOY.words_of(tokens[0]) == "go 4 2 is c a"


def test_an_absent_operand_is_left_out():
    tokens = TOY.encode(TOY.trace, rows_of([0, -1, 2], [0, 7, -1]))
    assert TOY.words_of(tokens[0]) == "go is c go 0 7 is"


@pytest.mark.parametrize("row", [[0, 100, 0], [0, 0, 3], [2, 0, 0], [-1, 0, 0], [0, -2, 0], [0, 10**9, 0]])
def test_a_row_without_words_is_refused(row):
    with pytest.raises(ValueError, match="cannot be written"):
        TOY.encode(TOY.trace, rows_of([0, 1, 1], row))


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 2)), max_size=20))
def test_round_trip(operands):
    rows = np.array([[0, n, name] for n, name in operands], np.int32).reshape(-1, 3)
    tokens = TOY.encode(TOY.trace, Ragged(rows, offsets_of([len(rows)])))
    decoded, read = TOY.decode(TOY.trace, tokens[0])
    assert np.array_equal(decoded, rows)
    assert read == len(tokens[0])


@settings(max_examples=300)
@given(st.lists(st.integers(-3, len(TOY.vocabulary) + 3), max_size=30))
def test_decoding_never_raises_and_reads_whole_rows(tokens):
    rows, read = TOY.decode(TOY.trace, np.array(tokens, np.int64))
    again = TOY.encode(TOY.trace, Ragged(rows, offsets_of([len(rows)])))
    assert again[0].tolist() == tokens[:read]
    rest = TOY.words_of(tokens[read:]).split()
    assert rest[:1] in ([], ["go"]) or rest[0] not in ("a", "b", "c")


def test_decoding_stops_before_what_is_no_row():
    for text, count, read in (
        ("go 4 2 is c go 4", 1, 5),
        ("go 4 2 is c end go 4 2 is c", 1, 5),
        ("go 4 2 is 2", 0, 0),
        ("a b go go", 2, 2),
        ("", 0, 0),
    ):
        rows, got = TOY.decode(TOY.trace, TOY.tokens_of(text))
        assert (len(rows), got) == (count, read), text


def test_tokens_outside_the_vocabulary():
    a = TOY.token["a"]
    outside = np.array([-1, -5, len(TOY.vocabulary), 2**31, 2**32 + a, -(2**32) + a])
    narrowed = narrow(outside)
    assert narrowed.dtype == np.int32
    assert ((narrowed < 0) | (narrowed >= len(TOY.vocabulary))).all()
    for token in outside:
        assert TOY.decode(TOY.trace, np.array([token]))[1] == 0
    assert TOY.words_of([-1, 10**9, TOY.token["a"]]) == f"{UNK} {UNK} a"


@pytest.mark.parametrize("outside", [-1, len(TOY.vocabulary), 10**6])
def test_an_id_of_no_word_opens_no_trace(outside):
    """Also of a format without a word that does."""
    body = TOY.tokens_of("go 4 2 is c at 1 2 end")
    assert [len(part) for part in TOY.read_completion(body)] == [1, 1]
    ids, unknown = (np.concatenate([[first], body]) for first in (outside, TOY.token[UNK]))
    assert [part.tolist() for part in TOY.read_completion(ids)] == [
        part.tolist() for part in TOY.read_completion(unknown)
    ]
    assert TOY.solution_at(ids) == TOY.solution_at(unknown) == 6


def test_an_unknown_word_is_named():
    with pytest.raises(ValueError, match="'what' is not in this vocabulary"):
        TOY.tokens_of("go what")


def test_operations_must_begin_apart():
    with pytest.raises(AssertionError, match="two operations begin"):
        Codec(("go", "end"), Format({}, {}, {"x": "go", "y": "go end"}, {}, "", "", "end"), 1, 1, 1)


def test_a_word_stands_once():
    with pytest.raises(AssertionError, match="twice"):
        Codec(("go", "go", "end"), Format({}, {}, {}, {}, "", "", "end"), 1, 1, 1)


def test_assemble():
    codec = Maze(size=3, format="paper").codec
    tokens = codec.tokens_of
    prompts, traces = Ragged.of([tokens("start"), tokens("goal")]), Ragged.of([[], tokens("close")])
    whole = codec.assemble(prompts, traces, Ragged.of([tokens("plan"), tokens("plan plan")]))
    assert [codec.words_of(row) for row in whole.tokens] == [
        "start solution plan end",  # an empty trace is written without its opening word
        "goal reasoning close solution plan plan end",
    ]
    assert whole.prompt.tolist() == [1, 1]
    assert whole.trace.tolist() == [0, 2]
    assert [codec.words_of(row) for row in whole.take(np.array([1])).tokens] == [
        "goal reasoning close solution plan plan end"
    ]


@pytest.mark.parametrize("side", [3, 30])
@pytest.mark.parametrize("name", FORMATS)
def test_the_mazes_vocabularies(name, side):
    codec = Maze(size=side, format=name).codec
    assert codec.vocabulary[:4] == SPECIALS
    assert codec.token[PAD] == 0
    assert len(set(codec.vocabulary)) == len(codec.vocabulary)
    if name != "compact":
        assert len(codec.vocabulary) == side**2 + side + 14  # 944 at 30x30, as published
    assert codec.vocabulary[codec.stop] == (EOS if name == "searchformer" else "end")


def test_the_published_words():
    """One maze of 3x3 in the published format, written out by hand."""
    task = Maze(size=3, format="paper")
    examples = problems(task, 1)
    problem = examples.problem[0]
    problem[:] = [3, 3, 0, 0, 2, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1]
    prompt = "query start 0 0 goal 2 0 wall 1 0 wall 1 1"
    assert task.codec.words_of(task.prompts(examples)[0]) == prompt
    completion = (
        "reasoning close 0 0 c0 c2 create 0 1 c1 c3 close 0 1 c1 c3 create 0 2 c2 c4 close 0 2 c2 c4 "
        "create 1 2 c3 c3 close 1 2 c3 c3 create 2 2 c4 c2 close 2 2 c4 c2 create 2 1 c5 c1 close 2 1 c5 c1 "
        "create 2 0 c6 c0 close 2 0 c6 c0 solution plan 0 0 plan 0 1 plan 0 2 plan 1 2 plan 2 2 plan 2 1 "
        "plan 2 0 end"
    )
    examples.complexity["optimal_cost"][0] = 6
    verdicts = task.judge(examples, Ragged.of([as_tokens(task, completion)]))
    assert verdicts.trace_ok.all()
    assert verdicts.solution_optimal.all()


def test_completions_hold_no_other_words():
    for name in FORMATS:
        task = Maze(size=[4, 7], format=name)
        examples = problems(task, 50)
        tokens = completions(task, examples).values
        assert tokens.min() >= 0
        assert tokens.max() < len(task.codec.vocabulary)
