"""The line about work that takes long: when it comes, what it says, and that it leaves stdout alone."""

import io
import re
import threading
import time

import pytest

from tracelab.core import waiting as module
from tracelab.core.waiting import waiting


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def quick(monkeypatch):
    """Hundredths of seconds for seconds."""
    for name, seconds in (("PATIENCE", 0.02), ("PAUSE", 0.02), ("BLINK", 0.02)):
        monkeypatch.setattr(module, name, seconds)


def wait_for(stream, text, count=1):
    """Until it was written so often; fails after ten seconds."""
    until = time.monotonic() + 10
    while stream.getvalue().count(text) < count:
        assert time.monotonic() < until, stream.getvalue()
        time.sleep(0.005)


def test_short_work_is_not_spoken_of(monkeypatch, capsys):
    monkeypatch.setattr(module, "PATIENCE", 60.0)
    with waiting("Drawing", 5) as done:
        done(5)
    assert capsys.readouterr() == ("", "")


def test_long_work_is_counted_from_any_thread(quick, monkeypatch, capsys):
    error = io.StringIO()
    monkeypatch.setattr("sys.stderr", error)
    with waiting("Drawing problems", 2000) as done:
        workers = [threading.Thread(target=done, args=(400,)) for _ in range(3)]
        for worker in workers:
            worker.start()
        wait_for(error, "Drawing problems: 1,200 of 2,000, 0 s\n", 2)
    with waiting("Treating"):
        wait_for(error, "Treating: 0 s\n")
    assert capsys.readouterr().out == ""


def test_a_terminals_line_fits_and_is_taken_away(quick, monkeypatch):
    error = Terminal()
    monkeypatch.setattr("sys.stderr", error)
    monkeypatch.setenv("COLUMNS", "40")
    with waiting("Compiling kernels (once per version)", 12_000) as done:
        done(7)
        wait_for(error, "\r\033[K", 3)
    lines = error.getvalue().split("\r\033[K")
    assert lines[0] == lines[-1] == ""
    assert {len(line) for line in lines[1:-1]} == {39}
    assert all(re.fullmatch(r"Compiling kernels.*: 7 of 12,000, 0 s", line) for line in lines[1:-1])
    assert "\n" not in error.getvalue()


def test_work_within_work_speaks_alone(quick, monkeypatch):
    error = io.StringIO()
    monkeypatch.setattr("sys.stderr", error)
    with waiting("Outer"):
        with waiting("Inner"):
            wait_for(error, "Inner")
            before = error.getvalue().count("Outer")
            wait_for(error, "Inner", 4)
            assert error.getvalue().count("Outer") == before
        wait_for(error, "Outer", before + 1)


def test_a_failure_ends_it(quick, monkeypatch):
    error = io.StringIO()
    monkeypatch.setattr("sys.stderr", error)

    def fail():
        with waiting("Searching"):
            wait_for(error, "Searching")
            raise ValueError("no way")

    with pytest.raises(ValueError, match="no way"):
        fail()
    said = error.getvalue()
    time.sleep(0.1)
    assert error.getvalue() == said
