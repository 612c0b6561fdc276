"""What the study's page says of mazes is what their data say."""

import re

import numpy as np
import polars as pl
import pytest

from tests.helpers.study_page import (
    DATA,
    PAGE,
    PROSE,
    TEXT,
    as_prose,
    by_arm,
    by_seed,
    in_points,
    per_cent,
    row_of_arm,
    seen,
)
from tracelab import analysis
from tracelab.analysis.cells import TaskOutcomes
from tracelab.analysis.written import examples_of
from tracelab.core.paths import CLONE
from tracelab.core.ragged import Ragged
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run


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


def test_seeds_that_wait_for_others_are_named():
    mazes, arithmetic = (analysis.runs(DATA / f"{task}_waiting") for task in ("maze", "arithmetic"))
    seeds = sorted({*mazes["seed"]})
    assert sorted(mazes.select("arm", "seed").rows()) == [
        (a, s) for a in ("correct", "swapped") for s in seeds
    ]
    fillers = arithmetic["seed"].to_list()
    assert arithmetic["treatment"].unique().to_list() == ["filler"]
    told = (
        f"(Seeds {' and '.join(map(str, seeds))} of `correct` and `swapped` have run since, and in arithmetic"
    )
    assert f"{told} seeds {fillers[0]} to {fillers[-1]} of `filler`." in TEXT


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
        ("c2", "wilson_9x9", "`swapped` in 10 to 24 % ({:+.1f} points [{:.1f}, {:.1f}])."),
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
    assert f"falls from {near:.2f} to {far:.2f}." in PROSE
    (value, low, high), _ = one_of(measured, "e", "far")
    assert f"and {value:.2f} [{low:.2f}, {high:.2f}] less on the far sets together" in PROSE


def test_lengths_among_right_answers_and_what_parses(outcomes):
    length = pl.when(pl.col("truncated")).then(float("inf")).otherwise(pl.col("completion_tokens"))
    correct = outcomes.filter(arm="correct")
    ranks = (
        correct.filter("solution_valid")
        .group_by("split", "seed")
        .agg(rank=pl.corr(length, "expansions", method="spearman"))
        .group_by("split")
        .agg(pl.col("rank").mean())
    )
    rank = dict(ranks.collect().iter_rows())
    walks, open_, opener = (
        rank[name] for name in ("drunkards_walk", "searchformer", "searchformer_density_0.02x0.1")
    )
    told = f"{walks:.2f} on drunkard's walks, {open_:.2f} on searchformer's mazes and {opener:.2f} on those"
    assert f"{told} nearly without walls" in PROSE
    parses = dict(correct.group_by("split").agg(pl.col("trace_parses").mean()).collect().iter_rows())
    assert {name for name, share in parses.items() if share < 0.5} == {
        "searchformer_density_0.02x0.1",
        "wilson_9x9",
    }


def test_what_is_right_among_mazes_of_trained_words(page, outcomes):
    told = outcomes.join(page.untrained.known(outcomes).lazy(), on=["split", "index"])
    larger = told.filter(split="wilson_9x9").group_by("arm", "known")
    rows = larger.agg(pl.col("index").n_unique(), pl.col("solution_valid").mean()).collect()
    count = dict(rows.filter(arm="correct").select("known", "index").iter_rows())
    right = {(row["arm"], row["known"]): row["solution_valid"] for row in rows.to_dicts()}
    assert {arm: share for (arm, known), share in right.items() if not known}.keys() == {
        "correct",
        "solution_only",
        "swapped",
    }
    assert not any(share for (_, known), share in right.items() if not known)
    assert f"among the {count[True]} whose path stays in trained cells" in PROSE
    words = "{:.0f} % of them by `swapped`, {:.0f} % by `correct`; of the {} others no arm solves one"
    assert words.format(100 * right["swapped", True], 100 * right["correct", True], count[False]) in PROSE
    run = Run.open(outcomes.select("run").first().collect().item())
    own = build_task(run.settings.task).test_sets()["wilson_9x9"]
    problems = outcomes.filter(split="wilson_9x9", arm="correct", seed=0).collect()
    nothing = Ragged.of([np.zeros(0, np.int32)] * len(problems))
    words = np.array(run.read_json("vocab.json"))
    new = np.array([bool(re.fullmatch(r"[78],\d|\d,[78]", word)) for word in words])
    prompts = own.prompts(examples_of(problems, nothing, nothing))
    assert min(new[prompt].sum() for prompt in prompts) >= 10, "each prompt names cells outside of 7x7"
    others = told.filter(pl.col("split") != "wilson_9x9").select(pl.col("known").all()).collect().item()
    assert others, "all other sets have trained words alone"
    *_, line, _ = page.untrained.lines(outcomes)
    (gain,) = re.findall(r"is (\S+ \[\S+ \S+\]) points far away", line)
    assert f"the difference far away is {in_points(gain)}." in PROSE


def test_how_many_different_traces_are_written(outcomes):
    near = outcomes.filter(split="wilson").group_by("arm", "seed").agg(pl.col("trace_hash").n_unique())
    counts = near.collect().sort("trace_hash")
    few, many = (counts.filter(arm=arm)["trace_hash"].to_list() for arm in ("swapped", "correct"))
    assert f"it writes {few[0]} to {few[-1]} different ones, by seed, for the 512 mazes" in PROSE
    assert {*many} == {505}
    assert "where `correct` writes 505" in PROSE
    assert f"{few[0]} to {few[-1]} different ones for 512" in (CLONE / "README.md").read_text("utf-8")


def test_what_there_was_room_for(page, outcomes, measured):
    room = page.rooms(TaskOutcomes(outcomes))
    assert f"of {100 * room['f']:.1f} that there could have been" in PROSE
    near = outcomes.filter(arm="correct", split="wilson")
    legal = near.filter("trace_local").select(
        pl.len(), pl.col("trace_strict").sum(), pl.col("solution_valid").sum()
    )
    every, strict, right = legal.collect().row(0)
    assert room["h"] == pytest.approx(strict / every)
    words = f"Of {every:,} such traces {strict:,} are strictly valid, which settles the answer"
    assert f"{words}; of the other {every - strict}, {right - strict} have a right one" in PROSE
    without = near.filter(pl.col("solution_valid"), ~pl.col("trace_strict")).select(pl.len()).collect().item()
    assert without == 35
    assert [page.has_none(*pair) for pair in (("f", room["f"]), ("h", room["h"]), ("c2", room["c2"]))] == [
        True,
        True,
        False,
    ]


def test_the_mean_of_the_sets_own_shares(outcomes):
    far = outcomes.filter(pl.col("arm") == "correct", pl.col("split") != "wilson", pl.col("solution_valid"))
    shares = far.group_by("split").agg((~pl.col("trace_strict")).mean()).collect()["trace_strict"]
    assert len(shares) == 7
    assert f"the mean of the seven sets' own shares is {100 * shares.mean():.0f} %" in PROSE


def test_examples_in_prose():
    runs = analysis.runs(DATA / "maze")
    alone, correct, swapped = (seen(runs, arm) / 1000 for arm in ("solution_only", "correct", "swapped"))
    assert round(correct) == round(swapped)
    told = f"On mazes `solution_only` saw {alone:.0f} thousand, `correct` and `swapped` {correct:.0f};"
    assert told in PROSE


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


def test_the_readme_has_the_table_of_test_sets_and_what_it_says_of_it(page, outcomes, measured):
    readme = (CLONE / "README.md").read_text("utf-8")
    lines = page.set_table(TaskOutcomes(outcomes))
    assert "\n".join(["<!-- tables -->", "", *lines, "<!-- end of tables -->"]) in readme
    assert len(lines) > 8
    valid = [row_of_arm("maze", arm)["strictly valid"] for arm in ("correct", "swapped")]
    correct, swapped = map(as_prose, valid)
    assert f"`correct` writes a strictly valid trace in {correct} of the `wilson` mazes" in readme
    assert f"`swapped` in {swapped}." in readme
    (value, low, high), _ = one_of(measured, "c2", "far")
    told = f"they differ by {100 * value:.1f} points [{100 * low:.1f}, {100 * high:.1f}]".replace("-", "−")
    assert told in readme
    for split, sign in (("wilson_9x9", 1), ("dfs", -1)):  # larger mazes, depth-first ones
        numbers, _ = one_of(measured, "c2", split)
        assert all(sign * number > 0 for number in numbers)
    traces = outcomes.filter(arm="swapped").select("trace_strict").collect()["trace_strict"]
    assert f"trained on swapped traces write {traces.sum()} valid trace in {len(traces):,}" in readme


def test_the_page_of_results_has_what_became_of_the_earlier_difference(measured):
    numbers, _ = one_of(measured, "c2", "drunkards_walk")
    told = "{:.1f} points [{:.1f}, {:.1f}]".format(*(100 * number for number in numbers)).replace("-", "−")
    assert f"they differ by {told} on `drunkards_walk`" in (CLONE / "docs/results.md").read_text("utf-8")


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
    assert f"Of 9×9 mazes `correct` is right in {larger[0]}, `swapped` in {larger[1]}" in PROSE
    for split, name in (("braided", "braided mazes"), ("drunkards_walk", "drunkard's walks")):
        correct, without = both(split, "solution_only")
        assert f"{name} ({without}, `correct` {correct})" in PROSE
    assert f"Of depth-first mazes it is {' and '.join(deep)}" in PROSE
    assert f"{open_[0]} of `correct` and {open_[1]} of `swapped`" in PROSE
