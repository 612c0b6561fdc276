"""A full disk: what libraries raise is recognised, and said so that somebody knows what to do."""

import errno
import os
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import torch

from tracelab.core.files import whole, whole_folder
from tracelab.core.full_disk import FullDiskError, disk_full
from tracelab.runs.folder import Run, check_free
from tracelab.sweeps import reason_of


def raised(action):
    with pytest.raises(Exception) as caught:  # noqa: PT011  (the callers look at what it is)
        action()
    return caught.value


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_words_name_the_file_and_what_to_do(tmp_path, number):
    found = disk_full(OSError(number, "?"), tmp_path / "a.json")
    assert isinstance(found, OSError)
    assert str(found) == (
        f"the disk is full: {tmp_path / 'a.json'} could not be written ({os.strerror(number)}). What was "
        "written before is kept. Free some room there, and give the same command again"
    )
    assert found.words(", with run_dir=runs/a").endswith("the same command again, with run_dir=runs/a")
    again = pickle.loads(pickle.dumps(found))
    assert (type(again), str(again), again.errno) == (FullDiskError, str(found), number)
    assert reason_of(found) == str(found)


def test_it_is_found_behind_other_errors():
    """Torch's own, and what was raised while it was handled; but nothing else is taken for it."""

    def while_it_was_handled():
        try:
            raise OSError(errno.ENOSPC, "no room", "a.bin")
        finally:
            raise RuntimeError("unexpected pos 768 vs 662")

    found = disk_full(raised(while_it_was_handled))
    assert "a.bin could not be written" in str(found)
    assert disk_full(found) is found
    assert disk_full(PermissionError(errno.EACCES, "no right")) is None
    assert disk_full(ValueError("no room")) is None
    assert disk_full(None) is None


def test_writers_of_all_libraries_say_it(tmp_path):
    """Bytes, torch's archive and Arrow's files, on a device that is always full."""

    def to_device(write):
        with whole(tmp_path / "a") as partial:
            partial.symlink_to("/dev/full")
            write(partial)

    table = pa.table({"a": np.arange(100_000)})
    for write in (
        lambda path: path.write_text("a"),
        lambda path: save_opened(path),
        lambda path: pa.parquet.write_table(table, path),
    ):
        error = raised(lambda write=write: to_device(write))
        assert isinstance(error, FullDiskError)
        assert f"{tmp_path / 'a'} could not be written (No space left" in str(error)
    assert not list(tmp_path.iterdir())


def save_opened(path):
    with path.open("wb") as file:
        torch.save({"a": torch.zeros(100_000)}, file)


def test_a_folder_takes_its_place_as_a_whole(tmp_path):
    folder = tmp_path / "below" / "folder"
    with whole_folder(folder) as made:
        (made / "a" / "b").mkdir(parents=True)
        (made / "a" / "b" / "one.txt").write_text("one")
        (made / "two.txt").write_text("two")
    (folder / "kept.txt").write_text("kept")
    before = {path: path.is_dir() or path.read_text() for path in tmp_path.rglob("*")}
    assert sorted(path.name for path in before) == [
        "a",
        "b",
        "below",
        "folder",
        "kept.txt",
        "one.txt",
        "two.txt",
    ]

    def fails():
        with whole_folder(folder) as made:
            (made / "two.txt").write_text("half")
            raise OSError(errno.ENOSPC, "?")

    assert str(folder) in str(raised(fails))
    assert {path: path.is_dir() or path.read_text() for path in tmp_path.rglob("*")} == before
    with whole_folder(folder) as made:
        (made / "two.txt").write_text("new")
    assert (folder / "two.txt").read_text() == "new"
    assert (folder / "kept.txt").read_text() == "kept"


def test_a_new_folder_is_there_at_once(tmp_path, monkeypatch):
    """Its files are not moved one by one, between which the process may be killed."""
    monkeypatch.setattr(os, "replace", lambda *_: pytest.fail("moved"))
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "below" / "folder", tmp_path / "empty"):
        with whole_folder(folder) as made:
            (made / "a").mkdir()
            (made / "a" / "one.txt").write_text("one")
            (made / "two.txt").write_text("two")
        assert sorted(path.name for path in folder.rglob("*")) == ["a", "one.txt", "two.txt"]
        assert list(folder.parent.glob(".*")) == []


def test_a_run_that_was_not_judged_is_made_again(tmp_path):
    """Imports and merges end with an evaluation; a full disk in it leaves a run that the command may take."""
    run, config = Run(tmp_path / "run", {"seed": 0, "task": {"size": 5}}), {"seed": 0, "task": {"size": 5}}
    check_free(run.folder, config, imported_from="a")
    run.write_text("config.yaml", "seed: 0\ntask: {size: 5}\n")
    run.write_json("run.json", {"status": "trained", "imported_from": "a"})
    check_free(run.folder, config, imported_from="a")
    for other, source, status in (
        (config, "b", "trained"),
        (config, "a", "evaluated"),
        ({**config, "task": {"size": 6}}, "a", "trained"),
    ):
        run.write_json("run.json", {"status": status, "imported_from": "a"})
        with pytest.raises(ValueError, match="holds a run already: choose another folder"):
            check_free(run.folder, other, imported_from=source)
