"""metrics.csv: columns that appear later, and rows that a resumed run takes over."""

import csv

import pytest

from tracelab.loggers import CSV


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
