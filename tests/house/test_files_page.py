"""docs/files.md: each name in the files of runs stands there, and no name that none of them has."""

import json
import re
import shutil

import pytest
from pyarrow import parquet

from tests.helpers.runs import KEPT
from tracelab.core.paths import CLONE, CONF, PACKAGE
from tracelab.evaluate import Changes, place_of
from tracelab.runs.folder import Run, runs_below

PAGE = (CLONE / "docs" / "files.md").read_text(encoding="utf-8")
STUDY = CLONE / "bench" / "results" / "study" / "arithmetic"
SOME = ("correct", "swapped", "corrupted_100")
ARMS = [STUDY / f"arm-{arm}_experiment-study-arithmetic_seed-0" for arm in SOME]
RUNS = [KEPT, *ARMS]
LEVELS = ("parses", "local", "strict", "paper")


def section(heading):
    return PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def tables(heading):
    """The tables of a section -> the names in each one's first column."""
    for text in re.findall(r"(?:^\|.*\n)+", section(heading), re.M):
        cells = [row.split(" | ")[0] for row in text.splitlines()[2:]]
        named = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
        yield {name.replace("<level>", level) for name in named for level in LEVELS}


def content(run, name):
    return json.loads((run / name).read_text(encoding="utf-8"))


def test_columns_of_outcomes():
    (named,) = tables("outcomes.parquet")
    measures = set(
        re.findall(r"`(\w+)`", section("outcomes.parquet").partition("The last columns")[2].split("\n")[0])
    )
    assert named | measures == {
        name for run in RUNS for name in parquet.read_schema(run / "outcomes.parquet").names
    }


def test_names_in_metrics():
    (named,) = tables("metrics.json")
    found = {
        name for run in RUNS for part in content(run, "metrics.json")["test sets"].values() for name in part
    }
    assert named == {re.sub(":.*", ":<reason>", name) for name in found}
    text = section("metrics.json").partition("|")[0]
    estimates = content(ARMS[0], "metrics.json")["test sets"]["arithmetic"]["solution_valid"]
    assert {*content(ARMS[0], "metrics.json"), "judged", *estimates} == set(re.findall(r"`([^`]+)`", text))


def test_columns_of_the_log():
    (named,) = tables("metrics.csv")
    heads = [(run / "metrics.csv").read_text(encoding="utf-8").split("\n")[0] for run in RUNS]
    assert named == {name for head in heads for name in head.split(",")}


@pytest.mark.parametrize("heading", ["run.json", "data_card.json"])
def test_names_in_json(heading):
    named, *of_a_split = tables(heading)
    assert named == {name for run in RUNS for name in content(run, heading)}
    if of_a_split:
        splits = [part for run in RUNS for part in content(run, heading)["splits"].values()]
        assert of_a_split == [{name for part in splits for name in part}]


@pytest.mark.parametrize("heading", ["metrics.csv", "data_card.json", "run.json"])
def test_what_some_have_is_written_somewhere(heading):
    """Names outside the tables stand in the sources, without what stands before a slash."""
    text = "\n".join(line for line in section(heading).splitlines() if not line.startswith("|"))
    said = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    names = [name.split("/")[-1] for name in re.findall(r"`([\w/ ]+)`", text)]
    assert names
    assert [name for name in names if name and f'"{name}"' not in said and f"{name}/" not in said] == []


def test_what_is_noted_beside_the_rest_is_named():
    """In run.json as a training ends, and on data cards."""
    sources = {
        "run.json": ("training/experiment.py", "record"),
        "data_card.json": ("runs/sets.py", "the_card"),
    }
    for heading, (path, of) in sources.items():
        said = (PACKAGE / path).read_text(encoding="utf-8")
        noted = re.findall(rf'{of}\["([\w ]+)"\] = ', said)
        assert noted
        assert [name for name in noted if f"`{name}`" not in section(heading)] == []
    others = ("extended_from", "init_from", "ancestors", "began", "source", "student", "updates", "warning")
    assert [name for name in others if f"`{name}`" not in section("run.json")] == []


@pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")  # of KEPT's task's knobs
def test_evaluations_of_their_own_are_of_no_run(tmp_path):
    """What `evaluate eval.samples=8 eval.temperature=1` writes is below the run, and no table finds it."""
    run = shutil.copytree(KEPT, tmp_path / "run")
    tested, beside = place_of(Run.open(run), Changes(samples=8, temperature=1))
    assert (tested.samples, tested.temperature, tested.problems) == (
        8,
        1,
        Run.open(run).settings.eval.problems,
    )
    assert place_of(Run.open(run), Changes(temperature=0))[1] == run
    assert f"`<run>/{beside.relative_to(run)}`" in PAGE
    beside.mkdir(parents=True)
    for name in ("outcomes.parquet", "metrics.json"):
        shutil.copy(run / name, beside)
    assert runs_below(tmp_path) == [run]
    assert "evaluations/<overrides>" in (CONF / "evaluate.yaml").read_text(encoding="utf-8")


def test_it_is_linked_where_files_are_listed():
    assert "](files.md)" in (CLONE / "docs" / "training.md").read_text(encoding="utf-8")
    assert (CLONE / "docs" / "index.md").read_text(encoding="utf-8").count("\nfiles\n") == 1
