"""Files of anybody's completions: formats, names, what is left out, and the command's exit status."""

import gzip
import json
import tracemalloc

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from tests.data.test_jsonl import PUBLISHED
from tests.helpers import forked, hostile
from tests.helpers.hostile import GOOD, TASK
from tests.oracles import arithmetic
from tracelab.data import reading, records
from tracelab.data.completions import Names
from tracelab.data.records import LARGEST
from tracelab.evaluation.verifying import judge_file, name_of, verify
from tracelab.metrics.pass_at_k import PassAtK
from tracelab.metrics.solution_accuracy import SolutionAccuracy
from tracelab.tasks.maze import Maze

BAD = {**GOOD, "completion": GOOD["completion"].replace("plan 1 0", "plan 5 5")}
IDS = {name: TASK.codec.tokens_of(words).tolist() for name, words in GOOD.items()}
WHOLE = {"text": f"{GOOD['prompt']} {GOOD['completion']}"}
CUT = {"tokens": IDS["prompt"] + IDS["completion"], "prompt_length": len(IDS["prompt"])}


def judged(tmp_path, content, names=None, **options):
    """(what came of it, its outcomes as rows)."""
    path = tmp_path / "set"
    path.write_bytes(content)
    found = judge_file(TASK, path, tmp_path / "out.parquet", names, **options)
    return found, pl.read_parquet(tmp_path / "out.parquet", glob=False).to_dicts()


def lines(*records, end="\n"):
    return "".join(json.dumps(record) + end for record in records)


def table(*records):
    return pa.Table.from_pylist(list(records))


def parquet(tmp_path, *records):
    pq.write_table(table(*records), tmp_path / "made")
    return (tmp_path / "made").read_bytes()


def checked_parquet(tmp_path, *records):
    pq.write_table(table(*records), tmp_path / "made", write_page_checksum=True)
    return (tmp_path / "made").read_bytes()


def arrow(tmp_path, *records):
    rows = table(*records)
    with pa.OSFile(str(tmp_path / "made"), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as file:
        file.write_table(rows)
    return (tmp_path / "made").read_bytes()


@pytest.mark.parametrize("record", [GOOD, IDS, WHOLE, CUT, {**GOOD, "completion": IDS["completion"]}])
@pytest.mark.parametrize("write", [parquet, arrow, lambda _, *records: lines(*records).encode()])
def test_records_of_any_kind_in_files_of_any_kind(record, write, tmp_path):
    found, rows = judged(tmp_path, write(tmp_path, record, record))
    assert (found.judged, found.faults) == (2, [])
    assert [row["line"] for row in rows] == [1, 2]
    assert all(row["trace_strict"] and row["solution_optimal"] for row in rows)
    assert [(row["index"], row["sample"]) for row in rows] == [(0, 0), (0, 1)]


TEXT = lines(GOOD, BAD)
DRESSED = {
    "a byte-order mark": TEXT.encode("utf-8-sig"),
    "windows": lines(GOOD, BAD, end="\r\n").encode(),
    "blank last lines": TEXT.encode() + b"\n\r\n  \n",
    "no end of the last line": TEXT.rstrip().encode(),
    "gzip": gzip.compress(TEXT.encode()),
    "utf-16": TEXT.encode("utf-16"),
    "utf-16, big end first, windows": b"\xfe\xff" + lines(GOOD, BAD, end="\r\n").encode("utf-16-be"),
}


@pytest.mark.parametrize("dress", DRESSED)
def test_a_file_is_read_as_what_it_is(dress, tmp_path):
    found, rows = judged(tmp_path, DRESSED[dress])
    assert found.faults == []
    assert [row["solution_valid"] for row in rows] == [True, False]
    assert rows[1]["solution_reason"] == "illegal_move"


def test_fields_of_other_names(tmp_path):
    record = {"question": GOOD["prompt"], "answer": GOOD["completion"], "prompt": "Solve this."}
    found, rows = judged(tmp_path, lines(record, GOOD).encode(), Names("question", "answer"))
    assert rows[0]["trace_strict"]
    (left_out,) = found.faults
    assert left_out.line == 2
    assert left_out.reason.startswith("it has no 'question' with 'answer'")
    assert left_out.reason.endswith("its fields: 'prompt', 'completion'")


def test_the_published_mazes(tmp_path):
    found = judge_file(Maze(size=30), PUBLISHED, tmp_path / "out.parquet", metrics={"s": SolutionAccuracy()})
    assert (found.judged, found.faults) == (20, [])
    valid = found.metrics["published_wilson_30x30"]["solution_valid"]
    assert (valid["value"], valid["n"]) == (1.0, 20)
    assert 0.8 < valid["low"] < 1
    outcomes = pl.read_parquet(tmp_path / "out.parquet", glob=False)
    assert outcomes["trace_paper"].all()


def test_several_completions_of_a_problem(tmp_path):
    other = {**GOOD, "prompt": GOOD["prompt"].replace("3 3", "4 4")}
    found, rows = judged(tmp_path, lines(GOOD, other, BAD, other).encode(), metrics={"k": PassAtK()})
    assert [(row["index"], row["sample"]) for row in rows] == [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert found.metrics["set"]["pass@1"]["value"] == 0.75
    assert found.metrics["set"]["pass@2"]["value"] == 1.0


def test_what_stands_behind_the_stop_word_has_no_say(tmp_path):
    """No vote and no length, as of rows that are padded to those beside them; nor is a likelihood known."""
    behind = [], [0] * 3, [0] * 7, [TASK.codec.stop], IDS["completion"]
    wrong = TASK.codec.tokens_of(BAD["completion"]).tolist()
    own = [IDS["completion"]] * 3 + [wrong] * 2
    records = [{**IDS, "completion": [*a, *b]} for a, b in zip(own, behind, strict=True)]
    found, rows = judged(tmp_path, lines(*records).encode(), metrics={"k": PassAtK()})
    assert found.metrics["set"]["maj@5"]["value"] == 1.0
    assert [row["completion_tokens"] for row in rows] == [len(completion) for completion in own]
    assert len({row["trace_hash"] for row in rows}) == 1
    assert len({row["solution_hash"] for row in rows}) == 2
    assert [row["completion"] for row in rows] == [record["completion"] for record in records]
    assert [row["mean_logprob"] for row in rows] == [None] * 5


def test_metrics_that_the_completions_do_not_allow_are_left_out(tmp_path):
    """As pass@k where a line was left out of one problem's; the outcomes are there, and other figures."""
    other = {**GOOD, "prompt": GOOD["prompt"].replace("3 3", "4 4")}
    content = lines(GOOD, other, BAD, other) + "{\n" + lines(other)
    found, rows = judged(tmp_path, content.encode(), metrics={"k": PassAtK(), "s": SolutionAccuracy()})
    assert len(rows) == 5
    assert found.metrics["set"].keys() == {"solution_valid", "solution_optimal", "truncated"}
    (why,) = found.left_out.values()
    assert "problems have between 2 (index 0) and 3 (index 1) samples: pass@k needs as many of each" in why


def test_a_metric_with_a_fault_takes_no_outcomes_with_it(tmp_path):
    def faulty(outcomes, levels):
        return outcomes["no such column"]

    with pytest.raises(KeyError, match="no such column"):
        judged(tmp_path, lines(GOOD, BAD).encode(), metrics={"mine": faulty})
    assert len(pl.read_parquet(tmp_path / "out.parquet", glob=False)) == 2


def test_words_in_bytes_are_words(tmp_path):
    """As Parquet's binary columns hold them; bytes that are no text are named."""
    packed = {name: words.encode() for name, words in GOOD.items()}
    records = [packed, {**packed, "completion": b"plan \xff"}, {**packed, "prompt": b"\xff"}, packed]
    found, rows = judged(tmp_path, parquet(tmp_path, *records))
    assert [row["line"] for row in rows if row["trace_strict"]] == [1, 4]
    assert [fault.line for fault in found.faults] == [2, 3]
    assert found.faults[0].reason == "the completion is not text in UTF-8: invalid start byte"
    found, rows = judged(tmp_path, parquet(tmp_path, {"text": WHOLE["text"].encode()}))
    assert rows[0]["trace_strict"]
    table = verify(TASK, [packed["prompt"]] * 2, [packed["completion"], b"\xff"])
    assert table["trace_strict"].to_pylist() == [True, None]
    with pytest.raises(ValueError, match="its prompt_length is no place in its tokens"):
        judged(tmp_path, parquet(tmp_path, {**CUT, "tokens": b"1234567890123"}))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_character_for_what_was_no_text_is_text(encoding, tmp_path):
    """Tokenizers of bytes write it for half a character. Bytes that are no text are another thing."""
    strange = {**GOOD, "completion": f"\ufffd {GOOD['completion']}"}
    content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in (strange, GOOD, GOOD))
    content = content.encode(encoding)
    at = content.rindex("p".encode(encoding)[-2:])  # within the last line
    broken = b"\xff" if encoding == "utf-8" else b"\x00\xd8"
    found, rows = judged(tmp_path, content[:at] + broken + content[at + len(broken) :])
    assert [row["line"] for row in rows] == [1, 2]
    assert [row["trace_parses"] for row in rows] == [False, True]
    assert [fault.line for fault in found.faults] == [3]
    assert found.faults[0].reason.startswith("not text in UTF-8")


FAR = pa.array([2**62] * 2, pa.int64())
STRANGE = {
    "a date beyond the year 9999": pa.array([2**30] * 2, pa.date32()),
    "a time beyond the year 9999": FAR.cast(pa.timestamp("us")),
    "an unknown time zone": pa.array([0, 1], pa.timestamp("us", "Nowhere/Atlantis")),
    "nanoseconds": pa.array([1, 2], pa.timestamp("ns")),
    "a long time": FAR.cast(pa.duration("s")),
}


@pytest.mark.parametrize("what", STRANGE)
@pytest.mark.parametrize("write", [pq.write_table, pa.feather.write_feather])
def test_columns_that_nobody_asked_for_are_not_read(what, write, tmp_path):
    """What cannot be read, named as what is judged, is a fault of its row."""
    rows = table(GOOD, GOOD).append_column("made", STRANGE[what])
    rows = rows.append_column("made", STRANGE[what])  # and once more by the same name
    write(rows, tmp_path / "made")
    found, outcomes = judged(tmp_path, (tmp_path / "made").read_bytes())
    assert (found.judged, found.faults) == (2, [])
    assert all(row["trace_strict"] for row in outcomes)
    with pytest.raises(ValueError, match=r"line 1: it has 2 fields 'made': leave one, or rename them"):
        judged(tmp_path, (tmp_path / "made").read_bytes(), Names(completion="made"))
    write(table(GOOD, GOOD).append_column("made", STRANGE[what]), tmp_path / "made")
    with pytest.raises(ValueError, match=r"set, line 1: (its field 'made' cannot be read|the completion is)"):
        judged(tmp_path, (tmp_path / "made").read_bytes(), Names(completion="made"))


LEFT_OUT = [
    ("{", "no JSON: Expecting property name"),
    ("[1]", "not an object with fields"),
    ("9" * 5000, "no JSON: Exceeds the limit"),
    ("[" * 100_000, "no JSON: maximum recursion depth exceeded"),
    ('{"text": 3}', "it has no 'prompt' with 'completion', nor \"text\"; its fields: 'text'"),
    (json.dumps({**GOOD, "completion": None}), "the completion is neither words nor a list of token ids"),
    (json.dumps({**GOOD, "completion": [1.0]}), "the completion is neither words nor a list of token ids"),
    (json.dumps({**GOOD, "prompt": [True]}), "the prompt is neither words nor a list of token ids"),
    (json.dumps({**CUT, "prompt_length": 10**30}), "its prompt_length is no place in its tokens"),
    (json.dumps({**GOOD, "prompt": "query start 0 0"}), "the prompt has 0 goals, not one"),
    (json.dumps({"text": f"{GOOD['prompt']} so be it"}), "word 11, 'so', belongs neither to a prompt nor"),
    (json.dumps({"text": WHOLE["text"].replace("3 3", "3 x")}), "the word 'x' is not in this vocabulary"),
    (lines({**GOOD, "prompt": "query start 0 0 goal 2 0 wall 1 0 wall 0 1"}), "no way leads from the start"),
]


@pytest.mark.parametrize(("line", "reason"), LEFT_OUT)
def test_a_line_that_cannot_be_read_is_named(line, reason, tmp_path):
    found, rows = judged(tmp_path, (lines(GOOD) + line.rstrip() + "\n" + lines(BAD)).encode())
    assert [row["line"] for row in rows] == [1, 3]
    (left_out,) = found.faults
    assert left_out.line == 2
    assert left_out.reason.startswith(reason)


def test_lines_that_nobody_meant_well(tmp_path):
    found = hostile.check_lines(400, tmp_path)
    assert found["judged"] > 100
    assert found["named"] > 100


@pytest.mark.parametrize("name", hostile.NAMES)
def test_sequences_that_nobody_meant_well(name):
    found = hostile.check_sequences(name, 60)
    assert found["first_disagreements"] == []
    assert found["passed"]["solution"] < 60


def test_a_disagreement_is_told(monkeypatch):
    """The check itself can fail: here, for an oracle that is wrong."""
    monkeypatch.setattr(arithmetic, "judge", lambda *_: (True, True, {}))
    assert hostile.check_sequences("arithmetic", 60)["other_than_the_oracle"] == 60


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_is_judged_or_refused(seed, tmp_path):
    """Refused by a ValueError that names it, without outcomes; else each row is judged or named. What is
    judged of gzip and of Parquet with checksums is what was written. Arrow has none: its words may be others.
    """
    draw = np.random.default_rng(seed)
    write = (checked_parquet, arrow, lambda _, *records: gzip.compress(lines(*records).encode()))[seed % 3]
    content = bytearray(write(tmp_path, *[GOOD] * 300))
    for at in draw.integers(0, len(content), 3):
        content[at] = int(draw.integers(256))
    if seed % 2:
        del content[int(draw.integers(len(content))) :]
    refused = None
    try:
        found, rows = judged(tmp_path, bytes(content))
    except ValueError as error:
        refused = str(error)
    if refused is not None:
        assert str(tmp_path / "set") in refused
        assert not (tmp_path / "out.parquet").exists()
        return
    assert found.judged + len(found.faults) == 300
    assert write is arrow or all(row["trace_strict"] and row["solution_optimal"] for row in rows)


def test_a_million_tokens_a_line_in_bounded_memory(tmp_path):
    """Twice as many such lines take no more memory: some are judged at a time."""
    peaks = []
    for count in (3, 6):
        record = lines({**GOOD, "completion": "plan 1 0 " * 333_334})
        tracemalloc.start()
        try:
            found, rows = judged(tmp_path, (record * count).encode())
            peaks.append(tracemalloc.get_traced_memory()[1] - count * len(record))
        finally:
            tracemalloc.stop()
        assert found.judged == count
        assert rows[0]["completion_tokens"] == 1_000_002
        del rows
    assert peaks[1] < 1.5 * peaks[0]


def bomb(path, value, rows):
    """Rows of one text, which is in the file once, and packed."""
    column = pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [value])
    pq.write_table(
        pa.table({"prompt": column, "completion": column}), path, compression="zstd", store_schema=False
    )


def test_a_few_kilobytes_that_claim_gigabytes(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "ROOM", 1 << 26)
    bomb(tmp_path / "made", "x" * (1 << 24), 1000)
    content = (tmp_path / "made").read_bytes()
    assert len(content) < 10_000
    with pytest.raises(ValueError, match=f"{tmp_path}/set, row 1: the rows .* take more than 64 MiB"):
        judged(tmp_path, content)
    assert not (tmp_path / "out.parquet").exists()


def test_a_row_that_is_too_long_is_named(tmp_path):
    content = parquet(tmp_path, GOOD, {**GOOD, "completion": "x" * (LARGEST + 1)}, GOOD)
    found, rows = judged(tmp_path, content)
    assert [row["line"] for row in rows] == [1, 3]
    assert str(found.faults[0]) == f"{tmp_path}/set, line 2: longer than 33,554,432 bytes"


def test_lines_without_end_that_nobody_can_read(tmp_path, monkeypatch):
    """Not all are noted; a kilobyte can hold a million of them."""
    monkeypatch.setattr(reading, "MOST_FAULTS", 100)
    many = (lines(GOOD) * 160 + "x\n" * 150).encode()
    assert len(judged(tmp_path, many)[0].faults) == 150
    with pytest.raises(ValueError, match="set: most of its lines can't be read\n161 lines"):
        judged(tmp_path, gzip.compress(many + b"x\n" * 10_000))


def test_an_empty_file(tmp_path):
    with pytest.raises(ValueError, match="set: it is empty"):
        judged(tmp_path, b"\n")
    assert not (tmp_path / "out.parquet").exists()


def test_names_of_files():
    assert [name_of(name) for name in ("in/a.jsonl", "a.v2.jsonl.gz", "a.gz", "a")] == ["a", "a.v2", "a", "a"]
    assert [name_of(name) for name in ("in/gpt-4.1", "gpt-4.5.gz")] == ["gpt-4.1", "gpt-4.5"]


def run(*words, cwd):
    return forked.run("-m", "tracelab.judge", "task.size=7", "task.format=paper", *words, cwd=cwd)


def test_the_command_and_its_exit_status(tmp_path):
    (tmp_path / "good.jsonl").write_text(lines(GOOD, BAD))
    (tmp_path / "some.jsonl").write_text(lines(GOOD) + "{\n")
    (tmp_path / "none.jsonl").write_text("{\n[]\n")
    good = run("completions=good.jsonl", cwd=tmp_path)
    assert good.returncode == 0, good.stderr
    assert "50.0 [" in good.stdout
    assert "good.jsonl.outcomes.parquet" in good.stdout
    assert len(pl.read_parquet(tmp_path / "good.jsonl.outcomes.parquet", glob=False)) == 2
    some = run("completions=some.jsonl", "output=a/mine.parquet", cwd=tmp_path)
    assert some.returncode == 3
    assert "some.jsonl, line 2: no JSON: Expecting property name" in some.stderr
    assert (tmp_path / "a/mine.parquet.unread.txt").read_text().startswith("some.jsonl, line 2: no JSON")
    assert len(pl.read_parquet(tmp_path / "a/mine.parquet", glob=False)) == 1
    for name, left_out in (("gpt-4.1", 3), ("gpt-4.5", 0)):
        source = f"completions={'some' if left_out else 'good'}.jsonl"
        assert run(source, f"output=b/{name}", cwd=tmp_path).returncode == left_out
    there = sorted(path.name for path in (tmp_path / "b").iterdir())
    assert there == ["gpt-4.1", "gpt-4.1.unread.txt", "gpt-4.5"]
    for words, says in (
        (("completions=none.jsonl",), "none of its lines could be judged"),
        (("completions=nowhere.jsonl",), "error: completions=nowhere.jsonl: there is no such file"),
        (("completions=b",), "error: completions=b: there is no such file"),
        (("completions=good.jsonl", "output=good.jsonl"), "is the file that is judged"),
        (("completions=none.jsonl", "output=a"), "output=a is a folder"),
        (("completions=none.jsonl", "+metric.first_error.level=locl"), "level='locl' is unknown; choose one"),
    ):
        done = run(*words, cwd=tmp_path)
        assert done.returncode == 1
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("none.*.*"))


def test_files_of_one_name_in_two_formats_have_two_outcomes(tmp_path):
    """And two lists of what could not be read."""
    (tmp_path / "good.jsonl").write_text(lines(GOOD, BAD))
    (tmp_path / "good.json.gz").write_bytes(gzip.compress(f"{lines(GOOD)}{{\n".encode()))
    for name, status in (("good.json.gz", 3), ("good.jsonl", 0)):
        assert run(f"completions={name}", cwd=tmp_path).returncode == status
    found = {p.name: len(pl.read_parquet(p, glob=False)) for p in tmp_path.glob("*.outcomes.parquet")}
    assert found == {"good.jsonl.outcomes.parquet": 2, "good.json.gz.outcomes.parquet": 1}
    assert (
        (tmp_path / "good.json.gz.outcomes.parquet.unread.txt").read_text().startswith("good.json.gz, line 2")
    )
