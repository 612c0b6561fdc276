"""What the study's page says of Countdown is what its data say."""

import re

import numpy as np
import polars as pl
import pytest

from tests.helpers.study_page import (
    DATA,
    PROSE,
    TEXT,
    as_prose,
    by_arm,
    by_seed,
    difference,
    estimate,
    in_points,
    per_cent,
    row_of_arm,
    rows_of,
    seen,
)
from tracelab import analysis
from tracelab.analysis import findings as measured
from tracelab.analysis.interventions import load_interventions
from tracelab.analysis.verdicts import RANK_MARGIN
from tracelab.core.files import read_json
from tracelab.core.paths import CLONE
from tracelab.tasks.countdown.draws import HEADER

README = (CLONE / "README.md").read_text("utf-8")
FOLDER, NEAR, FAR = DATA / "countdown", "countdown", ("number_range_20x60", "number_range_25x70")


@pytest.fixture(scope="module")
def outcomes():
    return analysis.load(FOLDER)


@pytest.fixture(scope="module")
def measurements(outcomes):
    return measured.measurements({"countdown": outcomes})


def test_accuracy_in_prose_is_what_was_measured(measurements):
    right = {arm: as_prose(row_of_arm("countdown", arm)["right"]) for arm in ("correct", "solution_only")}
    assert f"models are right in {right['correct']} of the problems of the training range" in PROSE
    assert f"without in {right['solution_only']}: " in PROSE
    told = f"{right['correct']} of answers are right with them, {right['solution_only']} without (five seeds"
    assert f"at equal *tokens*: {told} each)" in README
    row = measurements.filter(part="a", split=NEAR).row(0, named=True)
    assert f"{difference(row)} on as many tokens" in PROSE


def test_the_control_in_prose_is_what_was_measured(page):
    rows = {row["solution_only"]: row for row in rows_of(page.controls.lines(DATA, "countdown")[2:])}
    same = rows["as many examples"]
    right, more = as_prose(same["right"]), in_points(same["`correct` less it"])
    assert f"models without traces are right in {right}, `correct` {more} more often" in PROSE
    assert f"At equal *examples* (a seventh of the tokens) it is {right} without." in README
    few, many = (
        [read_json(path)["progress"] for path in folder.glob(f"arm-{arm}_*/run.json")]
        for folder, arm in ((DATA / "countdown_examples", "solution_only"), (FOLDER, "correct"))
    )
    assert round(many[0]["tokens"] / few[0]["tokens"]) == 7
    (steps,) = {run["steps"] for run in few}
    told = f"This control has {few[0]['tokens'] / 1e6:.1f} M tokens and {steps:,} steps"
    most = f"{np.mean([run['tokens'] for run in many]) / 1e6:.1f} M"
    known = f"{np.mean([run['steps'] for run in many]):,.0f}"
    assert f"{told}, where `correct` has {most} and some {round(int(known.replace(',', '')), -2):,}" in PROSE
    runs = analysis.runs(FOLDER)
    many, few = (round(seen(runs, arm) / 1000) for arm in ("solution_only", "correct"))
    assert f"In Countdown `solution_only` saw {many} thousand on average, `correct` {few} thousand" in PROSE


def test_where_right_answers_come_from_in_prose(page, outcomes, measurements):
    near, far = (estimate(measurements, "b", split) for split in (NEAR, "far"))
    told = "{} % [{}, {}] of them in distribution, {} % [{}, {}] far away"
    assert told.format(*near, *far) in PROSE
    task = page.build_task(page.Run.open(analysis.runs(FOLDER)["run"][0]).settings.task)
    found = {row["arm"]: row for row in rows_of(page.origin_table(outcomes, task))}
    row = found["correct"]
    assert found["swapped"]["rebuilt"] == "100.0"
    assert row["right behind invalid traces"] == "696"
    assert f"{float(row['unused']):.0f} % of the 696 right answers behind invalid traces rest on" in PROSE
    assert f"{float(row['led']):.0f} % rest on a wrong step" in PROSE
    assert row["rebuilt"] == "0.0"


def test_first_failures_in_prose(outcomes):
    near = outcomes.filter(pl.col("arm") == "correct", pl.col("split") == NEAR).collect()
    counts = dict(near["trace_strict_reason"].value_counts().iter_rows())
    told = f"{counts['wrong_h']} of the {len(near) - counts['ok']} invalid traces of `correct` fail first at"
    assert f"{told} a wrong h, {counts['cost_mismatch']} at costs" in PROSE
    strict = [float(x) for x in re.findall(r"[\d.]+", row_of_arm("countdown", "correct")["strictly valid"])]
    assert "strictly valid in {:.0f} % [{:.0f}, {:.0f}]".format(*strict) in PROSE
    *others, last = per_cent(by_seed(outcomes, "correct", NEAR, "trace_strict"))
    assert f"{', '.join(others)} and {last} % of the traces are strictly valid" in PROSE
    right = 100 * by_seed(outcomes, "correct", NEAR)
    assert f"{right.min():.1f} to {right.max():.1f} % of the answers right" in PROSE
    assert (near["reference_steps"].min(), near["reference_steps"].max()) == (8, 18)
    assert "they have 8 to 18 steps" in PROSE


def test_new_numbers_in_prose(page):
    lines = page.untrained.lines(analysis.load(FOLDER))[2:]
    rows = rows_of(lines[: lines.index("")])
    assert [row["test set"] for row in rows] == [FAR[0], FAR[0], FAR[1], FAR[1]] * 5
    told = [row for row in rows if row["arm"] in ("correct", "solution_only")]
    old, new = told[::2], told[1::2]
    shares = [round(float(row["right"].split()[0])) for row in old]
    assert f"{shares[0]} and {shares[1]} % by `correct`, {shares[2]} % by `solution_only`" in PROSE
    assert shares[2] == shares[3]
    assert f"`correct` solves {as_prose(new[0]['right'])} and {as_prose(new[1]['right'])}" in PROSE
    assert [row["right"].split()[0] for row in new[2:]] == ["0.0", "0.0"]
    count = sum(int(row["problems"]) for row in new[2:])
    assert f"`solution_only` none of {count}, in any seed" in PROSE


def test_no_seed_without_traces_solves_a_problem_with_a_new_number(page, outcomes):
    told = outcomes.join(page.untrained.known(outcomes).lazy(), on=["split", "index"])
    mine = told.filter(pl.col("arm") == "solution_only", ~pl.col("known")).collect()
    assert mine["seed"].n_unique() == 5
    assert not mine["solution_valid"].any()
    problem = next(iter(mine["problem"])).to_list()
    assert len(problem[HEADER:]) == 3
    assert max(problem[HEADER:]) > 50


def test_how_many_different_traces_swapped_writes_in_prose(outcomes):
    near = outcomes.filter(arm="swapped", split=NEAR).group_by("seed").agg(pl.col("trace_hash").n_unique())
    few, *_, most = sorted(near.collect()["trace_hash"])
    assert f"Greedily it writes {few} to {most} different ones, by seed, for 512 problems" in PROSE


def test_length_in_prose(page, measurements):
    found = measurements.filter(part="e", split="far").row(0, named=True)
    told = "{:.2f} [{:.2f}, {:.2f}]".format(*(found[name] for name in ("value", "low", "high")))
    assert f"the search's size falls by {told}" in PROSE
    (line,) = (line for line in TEXT.splitlines() if line.startswith("On problems without a new word"))
    known = re.search(r"is (\S+ \[\S+ \S+\]) less far away", line).group(1)
    assert f"training range it falls by {known}, less than the {RANK_MARGIN} that matter" in PROSE
    assert float(re.search(r", ([\d.]+)\]", known).group(1)) < RANK_MARGIN
    row = measurements.filter(part="f", split=NEAR).row(0, named=True)
    assert f"(f: refuted)**: {difference(row)} between" in PROSE


def test_what_was_asked_in_prose(page):
    imposed = by_arm(page.asked.imposed_table(FOLDER, NEAR))["correct"]
    none, other, reference = (imposed[name] for name in ("none", "another problem's: right", "the reference"))
    told = f"Behind no trace `correct` is right in {none}, behind another problem's in {other}"
    assert f"{told}, behind the reference's in {reference}" in PROSE
    given = load_interventions(FOLDER).filter(intervention="swapped")
    *others, last = per_cent(by_seed(given, "correct", NEAR, "follows"))
    assert f"by seed {', '.join(others)} and {last} % of the answers are that" in PROSE
    assert by_seed(given, "correct", NEAR, "valid").max() == 0, "they fit neither"
    likelier = by_arm(page.asked.assessed_table(FOLDER, NEAR))
    told = {"correct": ", whatever the kind of damage", "swapped": "; `corrupted` at rate 1 writes none"}
    for arm, words in told.items():
        shares = [float(cell.split(" %")[0]) for head, cell in likelier[arm].items() if " (" in head]
        assert len(shares) == 5
        assert f"in {np.min(shares):.1f} to {np.max(shares):.1f} %{words}" in PROSE


def test_damaged_traces_in_prose(outcomes, measurements):
    """The first part is replicated, the second open; no training trace is valid."""
    little, every, correct = (
        row_of_arm("countdown", arm) for arm in ("corrupted rate=0.1", "corrupted rate=1.0", "correct")
    )
    gaps = [
        difference(measurements.filter(part=part, primary=True).row(0, named=True)) for part in ("i1", "i2")
    ]
    told = f"right in {as_prose(little['right'])} of the problems: {gaps[0]} against `correct`"
    assert f"{told} (this part is replicated)" in PROSE
    assert f"they are right in {as_prose(every['right'])}, and write no valid trace: " in PROSE
    assert gaps[1].replace(" points", " points less than at a tenth") in PROSE
    decided = rows_of(TEXT.partition("## What decides\n\n")[2].partition("\n\n")[0].splitlines())
    verdicts = {row["part"]: row["verdict"] for row in decided if row["task"] == "countdown"}
    assert (verdicts["i1"], verdicts["i2"]) == ("replicated", "open")
    assert every["strictly valid"].startswith("0.0 ")
    strict = [
        "{:.0f} % [{:.0f}, {:.0f}]".format(*map(float, re.findall(r"[\d.]+", row["strictly valid"])))
        for row in (little, correct)
    ]
    each = [f"{100 * x:.0f}" for x in by_seed(outcomes, "corrupted rate=0.1", NEAR, "trace_strict")]
    told = f"(by seed {', '.join(each[:-1])} and {each[-1]} %)"
    assert (
        f"a strictly valid trace in {strict[0]} {told}, `correct` in {strict[1]}; both still rise." in PROSE
    )
    curves = analysis.learning_curves(FOLDER).filter(metric="trace_strict").sort("tokens")
    for arm in ("corrupted rate=0.1", "correct"):
        looks = curves.filter(arm=arm).group_by("seed").agg(pl.col("value").tail(2))
        before, last = np.array(looks["value"].to_list()).T
        assert np.mean(last - before) > 0.05, arm
    assert set(measurements.filter(pl.col("part").is_in(["i1", "i2"]))["seeds"]) == {5}
    cards = [*FOLDER.glob("*corrupted_*/data_card.json")]
    assert len(cards) == 10
    for path in cards:
        train = read_json(path)["splits"]["train"]
        assert train["trace"]["strict"]["successes"] == 0
        if "corrupted_100" in str(path):
            stand = (
                f"{100 * train['damage']['verbatim']:.0f} % of the search's steps still stand word for word"
            )
            assert f"With every place damaged, where {stand}" in PROSE


def test_what_damaged_arms_were_asked_in_prose(page):
    told = by_arm(page.asked.imposed_table(FOLDER, NEAR))
    little, every = (told[f"corrupted rate={rate}"] for rate in ("0.1", "1.0"))
    right, that = "another problem's: right", "another problem's: that one's answer"
    assert f"behind another problem's in {every[right]}, by seed between 34 and 57 %." in PROSE
    assert f"(`correct` and rate 0.1 are right there in {little[right]}.)" in PROSE
    assert little[right] == told["correct"][right]
    given = load_interventions(FOLDER).filter(intervention="swapped")
    seeds = 100 * by_seed(given, "corrupted rate=1.0", NEAR, "valid")
    assert [f"{x:.0f}" for x in (seeds.min(), seeds.max())] == ["34", "57"]
    assert by_seed(given, "corrupted rate=1.0", NEAR, "follows").max() == 0
    assert f"of rate 0.1's, {little[that]} are" in PROSE
    more = in_points(every["the reference less own"])
    assert f"it is right in {every['the reference']}, {more} more than behind its own" in PROSE
    (none,) = {row[name] for row in (little, every) for name in ("none", "filler")}
    assert f"which they have not seen in training, both arms are right in {none}." in PROSE
    likelier = by_arm(page.asked.assessed_table(FOLDER, NEAR))
    ends = []
    for rate in ("0.1", "1.0"):
        cells = likelier[f"corrupted rate={rate}"].items()
        shares = [float(cell.split(" %")[0]) for head, cell in cells if " (" in head]
        ends.append(f"{min(shares):.1f} to {max(shares):.1f} %")
    assert f"and does so in {ends[1]}; at rate 0.1 it is {ends[0]}." in PROSE


def test_what_damage_does_behind_a_trace_in_prose(page):
    told = by_arm(page.asked.damaged_table(FOLDER, NEAR))
    arms = ("correct", "corrupted rate=0.1", "corrupted rate=1.0")
    tenth, every = ([told[arm][f"{rate} damaged"] for arm in arms] for rate in ("0.1", "1.0"))
    words = (
        "at a tenth of its places, `correct` is right in {}, `corrupted` at rate 0.1 in {}, at rate 1 in {};"
    )
    assert words.format(*tenth) in PROSE
    assert "damaged at every place in {}, {} and {}.".format(*every) in PROSE
    words = "models trained on such traces answer right in {}, those trained on correct ones in {}."
    assert words.format(every[2], every[0]) in README
    own = by_arm(page.asked.imposed_table(FOLDER, NEAR))["corrupted rate=1.0"]["own"]
    assert float(own.split(" %")[0]) < float(every[2].split("[")[1].split(",")[0]), "less than behind damage"
    swapped = told["swapped"]
    words = "damaged at every place, it is right in {}, with its steps shuffled in {}."
    assert words.format(swapped["1.0 damaged"], swapped["shuffled"]) in PROSE


def test_swapped_traces_in_prose(page, outcomes, measurements):
    row = row_of_arm("countdown", "swapped")
    right = as_prose(row["right"])
    gaps = [
        difference(measurements.filter(part=part, primary=True).row(0, named=True)) for part in ("c1", "c2")
    ]
    assert f"models are right in {right}: {gaps[0]} against `correct`, and {gaps[1]} far away" in PROSE
    assert f"models trained on other problems' traces are right in {right} and write no valid trace" in README
    mine = outcomes.filter(pl.col("arm") == "swapped").collect()
    assert not mine["trace_strict"].any()
    assert f"None of the {len(mine):,} traces that they wrote is valid" in PROSE
    control = rows_of(page.controls.lines(DATA, "countdown")[2:])
    (few,) = (row["right"].split()[0] for row in control if row["solution_only"] == "as many examples")
    assert f"On as many examples but without traces, models are right in {few} %" in PROSE


def test_what_swapped_was_asked_in_prose(page):
    told = by_arm(page.asked.imposed_table(FOLDER, NEAR))
    row, correct = told["swapped"], told["correct"]
    assert row["seeds"] == "5"
    right = [row[name] for name in ("another problem's: right", "the reference", "own")]
    words = "Behind another problem's trace `swapped` is right in {}, behind the reference's in {}"
    assert f"{words}, behind its own in {{}}".format(*right) in PROSE
    gaps = [
        in_points(row[f"{name} less own"]).replace(" points", "", 1)
        for name in ("another problem's", "the reference")
    ]
    assert f"a difference of {gaps[0]} and of {gaps[1]} points" in PROSE
    assert f"Behind no trace it is right in {row['none']}, behind filler in {row['filler']}" in PROSE
    ends = [correct[name].split(" %")[0] for name in ("the reference", "another problem's: right")]
    assert ends == ["100.0", "0.0"], "always and never"


def test_how_validity_rises_at_the_end_in_prose():
    curves = analysis.learning_curves(FOLDER).filter(arm="correct").sort("seed", "tokens")
    told = []
    for metric in ("trace_strict", "solution_valid"):
        looks = curves.filter(metric=metric).group_by("seed").agg(pl.col("tokens", "value").tail(3))
        assert len(looks) == 5
        tokens, value = (np.array(looks[name].to_list()).mean(0) for name in ("tokens", "value"))
        told.append([f"{x:.0f}" for x in 100 * value[[0, 2]]] + [f"{x / 1e6:.1f} M" for x in tokens[[0, 2]]])
    (early, late, before, end), (right, last, *_) = told
    assert (
        f"{early} % of the held-out problems' traces (64 a seed) are strictly valid at {before} tokens"
        in PROSE
    )
    assert f"and {late} % at {end}, where accuracy goes from {right} to {last} %" in PROSE
