"""What the study's page says of mazes is what their data say."""

import polars as pl
import pytest

from tests.helpers.study_page import DATA, PROSE, TEXT, as_prose, by_seed, per_cent, row_of_arm
from tracelab import analysis
from tracelab.analysis import findings
from tracelab.core.paths import CLONE


@pytest.fixture(scope="module")
def outcomes():
    return analysis.load(DATA / "maze")


def test_no_verdict_is_given_before_the_arms_have_run_that_decide(outcomes):
    assert not findings.can_take_part(outcomes)
    assert "maze: no verdict yet." in TEXT
    assert sorted(by_seed(outcomes, arm, "wilson").size for arm in ("correct", "swapped")) == [5, 5]


@pytest.mark.parametrize("seeds", [5, 10])
def test_a_task_with_seeds_still_to_run_says_so_and_decides_nothing_over_tasks(page, seeds):
    rows = [
        {"finding": "a", "part": "a", "primary": True, "task": task, "arm": "correct", "verdict": "refuted"}
        | {"seeds": seeds if task == "maze" else 5}
        for task in page.TASKS
    ]
    head, _, row = (
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in page.verdict_table(pl.DataFrame(rows), page.TASKS)[:3]
    )
    assert head[2:] == ["maze, 5 of 10 seeds" if seeds == 5 else "maze", *page.TASKS[1:], "over tasks"]
    assert row[2:] == ["refuted"] * 5 + ["–" if seeds == 5 else "refuted"]


def test_estimates_in_prose_are_those_of_the_table():
    told = [
        {head: as_prose(cell) for head, cell in row_of_arm("maze", arm).items()}
        for arm in ("correct", "swapped")
    ]
    correct, swapped = told
    assert f"In distribution `correct` is right in {correct['right']}**" in PROSE
    assert f"and {correct['strictly valid']} of its traces are strictly valid" in PROSE
    assert f"`swapped` is right in {swapped['right']}, and of its" in PROSE
    far = f"together `correct` is right in {correct['right, far']}, `swapped` in {swapped['right, far']}"
    assert far in PROSE


def test_the_page_of_results_has_what_the_seeds_ended_at(outcomes):
    def ends(arm, of):
        values = 100 * by_seed(outcomes, arm, "wilson", of)
        return f"{values.min():.1f} to {values.max():.1f} %"

    told = (CLONE / "docs" / "results.md").read_text("utf-8")
    right, valid, swapped = (
        ends(*what)
        for what in (
            ("correct", "solution_valid"),
            ("correct", "trace_strict"),
            ("swapped", "solution_valid"),
        )
    )
    assert f"`correct` ended at {right} valid solutions and {valid} strictly valid traces" in told
    assert f"`swapped` at {swapped} without a strictly valid trace" in told
    assert not by_seed(outcomes, "swapped", "wilson", "trace_strict").any()


def test_valid_traces_of_swapped_are_counted(outcomes):
    traces = outcomes.filter(arm="swapped").select("trace_strict").collect()["trace_strict"]
    assert f"of its {len(traces):,} traces on all test sets {traces.sum()} is strictly valid" in PROSE


def test_seeds_in_prose_are_those_measured(outcomes):
    def ends(arm, split):
        least, *_, most = per_cent(by_seed(outcomes, arm, split))
        return f"{least} to {most} %"

    def both(split):
        return [ends(arm, split) for arm in ("correct", "swapped")]

    larger, deep, open_ = both("wilson_9x9"), both("dfs"), both("searchformer_density_0.02x0.1")
    assert f"`correct` is right in {larger[0]} of larger mazes, `swapped` in {larger[1]}" in PROSE
    assert f"of depth-first mazes it is {' and '.join(deep)}" in PROSE
    assert f"{open_[0]} of `correct` and {open_[1]} of `swapped`" in PROSE
