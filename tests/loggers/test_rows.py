"""metrics.csv: columns that appear later, and rows that a resumed run takes over."""

import csv
import errno

import pytest

from tests.helpers.runs import small
from tracelab.loggers import CSV
from tracelab.training.experiment import train


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_new_columns_are_added_to_old_rows(tmp_path):
    logger = CSV(tmp_path / "metrics.csv")
    logger.log_metrics({"a": 1.0}, 1)
    logger.log_metrics({"a": 2.0}, 2)
    logger.log_metrics({"b": 3.0}, 2)
    logger.log_metrics({"a": 4.0}, 3)
    assert read(tmp_path / "metrics.csv") == [
        {"step": "1", "a": "1.0", "b": ""},
        {"step": "2", "a": "2.0", "b": "3.0"},
        {"step": "3", "a": "4.0", "b": ""},
    ]


def test_a_resumed_run_keeps_what_was_before_its_checkpoint(tmp_path):
    first = CSV(tmp_path / "metrics.csv")
    for step in (10, 20, 30):
        first.log_metrics({"loss": float(step)}, step)
    CSV(tmp_path / "metrics.csv")  # opening alone loses nothing
    assert [row["step"] for row in read(tmp_path / "metrics.csv")] == ["10", "20", "30"]
    second = CSV(tmp_path / "metrics.csv")
    second.log_metrics({"loss": 0.5}, 20)
    assert [(row["step"], row["loss"]) for row in read(tmp_path / "metrics.csv")] == [
        ("10", "10.0"),
        ("20", "0.5"),
    ]


@pytest.mark.parametrize("torn", ["3", "30,", "30,0.", "30,0.5", "\0\0\0"])
def test_a_row_that_a_kill_has_torn_is_left_out(tmp_path, torn):
    path = tmp_path / "metrics.csv"
    first = CSV(path)
    for step in (10, 20):
        first.log_metrics({"loss": float(step)}, step)
    path.write_text(path.read_text() + torn)
    with pytest.warns(UserWarning, match="ends with a torn line"):
        resumed = CSV(path)
    resumed.log_metrics({"loss": 0.5}, 30)
    assert [row["step"] for row in read(path)] == ["10", "20", "30"]


UNEVEN = ("trainer.log_every_n_steps=5", "validate_every=3", "validate_problems=0", "budget.steps=11")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The rows of a run that was not stopped."""
    folder = tmp_path_factory.mktemp("whole")
    train(small(folder, *UNEVEN))
    return read(folder / "metrics.csv")


@pytest.mark.parametrize(
    ("every", "said", "step"),
    [(7, 0, 2), (5, 1, 4), (7, 3, 8)],
    ids=["the first row", "the row of a checkpoint's step", "one behind a checkpoint"],
)
def test_a_row_that_could_not_be_written_is_made_up_for(whole, tmp_path, monkeypatch, every, said, step):
    """A checkpoint is written before its step's row: a run that ends between them has it all the same."""
    overrides = (*UNEVEN, f"checkpoint_every={every}")
    write, rows = CSV._write, []

    def full(self, anew):
        rows.append(self.rows[-1]["step"])
        if len(rows) > said:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(self, anew)

    with monkeypatch.context() as patched:
        patched.setattr(CSV, "_write", full)
        with pytest.raises(OSError, match="No space left"):
            train(small(tmp_path, *overrides))
    assert rows[-1] == step
    train(small(tmp_path, *overrides))
    cut = read(tmp_path / "metrics.csv")
    assert [row["step"] for row in whole] == ["2", "4", "5", "8", "9", "10"]
    timed = ("second", "minutes", "wait", "flops_per")
    for one, other in zip(whole, cut, strict=True):
        assert one.keys() == other.keys()
        names = [name for name in one if not any(word in name for word in timed)]
        assert {name: one[name] for name in names} == {name: other[name] for name in names}
