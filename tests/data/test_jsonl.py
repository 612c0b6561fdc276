"""The published text format: read, judged, written again byte for byte; what cannot be read is named."""

import gzip
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tracelab.core.codec import Sequences
from tracelab.data import lines
from tracelab.data.frozen import arm, drawn
from tracelab.data.jsonl import read_jsonl, write_jsonl
from tracelab.data.reading import told
from tracelab.tasks.maze import Maze
from tracelab.traces.correct import Correct

PUBLISHED = Path(__file__).parent / "published_wilson_30x30.jsonl"
TASK = Maze(size=30)
SMALL = Maze(size=7)
GOOD = "query start 0 0 goal 1 0 wall 3 3 reasoning close 0 0 c0 c1 solution plan 0 0 plan 1 0 end"
UNSOLVABLE = GOOD.replace("goal 1 0 wall 3 3", "goal 2 0 wall 1 0 wall 0 1")


def completions(sequences: Sequences):

    lengths = sequences.tokens.lengths - sequences.prompt
    return sequences.tokens.between(sequences.prompt, lengths)


def lines_of(*texts):
    return "".join(json.dumps({"text": text}) + "\n" for text in texts)


def written(path, *texts):
    path.write_text(lines_of(*texts), encoding="utf-8")
    return path


def test_published_mazes_are_read_judged_and_written(tmp_path):
    read = read_jsonl(PUBLISHED, TASK)
    verdicts = TASK.judge(read.examples, completions(read.sequences))
    assert verdicts.trace_ok.all(), "parses, local, strict and the paper's"
    assert verdicts.solution_optimal.all()
    assert TASK.judge_traces(read.examples, read.examples.trace).all(), "and so is the solver's own search"
    assert (read.examples.complexity["free_cells"] == 449).all(), "a spanning tree of 15 x 15 rooms"
    write_jsonl(tmp_path / "again.jsonl", TASK, read.sequences)
    assert (tmp_path / "again.jsonl").read_bytes() == PUBLISHED.read_bytes()


def test_a_read_set_is_known_by_content():
    """Same mazes, same identity, whether drawn or read: disjointness covers files too."""
    examples = read_jsonl(PUBLISHED, TASK).examples
    assert len(np.unique(examples.identity)) == 20
    assert examples.index.tolist() == list(range(20))


@pytest.mark.parametrize(
    ("text", "reason", "step"),
    [
        (GOOD.replace("c1", ""), "syntax", 0),
        (GOOD.replace("close 0 0 c0 c1", "create 5 5 c9 c9"), None, 0),
        (GOOD.replace("reasoning close 0 0 c0 c1 ", ""), "empty", 0),
        (GOOD.replace("close 0 0 c0 c1", "<|unk|> <|unk|>"), "syntax", 0),
    ],
)
def test_a_damaged_trace_is_judged(text, reason, step, tmp_path):
    """It is no reason to leave a problem out, or the file."""
    read = read_jsonl(written(tmp_path / "set", GOOD, text), SMALL)
    assert not read.faults
    assert SMALL.codec.words_of(read.sequences.tokens[1]) == " ".join(text.split())
    verdicts, strict = SMALL.judge(read.examples, completions(read.sequences)), SMALL.levels.index("strict")
    assert verdicts.solution_optimal.all()
    assert verdicts.trace_at[1, strict] == step
    assert reason in (None, SMALL.reasons[verdicts.trace_reason[1, strict]])


BAD = [
    ("{", "Expecting property name"),
    ("[1]", "not of the form"),
    ('{"words": "a"}', "not of the form"),
    ('{"text": 3}', "not of the form"),
    ('{"text": null}', "not of the form"),
    ('{"text": ' + "9" * 100_000 + "}", "integer string conversion"),
    ('{"text": 1e999999}', "not of the form"),
    ("[" * 100_000, "recursion"),
    ('{"a":' * 100_000, "recursion"),
    ('{"text": "\\ud800"}', "is not in this vocabulary"),
    (lines_of(GOOD)[:60], "Unterminated string"),
    (lines_of(GOOD.replace("3 3", "3 29")).strip(), "the word '29' is not in this vocabulary"),
    (lines_of(GOOD.replace("solution", "plan")).strip(), "it has no 'solution'"),
    (lines_of(GOOD.replace(" end", "")).strip(), "it ends where 'end' should stand"),
    (lines_of(GOOD + " end").strip(), "1 words follow 'end'"),
    (lines_of(GOOD.replace("wall 3 3", "wall 0 0")).strip(), "the start stands on a wall"),
    (lines_of(GOOD.replace("wall 3 3", "goal 3 3")).strip(), "the prompt has 2 goals"),
    (lines_of(GOOD.replace("query start 0 0", "")).strip(), "the prompt has 0 starts"),
    (lines_of(GOOD.replace("wall 3 3", "wall 3 close")).strip(), "word 8 of the prompt, 'wall', begins no"),
    (lines_of(UNSOLVABLE).strip(), "no way leads"),
    (lines_of("").strip(), "the prompt has 0 starts"),
    (lines_of("x" * 10_000).strip(), "the word 'xxx"),
]


@pytest.mark.parametrize(("line", "reason"), BAD, ids=[reason[:24] for _, reason in BAD])
def test_a_bad_line_is_named_and_the_rest_is_read(line, reason, tmp_path):
    (tmp_path / "set").write_text(lines_of(GOOD) + line + "\n" + lines_of(GOOD))
    read = read_jsonl(tmp_path / "set", SMALL)
    assert read.line.tolist() == [1, 3]
    (fault,) = read.faults
    assert str(fault).startswith(f"{tmp_path / 'set'}, line 2: ")
    assert reason in fault.reason
    assert len(fault.reason) < 200
    (tmp_path / "alone").write_text(line + "\n")
    with pytest.raises(ValueError, match="none of its lines could be read") as error:
        read_jsonl(tmp_path / "alone", SMALL)
    assert f"{tmp_path / 'alone'}, line 1: " in str(error.value)


def test_many_bad_lines_are_summed_up(tmp_path):
    """Unsolvable mazes among others, found among all that are solved at once."""
    texts = [GOOD] * 400
    for k in (7, 200, 399):
        texts[k] = UNSOLVABLE
    texts[10], texts[11] = "query of all", "question"
    read = read_jsonl(written(tmp_path / "set", *texts), SMALL)
    assert len(read.examples) == 395
    assert [fault.line for fault in read.faults] == [8, 11, 12, 201, 400]
    assert told(read.faults).splitlines() == [
        "5 lines could not be read",
        "  3 times: no way leads from the start to a goal",
        "  2 times: the word ... is not in this vocabulary of ... words",
        *(f"  {fault}" for fault in read.faults[:3]),
    ]


TEXT = lines_of(GOOD, GOOD.replace("wall 3 3", "wall 4 4"))
DRESSED = {
    "a byte-order mark": TEXT.encode("utf-8-sig"),
    "blank lines": b"\n" + TEXT.encode() + b"\n  \n",
    "other ends of lines": TEXT.replace("\n", "\r\n").encode(),
    "no end of the last line": TEXT.rstrip().encode(),
    "gzip": gzip.compress(TEXT.encode()),
    "gzip with a mark": gzip.compress(TEXT.encode("utf-8-sig")),
    "utf-16": TEXT.encode("utf-16"),
    "utf-16, big end first": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "utf-16 in gzip": gzip.compress(TEXT.encode("utf-16")),
}


@pytest.mark.parametrize("dress", DRESSED)
def test_a_file_is_read_as_what_it_is(dress, tmp_path):
    (tmp_path / "set").write_bytes(DRESSED[dress])
    read = read_jsonl(tmp_path / "set", SMALL)
    assert not read.faults
    assert len(read.examples) == 2


def test_damaged_compression_is_refused_with_its_line(tmp_path):
    """What stands before the damage must not pass for the whole file."""
    many = gzip.compress(lines_of(*[GOOD.replace("3 3", f"{k % 5} 6") for k in range(5000)]).encode())
    for name, content in (("cut", many[: len(many) // 2]), ("sum", many[:-8] + bytes(8))):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name}, line \d+: the file is damaged from here on"):
            read_jsonl(tmp_path / name, SMALL)


def test_an_empty_file(tmp_path):
    for content in (b"", b"\n\n", "\ufeff".encode()):
        (tmp_path / "set").write_bytes(content)
        with pytest.raises(ValueError, match="set is empty"):
            read_jsonl(tmp_path / "set", SMALL)


@pytest.mark.parametrize("seed", range(3))
def test_bytes_at_random_are_named(seed, tmp_path):
    noise = np.random.default_rng(seed).integers(0, 256, 100_000, np.uint8).tobytes()
    (tmp_path / "set").write_bytes(TEXT.encode() + noise)
    read = read_jsonl(tmp_path / "set", SMALL)
    assert read.line.tolist() == [1, 2]
    assert len(read.faults) > 200


def test_a_line_without_end_is_read_in_bounded_memory(tmp_path):
    """A hundred megabytes of blanks in a hundred kilobytes; the next line is read."""
    with gzip.open(tmp_path / "set", "wb", compresslevel=1) as file:
        file.write(b'{"text": "')
        for _ in range(100):
            file.write(b" " * 1_000_000)
        file.write(b'"}\n' + TEXT.encode())
    tracemalloc.start()
    try:
        read = read_jsonl(tmp_path / "set", SMALL)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read.line.tolist() == [2, 3]
    assert f"longer than {lines.LONGEST:,} characters" in read.faults[0].reason
    assert peak < 8 * lines.LONGEST


def test_mazes_of_another_size_are_refused_by_name(tmp_path):
    """What is not named is free: 9x9 mazes read as 30x30 ones with a wide margin."""
    nine = Maze(size=9, reach={"side": 30})
    for n in (1, 20):
        sequences = arm(nine, Correct(), drawn(nine, 0, "train", "problem", 0, n), 0, "train")[0]
        write_jsonl(tmp_path / "set", nine, sequences)
        assert len(read_jsonl(tmp_path / "set", nine).examples) == n
        with pytest.raises(
            ValueError, match=rf"{tmp_path}/set: the mazes are of .x. cells, not 30x30: set task.size"
        ):
            read_jsonl(tmp_path / "set", TASK)


def test_a_cell_outside_a_smaller_maze(tmp_path):
    path = written(tmp_path / "set", GOOD.replace("3 3", "6 2"))
    with pytest.raises(ValueError, match=r"cell \(6, 2\) is outside a 5x5 maze"):
        read_jsonl(path, Maze(size=5, reach={"side": 7}))


def test_the_words_of_searchformer_are_known(tmp_path):
    task = Maze(size=7, format="searchformer", generator="searchformer")
    sequences = arm(task, Correct(), drawn(task, 0, "train", "problem", 0, 5), 0, "train")[0]
    write_jsonl(tmp_path / "set", task, sequences)
    theirs = (tmp_path / "set").read_text().replace("<|bos|>", "bos").replace("<|eos|>", "eos")
    assert theirs.count(" bos ") == 5
    (tmp_path / "theirs").write_text(theirs)
    read = read_jsonl(tmp_path / "theirs", task)
    assert read.sequences.tokens.values.tolist() == sequences.tokens.values.tolist()


def test_a_task_that_cannot_be_read_says_so(tmp_path):
    class Silent:
        name = "silent"

    with pytest.raises(ValueError, match="task silent cannot be read from files"):
        read_jsonl(PUBLISHED, Silent())
