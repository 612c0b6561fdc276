"""Commands that `bench/kills.py` kills are dead, and what it compares of them is all that they have found."""

import json
import shutil

import pytest

from tests.helpers.bench import script
from tests.helpers.runs import KEPT
from tracelab.core.files import read_json
from tracelab.core.paths import CLONE


@pytest.fixture
def kills():
    with script("kills") as module:
        yield module


def test_a_command_is_killed_before_it_has_a_group(kills, tmp_path):
    """At once: it is not begun, and goes on to nothing."""
    assert not kills.attempt(kills.Case("show", lambda folder: ["--help"], list), tmp_path, 0.0)
    assert not list(tmp_path.iterdir())


def test_a_command_without_an_end_is_said_to_be_one(kills, tmp_path, monkeypatch):
    monkeypatch.setattr(kills, "LONGEST", 0.1)
    with pytest.raises(RuntimeError, match=r"show did not end in 0\.1 seconds"):
        kills.attempt(kills.Case("show", lambda folder: ["--help"], list), tmp_path, None)


def test_passes_of_a_post_training_are_compared(kills, tmp_path):
    shutil.copytree(KEPT, tmp_path / "after")
    found = []
    for passes in (0.25, 0.5):
        for name in ("passes_before.json", "passes_after.json"):
            value = passes if name == "passes_after.json" else 0.25
            (tmp_path / "after" / name).write_text(json.dumps({"pass@1": value}))
        found.append(kills.CASES["posttrain"].left(tmp_path))
    assert kills.differing(*found) == ["all.passes_after.json.pass@1"]


def test_the_page_says_what_was_counted(kills):
    counts = read_json(CLONE / "bench" / "results" / "kills.json")["counts"]
    killed, commands, different = (
        sum(count[name] for count in counts.values()) for name in ("kills", "commands", "different")
    )
    assert (different, set(counts)) == (0, set(kills.CASES))
    told = f"were hit by SIGKILL {killed} times at random moments, in {commands} commands"
    assert told in (CLONE / "docs" / "training.md").read_text("utf-8")
