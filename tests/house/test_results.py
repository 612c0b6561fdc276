"""README's figures of the ten-seed runs are those that were recorded."""

import json

import pytest

from tracelab.core.paths import CLONE

RECORDED = json.loads((CLONE / "bench" / "results" / "seeds.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("metric", ["solution_valid", "trace_strict"])
def test_readme_states_what_was_recorded(metric):
    """Every seed of the central arm, in order, with its interval."""
    runs = sorted((run for run in RECORDED["runs"] if run["arm"] == "correct"), key=lambda run: run["seed"])
    estimates = [run["test_sets"]["wilson"][metric] for run in runs]
    stated = ", ".join(
        f"{100 * e['value']:.1f} % [{100 * e['low']:.0f}, {100 * e['high']:.0f}]" for e in estimates
    )
    assert stated in (CLONE / "README.md").read_text(encoding="utf-8")
    assert {e["n"] for e in estimates} == {256}
