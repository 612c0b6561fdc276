"""The figures of README and docs/results.md are those that were recorded."""

import csv
import json
import re
from statistics import median

import matplotlib
import numpy as np
import pytest
from matplotlib import image
from omegaconf import OmegaConf
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from tests.helpers.bench import script
from tracelab.core.paths import CLONE, CONF

README, RESULTS = ((CLONE / name).read_text(encoding="utf-8") for name in ("README.md", "docs/results.md"))
ARMS = ("solution_only", "correct", "swapped", "corrupted")
CURVES = "Accuracy and validity against minutes"


def recorded(name):
    return json.loads((CLONE / "bench" / "results" / f"{name}.json").read_text(encoding="utf-8"))


def test_pages_are_what_their_scripts_write_of_the_records():
    """Heads and tables, to the last cell."""
    with script("grpo") as grpo:
        made = [grpo.HEAD.format(starts=grpo.starts())]
        for reward, found in recorded("grpo")["results"].items():
            made += [*grpo.lines(found, reward), "", f"![{CURVES}](grpo_{reward}.png)", ""]
    with script("learning") as learning:
        tables = [learning.HEAD, *learning.table(recorded("learning")["results"]), ""]
    for name, lines in (("grpo", made), ("learning", tables)):
        page = (CLONE / "docs" / "results" / f"{name}.md").read_text(encoding="utf-8")
        assert page.splitlines() == "\n".join(lines).splitlines()


def in_words(estimate):
    return f"{100 * estimate['value']:.1f} % [{100 * estimate['low']:.0f}, {100 * estimate['high']:.0f}]"


def three_seeds(arm, test_set, metric):
    """Median of an arm's seeds and its ends, in per cent, as the table writes them."""
    runs = [run for run in recorded("quickstart")["runs"] if run["arm"] == arm]
    assert {run["seed"] for run in runs} == {0, 1, 2}
    low, middle, high = sorted(100 * run["test_sets"][test_set][metric]["value"] for run in runs)
    return f"{median([low, middle, high]):.1f} ({low:.0f}–{high:.0f})"


def rows_of(page):
    """The table of four arms: what heads a row -> its cells."""
    rows = page.partition("| test set | `solution_only` |")[2].partition("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {head: rest for head, *rest in cells}


def test_the_table_of_four_arms():
    """Every cell; `solution_only` writes no trace."""
    rows = rows_of(RESULTS)
    assert len(rows) == 8
    for head, cells in rows.items():
        if head == "*traces strictly valid, wilson*":
            assert cells == ["none", *(three_seeds(arm, "wilson", "trace_strict") for arm in ARMS[1:])]
        else:
            name = head.removesuffix(" (trained on)").replace(" 9×9", "_9x9")
            assert cells == [three_seeds(arm, name, "solution_valid") for arm in ARMS]


def of_seed(arm, seed=0):
    (run,) = (r for r in recorded("quickstart")["runs"] if (r["arm"], r["seed"]) == (arm, seed))
    return run


def test_the_caption_of_the_readmes_figure():
    solved, valid = (
        of_seed("corrupted")["test_sets"]["wilson"][m] for m in ("solution_valid", "trace_strict")
    )
    shown = [f"{100 * solved[name]:.0f}" for name in ("value", "low", "high")]
    assert "solves {} % [{}, {}] of fresh mazes (n = {})".format(*shown, solved["n"]) in README
    assert valid["value"] == 0
    assert "none of its traces is valid" in README


def test_how_long_seed_0_trained():
    times = [of_seed(arm)["progress"]["minutes"] for arm in ("correct", "swapped", "corrupted")]
    told = (
        "seed 0 of `correct` trained for {:.1f} minutes, of `swapped` for {:.1f}, of `corrupted` for {:.1f}."
    )
    assert told.format(*times) in RESULTS


def test_where_swapped_beats_correct_in_every_seed():
    """On one test set alone, by a difference whose interval for other seeds includes none."""
    runs = recorded("quickstart")["runs"]
    apart = []
    for name in runs[0]["test_sets"]:
        swapped, correct = (
            [run["test_sets"][name]["solution_valid"]["value"] for run in runs if run["arm"] == arm]
            for arm in ("swapped", "correct")
        )
        if min(swapped) > max(correct):
            means = CompareMeans(DescrStatsW(swapped), DescrStatsW(correct))
            apart.append((name, np.mean(swapped) - np.mean(correct), means.tconfint_diff(usevar="unequal")))
    ((name, difference, (low, high)),) = apart
    assert name == "drunkards_walk"
    assert len(runs[0]["test_sets"]) == 7
    assert f"by {100 * difference:.1f} points on average" in RESULTS
    assert f"anything from {100 * low:.0f} to +{100 * high:.0f} points".replace("-", "−") in RESULTS


@pytest.mark.parametrize("start", ["swapped", "correct"])
def test_what_post_training_gains(start):
    """In points, for other seeds; validity is not seen to rise."""
    changes = recorded("grpo")["results"]["solution"][start]["changes"]
    gain = changes["solution_valid"]
    assert gain["seeds"] == 3
    points = [f"{100 * gain[name]:+.0f}".replace("-", "−") for name in ("difference", "low", "high")]
    assert "({} [{}, {}])".format(*points) in RESULTS
    assert "by {} points [{}, {}] from {}".format(*(p.removeprefix("+") for p in points), start) in README
    assert changes["trace_strict"]["low"] <= 0


@pytest.mark.parametrize("metric", ["solution_valid", "trace_strict"])
def test_every_seed_of_the_central_arm(metric):
    """Each with its interval, in the order of seeds."""
    runs = sorted(
        (run for run in recorded("four_seeds")["runs"] if run["arm"] == "correct"),
        key=lambda run: run["seed"],
    )
    estimates = [run["test_sets"]["wilson"][metric] for run in runs]
    assert ", ".join(map(in_words, estimates)) in RESULTS
    assert {e["n"] for e in estimates} == {256}


@pytest.mark.parametrize("page", [README, RESULTS], ids=["README", "results"])
def test_what_the_demo_ended_at(page):
    assert f"beside {recorded('demo')['beside']}" in page
    for metric in ("solution_valid", "trace_strict"):
        estimate = recorded("demo")["test_sets"]["wilson"][metric]
        assert in_words(estimate) in page
        assert estimate["n"] == 256


def had_other_batches(progress):
    """Were a training's batches of another size than today's? They are nearly full: sequences are short."""
    default = OmegaConf.load(CONF / "train.yaml").data.batch_tokens
    return not default / 2 < progress["tokens"] / progress["steps"] <= default


@pytest.mark.parametrize("page", ["README.md", "docs/first_experiment.md", "conf/experiment/quickstart.yaml"])
def test_how_long_the_arms_take(page):
    """What was measured with other defaults than today's is said to be of those."""
    text = (CLONE / page).read_text(encoding="utf-8").replace("\n# ", " ")
    sentences = re.split(r"(?<=[.:])\s", text)
    runs, demo = [run["progress"] for run in recorded("quickstart")["runs"]], recorded("demo")["progress"]
    minutes, fourfold = [run["minutes"] for run in runs], f"{4 * demo['minutes']:.0f}"
    (of_runs,) = (said for said in sentences if f"{min(minutes):.0f} to {max(minutes):.0f} minutes" in said)
    (of_demo,) = (said for said in sentences if re.search(f"ome {fourfold} minutes .*on two AVX2", said))
    if page == "README.md":
        assert f"four times the {demo['minutes']:.1f} in which the demo trained" in of_demo
    for said, trained in ((of_runs, runs), (of_demo, [demo])):
        assert ("earlier defaults" in said) == all(map(had_other_batches, trained))
        assert ("earlier defaults" in said) == any(map(had_other_batches, trained))
    earlier = OmegaConf.load(CONF / "experiment" / "earlier.yaml").data.batch_tokens
    assert f"(batches of {earlier:,} tokens" in of_runs
    assert 0.9 * earlier < min(run["tokens"] / run["steps"] for run in runs) <= earlier


def test_the_widest_interval_of_memorisation():
    """In docs/results/three_seeds.md."""
    with (CLONE / "docs/results/three_seeds/memorisation_gaps.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    widest = max(rows, key=lambda row: float(row["high"]) - float(row["low"]))
    assert (widest["arm"], widest["split"]) == ("correct", "close_wall")
    ends = (f"{100 * float(widest[end]):+.0f}".replace("-", "−") for end in ("low", "high"))
    page = (CLONE / "docs/results/three_seeds.md").read_text(encoding="utf-8")
    assert "the widest, of `correct` and closed walls, goes from {} to {} points".format(*ends) in page


def imposed(arm, name, dose=None, of="valid"):
    """Its row of docs/results/interventions.csv, in whole per cent: a share, and the ends of its interval."""
    with (CLONE / "docs/results/interventions.csv").open(encoding="utf-8") as file:
        wanted = (arm, "wilson", name, "" if dose is None else str(dose), "128")
        keys = ("arm", "split", "intervention", "dose", "n")
        (row,) = (row for row in csv.DictReader(file) if tuple(row[key] for key in keys) == wanted)
    return [int(100 * float(row[column]) + 0.5) for column in (of, f"{of}_low", f"{of}_high")]


def test_what_imposed_traces_do():
    alone, low, high = imposed("correct", "none")
    told = [alone, low, high, imposed("correct", "swapped")[0], imposed("correct", "prefix", 0.8)[0]]
    words = "{} % [{}, {}] right with no trace, {} % with another problem's, {} % after 80 % of its own."
    assert words.format(*told) in RESULTS
    kinds = [("own",), ("correct",), ("swapped",), ("corrupted", 1.0)]
    kinds += [("prefix", round(0.1 * k, 1)) for k in range(1, 10)]
    shares, lows, highs = zip(*(imposed("swapped", *kind) for kind in kinds), strict=True)
    words = (
        f"It is {min(shares)} to {max(shares)} % right (each [{min(lows)}, 98] or narrower) behind its own"
    )
    assert words in RESULTS
    assert max(highs) <= 98
    none, filler = (imposed("swapped", name)[0] for name in ("none", "filler"))
    assert f"it is {none} % right with none, and {filler} % behind meaningless words" in RESULTS
    right, other = (imposed("corrupted", name)[0] for name in ("correct", "swapped"))
    assert f"{right} % right behind a correct trace, which it has never seen, and {other} % behind" in RESULTS


def test_what_seeds_of_a_tenth_write():
    page = (CLONE / "docs" / "results" / "three_seeds.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| corrupted rate=0.1 |"))
    *others, last = (f"{float(value):.0f}" for value in row.split("|")[5].split(","))
    assert f"none of them valid, write {', '.join(others)} and {last} % valid ones" in RESULTS


@pytest.mark.parametrize("name", ["interventions", "three_seeds/interventions"])
def test_figures_of_imposed_traces_are_those_of_their_tables(name, tmp_path, figures):
    """What a table does not say, its figure does not show."""
    kept = CLONE / "docs" / "results" / f"{name}.png"
    if f"Matplotlib version{matplotlib.__version__}," not in kept.read_bytes().decode("latin-1"):
        pytest.skip("another matplotlib draws other pixels")
    with script("imposed") as imposed:
        drawn = imposed.drawn(kept.with_suffix(".csv"), tmp_path)
    assert np.array_equal(*(image.imread(path) for path in (kept, drawn)))


def test_hostile_sequences_and_lines():
    """As docs/verdicts.md has it."""
    found, text = recorded("hostile"), (CLONE / "docs" / "verdicts.md").read_text(encoding="utf-8")
    assert f"{100_000 * len(found['tasks']):,} sequences that nobody meant well, 100,000 a task" in text
    assert set(found["tasks"]) == {path.stem for path in (CLONE / "conf" / "task").glob("*.yaml")}
    for task in found["tasks"].values():
        assert task["sequences"] == task["judged_by_the_oracle"] == sum(task["kinds"].values()) == 100_000
        assert task["raised"] == task["other_than_the_oracle"] == 0
    assert found["file"]["lines"] == 100_000
    assert found["file"]["raised"] == 0


@pytest.mark.parametrize(
    ("peer", "words"),
    [
        ("dask", "dask drew {} mazes a second and threads {} in the same run"),
        ("ray", "ray drew {}, and threads {} beside it"),
    ],
)
def test_what_clusters_drew(peer, words):
    """As docs/sweeps.md has it."""
    found = recorded(f"clusters_{peer}")
    text = (CLONE / "docs" / "sweeps.md").read_text(encoding="utf-8")
    sides = [found["sides"][side] for side in (peer, "threads")]
    assert words.format(*(f"{round(found['problems'] / s['seconds'], -3):,.0f}" for s in sides)) in text
    assert found["task"] == "maze"
    assert found["problems"] == 10_000_000
    assert "draws ten million problems so" in text
    assert (found["workers"], found["machine"]["cores"]) == (3, 2)
    assert "With three workers on the two cores of" in text
    assert (found["sides"][peer]["killed"], found["sides"][peer]["different"]) == (6, 0)
    assert f"Six workers of each were killed, and each of the {found['files']} files was" in text
