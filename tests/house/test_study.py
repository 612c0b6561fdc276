"""The study's page says what its data say, and the data are whole."""

import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from omegaconf import OmegaConf
from polars.testing import assert_frame_equal

from tests.helpers.study_page import (
    DATA,
    PAGE,
    PROSE,
    by_arm,
    by_seed,
    difference,
    estimate,
    per_cent,
    row_of_arm,
    seen,
)
from tracelab import analysis
from tracelab.analysis import findings as measured
from tracelab.analysis.interventions import load_interventions
from tracelab.core.files import read_json, write_json
from tracelab.core.paths import CLONE, CONF


@pytest.fixture(scope="module")
def outcomes():
    return analysis.load(DATA / "arithmetic")


@pytest.fixture(scope="module")
def measurements(outcomes):
    return measured.measurements({"arithmetic": outcomes})


@pytest.mark.parametrize(
    ("part", "split", "sign", "written"),
    [
        ("b", "arithmetic", "", "{} % [{}, {}] of the right answers there stand behind invalid traces"),
        ("b", "far", "", "Far away, where the rule looks, {} % do"),
        ("f", "arithmetic", "", "by {} points [{}, {}], behind right answers"),
        ("h", "far", "", "{} % [{}, {}] of the locally valid traces have a right answer: open"),
        ("a", "far", "+", "it is refuted: {} points [{}, {}]"),
    ],
)
def test_estimates_in_prose_are_those_measured(measurements, part, split, sign, written):
    numbers = estimate(measurements, part, split, sign)
    assert written.format(*numbers[: written.count("{}")]) in PROSE


def test_seeds_in_prose_are_those_measured(outcomes):
    """What each seed ends at, near and far; and that README says the same."""
    near = {arm: by_seed(outcomes, arm, "arithmetic") for arm in ("solution_only", "swapped", "correct")}
    *others, last = per_cent(near["solution_only"])
    assert f"`solution_only` at {', '.join(others)} and {last} %" in PROSE
    *others, last = per_cent(near["swapped"])
    assert f"they are right in {', '.join(others)} and {last} %, where `correct`" in PROSE
    least, *_, most = per_cent(near["correct"])
    assert f"`correct` between {least} and {most} %" in PROSE
    told = []
    for split in ("operations_6", "operations_8", "distractors_2"):
        right = {arm: by_seed(outcomes, arm, split) for arm in near}
        learned = right["solution_only"][near["solution_only"] > 0.9]
        told.append([per_cent(values) for values in (learned, right["correct"], right["solution_only"])])
    (six, six_correct, _), (eight, eight_correct, _), (_, needless_correct, needless) = told
    assert f"{six[0]} to {six[-1]} % against {six_correct[0]} to {six_correct[-1]} % on 6" in PROSE
    assert f"{eight[0]} to {eight[-1]} % against {eight_correct[0]} to {eight_correct[-1]} % on 8" in PROSE
    assert f"`correct` {needless_correct[0]} to {needless_correct[-1]} %" in PROSE
    assert f"`solution_only` {needless[0]} to {needless[-1]} %" in PROSE
    valid = by_seed(outcomes, "correct", "arithmetic", "trace_strict").mean()
    row = row_of_arm("arithmetic", "correct")
    right, strict = (
        row[head].partition(" ")[2].strip("[]").split(", ") for head in ("right", "strictly valid")
    )
    told = [f"{float(low):.0f}, {float(high):.0f}" for low, high in (right, strict)]
    whole = f"right in {100 * near['correct'].mean():.0f} % [{told[0]}] of the problems and write a strictly"
    assert f"{whole} valid trace in {100 * valid:.0f} % [{told[1]}]" in (CLONE / "README.md").read_text(
        "utf-8"
    )


def test_swapped_traces_in_prose(measurements):
    """And in the README."""
    gaps = [
        difference(measurements.filter(part=part, primary=True).row(0, named=True)) for part in ("c1", "c2")
    ]
    assert f"where `correct` is right in 95 %: {gaps[0]}. Far away it is {gaps[1]}, where" in PROSE
    mean, low, high = (float(x) for x in re.findall(r"[\d.]+", row_of_arm("arithmetic", "swapped")["right"]))
    fewer = by_seed(analysis.load(DATA / "arithmetic_examples"), "solution_only", "arithmetic")
    assert f"are right in {100 * fewer.mean():.1f} % [19.5, 100.0] on as many examples" in PROSE
    assert f"the worst of them in {100 * fewer.min():.0f} %" in PROSE
    assert "| as many examples | 58,310 | 63.2 [19.5, 100.0] |" in PAGE.read_text(encoding="utf-8")
    told = f"give nearly one answer to all problems, and are right in {mean:.0f} % [{low:.0f}, {high:.0f}]"
    assert told in (CLONE / "README.md").read_text("utf-8")


def test_how_many_different_texts_swapped_writes_in_prose(outcomes):
    near = outcomes.filter(pl.col("arm") == "swapped", pl.col("split") == "arithmetic").group_by("seed")
    counts = near.agg(pl.col("trace_hash", "completion").n_unique()).collect()
    traces, whole = (sorted({*counts[name]}) for name in ("trace_hash", "completion"))
    assert f"write {' or '.join(map(str, traces))} different traces, by seed, for 512 problems" in PROSE
    assert f"and {whole[0]} to {whole[-1]} different completions, answers included" in PROSE


def test_the_pilot_of_correct_and_the_control_are_told_as_recorded():
    pilot = read_json(CLONE / "bench" / "results" / "pilots.json")["arithmetic-correct-2000000"]["test_sets"]
    of = [pilot[name]["solution_valid"] for name in ("operations_6", "operations_8")]
    six, eight = (f"{100 * x['value']:.0f} % [{100 * x['low']:.0f}, {100 * x['high']:.0f}]" for x in of)
    assert f"solved {six} on 6 definitions and {eight} on 8" in PROSE
    progress = {
        kind: [read_json(path)["progress"] for path in sorted((DATA / folder).glob(f"arm-{kind}_*/run.json"))]
        for kind, folder in (("solution_only", "arithmetic_examples"), ("correct", "arithmetic"))
    }
    tokens = [np.mean([run["tokens"] for run in runs]) / 1e6 for runs in progress.values()]
    steps = [np.mean([run["steps"] for run in runs]) for runs in progress.values()]
    assert f"This control has {tokens[0]:.1f} M tokens and {round(steps[0], -2):,.0f} steps" in PROSE
    assert f"the others have {tokens[1]:.1f} M and {round(steps[1], -2):,.0f} to" in PROSE


@pytest.mark.parametrize("task", ["arithmetic", "countdown"])
def test_examples_in_configs_of_the_controls_are_those_measured(task):
    path = CONF / "experiment" / "study" / f"{task}_examples.yaml"
    text = " ".join(line.strip("# ") for line in path.read_text(encoding="utf-8").splitlines())
    correct, alone = (
        [read_json(run)["progress"] for run in (DATA / task).glob(f"arm-{arm}_*/run.json")]
        for arm in ("correct", "solution_only")
    )
    sees = [run["examples"] for run in correct]
    assert len(sees) == len(alone) == 5
    assert (
        f"sees in its {correct[0]['tokens'] / 1e6:.0f} M tokens ({min(sees):,} to {max(sees):,}, by" in text
    )
    more = np.mean([run["examples"] for run in alone]) / np.mean(sees)
    assert f"solution_only sees {more:.1f} times as many" in text
    assert min(sees) <= OmegaConf.load(path).budget.examples <= max(sees)


def test_lengths_and_examples_in_prose_are_those_measured(outcomes):
    whole = outcomes.with_columns(whole=pl.col("trace_steps") == pl.col("reference_steps"))
    *none, one = sorted(by_seed(whole, "correct", "operations_6", "whole"))
    assert none == [0.0] * 4
    assert f"as many steps as the problem needs, and one does in {100 * one:.0f} %" in PROSE
    near = outcomes.filter(pl.col("split") == "arithmetic", pl.col("arm") == "correct", pl.col("seed") == 0)
    long = near.select((pl.col("reference_steps") == 5).mean()).collect().item()
    runs = analysis.runs(DATA / "arithmetic")
    card = read_json(Path(runs.filter(arm="correct")["run"][0]) / "data_card.json")
    counts = card["splits"]["train"]["complexity"]["definitions"]["histogram"]["counts"]
    share = 100 * counts[-1] / sum(counts)
    assert f"{100 * long:.0f} % of them have 5 definitions, of the training problems {share:.0f} %" in PROSE
    told = "In arithmetic it is {:.0f} and {:.0f} thousand."
    assert told.format(*(seen(runs, arm) / 1000 for arm in ("solution_only", "correct"))) in PROSE


def test_the_control_of_equal_examples_in_prose(page):
    lines = page.controls.lines(DATA, "arithmetic")
    rows = {
        row[0]: row for row in ([cell.strip() for cell in line.strip("|").split("|")] for line in lines[4:])
    }
    examples, tokens = rows["as many examples"], rows["as many tokens"]
    assert examples[1] == "58,310"
    *most, last = per_cent([float(cell) / 100 for cell in examples[-1].split(", ")])
    assert f"On 58 thousand it ends at {', '.join(most)} and {last} %" in PROSE
    value, low, high = (float(word.strip("[],")) for word in examples[4].split())
    assert f"{value:.0f} points below `correct` [{-high:.0f}, {-low:+.0f}]".replace("-", "−") in PROSE
    assert f"on as many tokens it is {float(tokens[4].split()[0]):.0f} below" in PROSE


def test_what_the_quarters_of_lengths_hold_in_prose(outcomes):
    near = outcomes.filter(pl.col("split") == "arithmetic", pl.col("arm") == "correct", pl.col("seed") == 0)
    steps = near.select("reference_steps").collect()["reference_steps"].to_numpy()
    assert (steps <= 3).mean() < 0.25 < (steps <= 4).mean()
    assert "2 and 3 definitions, and some of those of 4" in PROSE
    assert 0.64 < (steps == 5).mean() < 0.69
    assert "the longest (5, which two thirds have)" in PROSE


def test_the_trace_in_prose_is_one_of_the_data(outcomes):
    """Word for word, with a right answer."""
    wanted = (
        pl.col("split") == "arithmetic",
        pl.col("arm") == "correct",
        pl.col("seed") == 0,
        pl.col("index") == 3,
    )
    row = outcomes.filter(*wanted).select("run", "completion", "solution_valid", "trace_strict").collect()
    words = read_json(Path(row["run"][0]) / "vocab.json")
    said = " ".join(words[token] for token in row["completion"][0])
    assert said == "reasoning let W 4 add H 9 4 3 add Z 3 7 0 solution 0 end"
    assert '"W = 4, H = 9 + 4 = 3, Z = 3 + 7 = 0"' in PROSE
    assert row.select("solution_valid", "trace_strict").row(0) == (True, False)


def test_pilots_in_the_prediction_are_those_recorded():
    pilots = read_json(CLONE / "bench" / "results" / "pilots.json")
    told = (CLONE / "docs" / "results" / "prediction.md").read_text(encoding="utf-8")
    correct, alone = (
        pilots[f"arithmetic-{arm}-2000000"]["test_sets"]["arithmetic"] for arm in ("correct", "solution_only")
    )
    right, valid = (100 * correct[name]["value"] for name in ("solution_valid", "trace_strict"))
    assert (
        f"`correct` ends at {right:.1f} % right answers ({valid:.1f} % of its traces strictly valid)" in told
    )
    assert f"`solution_only` at {100 * alone['solution_valid']['value']:.1f} % (n = 256" in told
    assert correct["solution_valid"]["n"] == alone["solution_valid"]["n"] == 256


@pytest.mark.parametrize(
    ("task", "tokens", "split", "setting"),
    [
        ("graph_path", 5_000_000, "random", "graph_path, 5 M tokens"),
        ("countdown", 5_000_000, "countdown", "countdown, 5 M tokens"),
        ("sat_6", 5_000_000, "uniform", "sat, 6 variables, 5 M tokens"),
        ("sat", 5_000_000, "uniform", "sat, 5 variables, 5 M tokens"),
        ("sat", 2_500_000, "uniform", "sat, 5 variables, 2.5 M tokens"),
    ],
)
def test_settings_were_changed_for_pilots_that_are_recorded(task, tokens, split, setting):
    pilots = read_json(CLONE / "bench" / "results" / "pilots.json")
    told = (CLONE / "docs" / "results" / "prediction.md").read_text(encoding="utf-8")
    cells = []
    for arm in ("correct", "solution_only"):
        pilot = pilots[f"{task}-{arm}-{tokens}"]
        right = pilot["test_sets"][split]["solution_valid"]
        assert right["n"] == 256
        assert "seed=100" in pilot["command"]
        cells.append(f"{100 * right['value']:.1f} %")
    assert f"| {setting} | {' | '.join(cells)} |" in told


def test_far_sets_of_countdown_were_changed_for_what_its_pilots_did():
    pilots = read_json(CLONE / "bench" / "results" / "pilots.json")
    told = (CLONE / "docs" / "results" / "prediction.md").read_text(encoding="utf-8")
    both = [pilots[f"countdown-{arm}-5000000"] for arm in ("correct", "solution_only")]
    for name in ("number_range_51x120", "target_range_51x100"):
        assert [pilot["test_sets"][name]["solution_valid"]["value"] for pilot in both] == [0.0, 0.0]
    for knobs, words in (
        ("numbers: 4", "with four numbers both were right in 0.0 %"),
        ("target_range: [2, 9]", "with targets of 2 to 9 in 33.6 and 23.0 %"),
        ("number_range: [1, 60]", "with numbers of 1 to 60 in 67.6 and 70.7 %"),
        ("number_range: [30, 60]", "with numbers of 30 to 60 in 42.6 and 43.0 %"),
    ):
        right = [pilot["other_far_sets"][knobs]["solution_valid"] for pilot in both]
        assert words in told
        assert set(re.findall(r"[\d.]+", words.partition(" in ")[2])) == {f"{value:.1f}" for value in right}
    far = OmegaConf.load(CONF / "experiment" / "study" / "countdown.yaml").task.ood
    assert [list(knobs.number_range) for knobs in far] == [[20, 60], [25, 70]]
    assert "numbers of 20 to 60 and of 25 to 70 were taken" in told
    (run, *_) = sorted((DATA / "countdown").glob("*/outcomes.parquet"))
    problems = pl.read_parquet(run, columns=["split", "problem"], glob=False)
    old = pl.col("problem").list.slice(2).list.max() <= 50
    near, first, second = problems.group_by("split", maintain_order=True).agg(old.mean())["problem"].to_list()
    assert near == 1
    assert f"in {100 * first:.1f} % of the first set's problems, and in {100 * second:.1f} % of" in told


def test_a_post_training_without_an_update_is_no_result(page, tmp_path):
    (one, *_) = sorted((DATA / "arithmetic").glob("*/outcomes.parquet"))
    copied = shutil.copytree(one.parent, tmp_path / "arithmetic" / "a")
    assert [*page.read(tmp_path)] == ["arithmetic"]
    write_json(copied / "run.json", read_json(copied / "run.json") | {"updates": 0})
    with pytest.raises(ValueError, match="arithmetic/a made no update, so it says nothing of post-training"):
        page.read(tmp_path)


def test_each_table_is_made_from_the_data(page):
    tables = page.read(DATA)
    judged = page.taking_part(tables)
    assert [*judged] == ["maze", "countdown", "arithmetic"]
    found = measured.measurements(judged)
    made = "\n".join(page.lines_of(DATA, tables, found))
    assert "| maze, 5 of 10 seeds | countdown | arithmetic |" in made
    assert made in PAGE.read_text(encoding="utf-8")
    kept = pl.read_csv(PAGE.parent / "study" / "measurements.csv", schema=found.schema)
    assert_frame_equal(kept, found)


def test_interventions_in_prose_are_those_measured(page):
    """And second questions, and how often a valid trace is likelier."""
    folder = DATA / "arithmetic"
    imposed, again = (
        by_arm(table(folder, "arithmetic")) for table in (page.asked.imposed_table, page.asked.asked_table)
    )
    correct, swapped = imposed["correct"], imposed["swapped"]
    right, follows = (correct[f"another problem's: {what}"] for what in ("right", "that one's answer"))
    assert f"that problem's answer in {follows}" in PROSE
    assert f"its own problem's in {right}" in PROSE
    assert f"behind no trace it is right in {correct['none']}" in PROSE
    assert correct["the reference"].startswith("100.0 %")
    of_another = swapped["another problem's: that one's answer"]
    assert f"behind another problem's, {of_another} are that problem's" in PROSE
    assert f"behind the reference's, {swapped['the reference']} are right" in PROSE
    first = [again[arm]["own: first"].split(" [")[0] for arm in ("correct", "solution_only")]
    assert f"answers the first question in {first[0]}." in PROSE
    assert f"does so in {first[1]}." in PROSE
    config = OmegaConf.load(next(folder.glob("*/config.yaml")))
    assert config.task.distractors == 0, "in training the question needs every definition"


def test_two_kinds_of_models_of_one_arm_in_prose():
    """Trained on damaged traces, some read a trace that is imposed and others do not."""
    table = load_interventions(DATA / "arithmetic").filter(pl.col("dose").is_null())

    def seeds(kind, value="valid"):
        of_kind = table.filter(pl.col("intervention") == kind).with_columns(pl.col(value).cast(pl.Float64))
        return 100 * by_seed(of_kind, "corrupted", "arithmetic", value)

    own, other, theirs = seeds("own"), seeds("swapped"), seeds("swapped", "follows")
    reads = own < 50

    def told(values):
        *others, last = [f"{value:.1f}" for value in values]
        return f"{', '.join(others)} and {last} %"

    assert f"Three seeds of `corrupted` are right in {told(own[~reads])} and do not look" in PROSE
    assert f"behind another problem's trace they are right in {told(other[~reads])}." in PROSE
    assert f"Two are right in {told(own[reads])} and do look" in PROSE
    assert f"{told(theirs[reads])} of their answers are that problem's" in PROSE
    assert theirs[~reads].max() < 12, "which is what a guess comes to"
    every = (pl.col("intervention") == "corrupted") & (pl.col("dose") == 1)
    damaged = 100 * by_seed(
        load_interventions(DATA / "arithmetic").filter(every), "corrupted", "arithmetic", "valid"
    )
    withstood = " and ".join(f"{value:.0f}" for value in damaged[reads])
    assert f"damaged so at every place, they are right in {withstood} %." in PROSE
    reference = seeds("correct")
    assert f"all five are right in {reference.min():.1f} to {reference.max():.0f} %" in PROSE
    row = row_of_arm("arithmetic", "corrupted")["right"]
    mean, low, high = (float(number) for number in re.findall(r"[\d.]+", row))
    assert f"one arm's mean, {mean:.0f} % [{low:.0f}, {high:.0f}]" in PROSE


def test_answers_that_are_right_for_both_problems_in_prose():
    mine = (
        (pl.col("intervention") == "swapped")
        & (pl.col("arm") == "correct")
        & (pl.col("split") == "arithmetic")
    )
    found = load_interventions(DATA / "arithmetic").filter(mine).collect()
    both = (found["valid"] & found["follows"]).mean()
    assert f"of those of `correct`, {100 * both:.1f} % are, which is nearly all that are right there" in PROSE
    assert both > 0.95 * found["valid"].mean()


def test_what_is_likelier_in_prose_is_what_was_measured(page):
    """Word by word: a name is not a number, and an operation's result not a number of the prompt."""
    likelier = by_arm(page.asked.word_table(DATA / "arithmetic", "arithmetic"))
    correct, swapped = likelier["correct"], likelier["swapped"]
    assert f"right word likelier in {correct['name']} where it names the next definition" in PROSE
    numbers = [float(correct[word].split(" %")[0]) for word in ("given", "left", "right", "result")]
    assert f"in {min(numbers):.0f} to {max(numbers):.0f} % where it is a number" in PROSE
    for word, told in {
        "result": "follows from the trace alone: {}.",
        "left": "from further up: {} of the first ones",
        "right": ", {} of the second.",
        "given": "A number that the prompt gives does not: {}.",
        "name": "Nor does the name that comes next: {}.",
    }.items():
        assert told.format(swapped[word]) in PROSE


def test_how_many_training_problems_are_different():
    distinct = []
    for task in ("arithmetic", "countdown", "maze"):
        cards = [read_json(path) for path in (DATA / task).glob("*solution_only*/data_card.json")]
        train = [card["splits"]["train"] for card in cards]
        assert {split["problems"] for split in train} == {100_000}
        distinct.append(round(sum(split["distinct"] for split in train) / len(train), -2))
    told = "some {:,.0f} different ones in arithmetic, {:,.0f} in Countdown and {:,.0f} on mazes"
    assert f"problems of a seed are {told.format(*distinct)}" in PROSE


NUMBERS = [2, 5, 6, 6]


@pytest.mark.parametrize(
    ("steps", "known"),
    [
        ("let A 2, add F 2 5 7, let R 6, add D 7 6 3, add Y 6 3 9", True),
        ("let A 2, add F 2 6 8, let R 6, add D 5 6 1, add Y 1 8 9", True),  # in other places
        ("let A 2, add F 2 6 9, let R 6, add D 5 6 1, add Y 1 9 0", False),  # a sum is not sound
        ("let A 2, add F 2 5 7, let R 6, add D 7 5 2, add Y 6 2 8", False),  # one number twice
        ("let A 2, add F 2 5 7, let R 6, add D 7 6 3", False),  # one is left
        ("let A 4, add F 2 5 7, add D 7 6 3, add Y 6 3 9", False),  # one that is none of the prompt's
    ],
)
def test_traces_that_add_up_all_numbers(page, steps, known):
    rows = []
    for words in (step.split() for step in steps.split(", ")):
        values = [int(word) for word in words[2:]]
        rows.append(
            [int(words[0] == "add"), ord(words[1]), *(values if len(values) == 3 else [-1, -1, *values])]
        )
    assert page.sums.regroups(rows, NUMBERS, 10) is known


def test_what_is_false_before_the_last_step(page):
    truth = [[0, 1, -1, -1, 2], [1, 2, 2, 5, 7], [1, 3, 7, 6, 3]]
    assert not page.sums.has_false([[0, 1, -1, -1, 2], [1, 2, 2, 5, 7], [1, 3, 9, 9, 8]], truth)
    assert page.sums.has_false([[0, 1, -1, -1, 2], [1, 2, 2, 6, 8], [1, 3, 7, 6, 3]], truth)


@pytest.mark.parametrize("task", ["arithmetic", "countdown"])
def test_curves_call_runs_by_their_folders(task):
    """Not by where these lay."""
    curves = pl.read_csv(PAGE.parent / "study" / f"learning_{task}.csv", infer_schema_length=None)
    runs = set(curves["run"].drop_nulls())
    assert runs == {Path(run).name for run in analysis.runs(DATA / task)["run"]}


def test_the_data_are_whole():
    sums = sorted(DATA.glob("*/SHA256SUMS"))
    assert sums
    for path in sums:
        named = dict(line.split("  ")[::-1] for line in path.read_text(encoding="utf-8").splitlines())
        assert {name for name in named if name.endswith("outcomes.parquet")}
        for name, digest in named.items():
            assert hashlib.sha256((path.parent / name).read_bytes()).hexdigest() == digest, name
