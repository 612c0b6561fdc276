"""What the study's page says of mazes is what their data say."""

import re

import polars as pl
import pytest

from tests.helpers.study_page import DATA, PAGE, PROSE, TEXT, as_prose, by_arm, by_seed, per_cent, row_of_arm
from tracelab import analysis
from tracelab.core.paths import CLONE


@pytest.fixture(scope="module")
def outcomes():
    return analysis.load(DATA / "maze")


@pytest.fixture(scope="module")
def measured():
    """All measurements, which are those of the data: `test_study.test_each_table_is_made_from_the_data`."""
    return pl.read_csv(PAGE.parent / "study" / "measurements.csv").filter(task="maze")


def one_of(measured, part, split):
    """A measurement's value and the ends of its interval, and its verdict."""
    row = measured.filter(part=part, split=split).row(0, named=True)
    return [row[name] for name in ("value", "low", "high")], row["verdict"]


def test_verdicts_are_called_those_of_half_of_the_seeds(measured):
    assert set(measured["seeds"].drop_nulls()) <= {1, 2, 3, 4, 5}
    assert "| maze, 5 of 10 seeds |" in TEXT
    told = dict(re.findall(r"\(([a-z]): (replicated|refuted|open) so far", PROSE))
    decided = {"a": "a", "b": "b", "c": "c2", "e": "e", "f": "f", "h": "h"}
    primary = measured.filter(primary=True)
    assert told == {name: primary.filter(part=part)["verdict"][0] for name, part in decided.items()}


@pytest.mark.parametrize(
    ("part", "split", "written"),
    [
        ("a", "wilson", "without in 98.5 % [97.7, 99.4]: {:+.1f} points [{:.1f}, {:.1f}]"),
        ("a", "far", "against 47.3 % [41.0, 53.7], {:+.1f} points [{:.1f}, {:.1f}]: open"),
        ("a", "kruskal", "the two arms differ by {:.1f} [{:.1f}, {:.1f}] and"),
        ("a", "dfs", "and {:.1f} [{:.1f}, {:.1f}] points."),
        ("b", "wilson", "and {:.0f} % [{:.0f}, {:.0f}] of its right answers stand behind others"),
        ("b", "far", "On all far sets together these are {:.0f} % [{:.0f}, {:.0f}]"),
        ("b", "dfs", "{:.0f} % [{:.0f}, {:.0f}] on depth-first mazes"),
        ("b", "braided", "{:.0f} % [{:.0f}, {:.0f}] on braided ones"),
        ("b", "drunkards_walk", "{:.0f} % [{:.0f}, {:.0f}] on drunkard's walks"),
        ("c1", "wilson", "Against `correct` that is {:.1f} points [{:.1f}, {:.1f}]"),
        ("c2", "far", "and far away {:+.1f} [{:.1f}, {:.1f}], where a gain of 10 is claimed"),
        ("c2", "wilson_9x9", "`swapped` in 10 to 24 % ({:+.1f} points [{:.1f}, {:.1f}])"),
        ("c2", "dfs", "and 87 to 91 % ({:.1f} points [{:.1f}, {:.1f}])"),
        ("f", "wilson", "by {:.0f} points [{:.0f}, {:.0f}] from the shortest quarter"),
        ("f", "far", "On the far sets together it is {:.0f} [{:.0f}, {:.0f}]"),
        ("h", "wilson", "behind {:.0f} % [{:.0f}, {:.0f}] of the locally valid traces"),
    ],
)
def test_measurements_in_prose_are_those_of_the_data(measured, part, split, written):
    numbers, _ = one_of(measured, part, split)
    told = written.format(*(100 * number for number in numbers))
    assert re.sub(r"-(?=\d)", "−", told) in PROSE


def test_lengths_follow_complexity_where_answers_are_right(outcomes, measured):
    length = pl.when(pl.col("truncated")).then(float("inf")).otherwise(pl.col("completion_tokens"))
    by = ("arm", "split")
    told = (
        outcomes.filter(pl.col("arm").is_in(["correct", "solution_only"]))
        .group_by(*by, "seed")
        .agg(rank=pl.corr(length, "expansions", method="spearman"), right=pl.col("solution_valid").mean())
        .group_by(*by)
        .agg(pl.col("rank", "right").mean())
        .collect()
    )
    rank = {row["split"]: row["rank"] for row in told.filter(arm="correct").to_dicts()}
    right = {row["split"]: row["right"] for row in told.filter(arm="correct").to_dicts()}
    assert f"is {rank.pop('wilson'):.2f} in distribution for `correct`" in PROSE
    solved = {split for split in rank if right[split] >= 0.95}
    assert solved == {"kruskal", "dfs", "braided"}
    assert "it is 0.99 or more, and on the other four" in PROSE
    assert min(rank[split] for split in solved) >= 0.99
    others = sorted(rank[split] for split in rank if split not in solved)
    assert f"and on the other four {others[0]:.2f} to {others[-1]:.2f}." in PROSE
    without = told.filter(arm="solution_only")
    near, far = (
        without.filter(of)["rank"].mean() for of in (pl.col("split") == "wilson", pl.col("split") != "wilson")
    )
    assert f"falls from {near:.2f} to {far:.2f}:" in PROSE
    (value, low, high), _ = one_of(measured, "e", "far")
    assert f"and {value:.2f} [{low:.2f}, {high:.2f}] less on the far sets together" in PROSE


def test_who_tells_valid_traces_from_damaged_ones(page):
    rows = by_arm(page.asked.assessed_table(DATA / "maze", "wilson"))
    shares = {
        arm: [float(cell.split(" ")[0]) for name, cell in row.items() if "(" in name]
        for arm, row in rows.items()
    }
    assert set(shares["correct"]) == {100.0}
    for arm, written in (
        ("swapped", "It finds the valid one likelier in {} to {} %"),
        ("solution_only", "`solution_only`, which has seen no trace, in {} to {} %"),
    ):
        assert written.format(min(shares[arm]), max(shares[arm])) in PROSE


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


def test_seeds_without_a_case_and_post_training_are_no_seeds_still_to_run(page):
    """Of five seeds one writes no valid trace, and ten runs are not all post-trained."""
    whole = {"a": [("a", 5)], "h": [("h", 4)], "d": [("d1", 5), ("d2", 5)]}
    rows = [
        {"finding": letter, "part": part, "primary": True, "task": task, "arm": "correct"}
        | {"verdict": "refuted", "seeds": 10 if (task, part) == ("maze", "a") else seeds}
        for task in page.TASKS
        for letter, parts in whole.items()
        for part, seeds in parts
    ]
    head, _, *told = page.verdict_table(pl.DataFrame(rows), page.TASKS)
    assert head == f"|  | claim | {' | '.join(page.TASKS)} | over tasks |"
    assert [line.endswith("| refuted |") for line in told[:3]] == [True] * 3


def test_estimates_in_prose_are_those_of_the_table():
    told = [
        {head: as_prose(cell) for head, cell in row_of_arm("maze", arm).items()}
        for arm in ("correct", "solution_only", "swapped")
    ]
    correct, without, swapped = told
    near = f"With them models are right in {correct['right']} of the problems, without in {without['right']}"
    assert near in PROSE
    assert f"Far away it is {correct['right, far']} against {without['right, far']}," in PROSE
    assert f"{correct['strictly valid']} of the traces of `correct` are strictly valid" in PROSE
    assert f"`swapped` is right in {swapped['right']}, and of its" in PROSE


def test_the_page_of_results_has_what_the_seeds_ended_at(outcomes):
    def ends(arm, of):
        values = 100 * by_seed(outcomes, arm, "wilson", of)
        return f"{values.min():.1f} to {values.max():.1f} %"

    told = (CLONE / "docs" / "results.md").read_text("utf-8")
    right, valid, swapped, without = (
        ends(*what)
        for what in (
            ("correct", "solution_valid"),
            ("correct", "trace_strict"),
            ("swapped", "solution_valid"),
            ("solution_only", "solution_valid"),
        )
    )
    assert f"`correct` ended at {right} valid solutions and {valid} strictly valid traces" in told
    assert f"`swapped` at {swapped} without a strictly valid trace, `solution_only` at {without}." in told
    assert not by_seed(outcomes, "swapped", "wilson", "trace_strict").any()


def test_valid_traces_of_swapped_are_counted(outcomes):
    traces = outcomes.filter(arm="swapped").select("trace_strict").collect()["trace_strict"]
    assert f"of its {len(traces):,} traces on all test sets {traces.sum()} is strictly valid" in PROSE


def test_seeds_in_prose_are_those_measured(outcomes):
    def ends(arm, split):
        least, *_, most = per_cent(by_seed(outcomes, arm, split))
        return f"{least} to {most} %"

    def both(split, other="swapped"):
        return [ends(arm, split) for arm in ("correct", other)]

    larger, deep, open_ = both("wilson_9x9"), both("dfs"), both("searchformer_density_0.02x0.1")
    assert f"of larger mazes `correct` is right in {larger[0]}, `swapped` in {larger[1]}" in PROSE
    for split, name in (("braided", "braided mazes"), ("drunkards_walk", "drunkard's walks")):
        correct, without = both(split, "solution_only")
        assert f"{name} ({without}, `correct` {correct})" in PROSE
    assert f"of depth-first mazes it is {' and '.join(deep)}" in PROSE
    assert f"{open_[0]} of `correct` and {open_[1]} of `swapped`" in PROSE
