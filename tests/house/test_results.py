"""README's figures of today's defaults are those that were recorded."""

import json

import pytest

from tracelab.core.paths import CLONE

RECORDED = json.loads((CLONE / "bench" / "results" / "seeds.json").read_text(encoding="utf-8"))


def in_words(estimate):
    return f"{100 * estimate['value']:.1f} % [{100 * estimate['low']:.0f}, {100 * estimate['high']:.0f}]"


@pytest.mark.parametrize("metric", ["solution_valid", "trace_strict"])
def test_readme_states_what_was_recorded(metric):
    """Every seed of the central arm, in order, with its interval."""
    runs = sorted((run for run in RECORDED["runs"] if run["arm"] == "correct"), key=lambda run: run["seed"])
    estimates = [run["test_sets"]["wilson"][metric] for run in runs]
    assert ", ".join(map(in_words, estimates)) in (CLONE / "README.md").read_text(encoding="utf-8")
    assert {e["n"] for e in estimates} == {256}


def test_readme_states_what_the_demo_ended_at():
    recorded = json.loads((CLONE / "bench" / "results" / "demo.json").read_text(encoding="utf-8"))
    for metric in ("solution_valid", "trace_strict"):
        estimate = recorded["test_sets"]["wilson"][metric]
        assert in_words(estimate) in (CLONE / "README.md").read_text(encoding="utf-8")
        assert estimate["n"] == 256
