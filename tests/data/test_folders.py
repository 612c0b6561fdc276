"""What `generate` writes is read back: by `judge`, Hugging Face's datasets, polars and DuckDB."""

import json
import re
import shutil

import polars as pl
import pytest

from tests.helpers.forked import run
from tracelab.core.files import read_json
from tracelab.evaluation.verifying import judge_file
from tracelab.generate import DataSet, check
from tracelab.runs.entry import compose
from tracelab.tasks.maze import Maze

TASK, COUNT = Maze(size=5, format="compact"), 12
KNOBS = ("task.size=5", "task.ood=[]", f"count={COUNT}")
FILES = ("train.parquet", "set.arrow", "set.jsonl")


def generate(cwd, *words):
    return run("-m", "tracelab.generate", *KNOBS, *words, cwd=cwd)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two splits in a folder, and the first of them as Arrow and text."""
    at = tmp_path_factory.mktemp("made")
    again = [(f"output=mazes/{name}",) for name in FILES[1:]]
    for words in (("output=mazes",), ("output=mazes", "split=test"), *again):
        done = generate(at, "trace=corrupted", *words)
        assert done.returncode == 0, done.stderr[-2000:]
    return at / "mazes"


@pytest.mark.parametrize("name", FILES)
def test_judge_reads_it(name, folder, tmp_path):
    """Its verdicts are those of the data card."""
    found = judge_file(TASK, folder / name, tmp_path / "out.parquet")
    assert (found.judged, found.faults) == (COUNT, [])
    rows = pl.read_parquet(tmp_path / "out.parquet", glob=False)
    card = read_json(folder / "train.card.json")["splits"]["train"]
    for level in TASK.levels:
        assert rows[f"trace_{level}"].mean() == card["trace"][level]["rate"], level
    assert rows["solution_optimal"].all()


def columns(folder):
    return pl.read_parquet(folder / "train.parquet", glob=False)


def test_polars_reads_it(folder):
    frame, same = columns(folder), pl.read_ipc(folder / "set.arrow")
    words = read_json(folder / "train.card.json")["words"]
    texts = [json.loads(line)["text"] for line in (folder / "set.jsonl").read_text().splitlines()]
    for row, other, text in zip(frame.to_dicts(), same.to_dicts(), texts, strict=True):
        assert {name: value for name, value in row.items() if name in other} == other
        assert f"{row['prompt']} {row['completion']}" == text
        assert text.split() == [words[token] for token in row["tokens"]]
        assert len(row["prompt"].split()) == row["prompt_length"]


def test_datasets_reads_the_folder(folder, tmp_path):
    """By its README, which says what the columns are."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    read = datasets.load_dataset(str(folder), cache_dir=str(tmp_path))
    assert {name: len(rows) for name, rows in read.items()} == {"train": COUNT, "test": COUNT}
    assert read["train"].to_list() == columns(folder).to_dicts()
    builder = datasets.load_dataset_builder(str(folder), cache_dir=str(tmp_path / "other"))
    assert builder.info.features == read["train"].features, "the README's"


def test_datasets_reads_text(folder, tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = datasets.load_dataset(
        "json", data_files=str(folder / "set.jsonl"), split="train", cache_dir=str(tmp_path)
    )
    assert rows[3]["text"].startswith(columns(folder)["prompt"][3])


def test_duckdb_reads_it(folder):
    duckdb = pytest.importorskip("duckdb")
    found = duckdb.sql(f"select * from '{folder}/train.parquet'")
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
    assert rows == columns(folder).to_dicts()
    lengths = duckdb.sql(f"select len(string_split(text, ' ')) from '{folder}/set.jsonl'").fetchall()
    assert [n for (n,) in lengths] == columns(folder)["tokens"].list.len().to_list()


def test_a_folder_holds_one_data_set(folder):
    other = generate(folder.parent, "output=mazes", "split=val", "trace=correct")
    assert other.returncode == 1
    assert re.search(r"mazes holds a split train of another treatment: choose another folder", other.stderr)
    assert not (folder / "val.parquet").exists()


def test_a_folder_of_another_data_set_is_refused_before_anything_is_drawn(folder, tmp_path):
    def refused(*words):
        with pytest.raises(ValueError, match="choose another") as error:
            check(compose(DataSet, "generate", *KNOBS, *words))
        return str(error.value)

    here = f"output={folder}"
    assert "a split train of another treatment" in refused(here, "split=val", "trace=correct")
    assert "of another task and words" in refused(here, "trace=corrupted", "task.size=6")
    check(compose(DataSet, "generate", *KNOBS, here, "trace=corrupted", "split=val"))
    (tmp_path / "mine").write_text("")
    assert "is a file, and names a folder" in refused(f"output={tmp_path}/mine")


def test_the_card_describes_each_split(folder):
    text = (folder / "README.md").read_text()
    assert f"train: {COUNT} problems" in text
    assert f"test: {COUNT} problems" in text
    assert read_json(folder / "test.card.json")["task"]["size"] == 5


def test_a_split_without_a_card_is_made_again_and_named_to_others(folder, tmp_path):
    """A command that was killed between the two files is given once more; other splits are not mixed in."""
    shutil.copytree(folder, tmp_path / "mazes")
    (tmp_path / "mazes" / "train.card.json").unlink()
    other = generate(tmp_path, "output=mazes", "split=val", "trace=corrupted")
    assert other.returncode == 1
    assert "mazes holds train.parquet without its card" in other.stderr
    again = generate(tmp_path, "output=mazes", "trace=corrupted")
    assert again.returncode == 0, again.stderr[-2000:]
    for name in ("train.parquet", "train.card.json", "README.md"):
        assert (tmp_path / "mazes" / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.parametrize("name", ["set.parquet", "set"])
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_drawn(name, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=f"output=.*{name} cannot be written .*choose another place"):
        check(compose(DataSet, "generate", f"output={tmp_path}/file/below/{name}"))
