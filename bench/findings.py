"""What the study found: its verdicts, task by task, and all figures behind them, from its data alone.

    python bench/findings.py                 # reads bench/results/study, a folder per task; of post-trained
                                             # runs and their starts one beside it, <task>_posttrained
    python bench/findings.py runs/study      # the same from runs

Writes the tables of docs/results/study.md between its two marks, README's table of mazes between its own,
every measurement to docs/results/study/measurements.csv, and learning curves beside it. What the verdicts
mean is written by hand around the tables; the rules are those of docs/results/prediction.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from pathlib import Path

import asked
import controls
import polars as pl
import sums
import untrained
import written
from common import DOCS, RESULTS, between_marks, markdown
from omegaconf import OmegaConf
from room import has_none, rooms
from room import told as room_told
from told import arm_table, estimate, points, set_table

from tracelab import analysis
from tracelab.analysis import findings, power, provenance
from tracelab.analysis.cells import TaskOutcomes
from tracelab.analysis.learning_figures import learning
from tracelab.analysis.measures import RIGHT
from tracelab.analysis.verdicts import LEAST_SEEDS
from tracelab.core.files import read_json
from tracelab.core.paths import CONF
from tracelab.core.types import PROVENANCES, Task
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run

TASKS = ("maze", "graph_path", "countdown", "sat", "arithmetic")
DRAWN = ("solution_valid", "trace_strict")
CLAIMS = [*dict.fromkeys(part[0] for part in findings.PARTS)]  # their letters
RANK = "e"  # the finding whose figures are rank correlations, not shares
# What is asked of some tasks alone
OWN = {"arithmetic": sums.lines, "countdown": untrained.lines, "maze": untrained.lines}
NO_PART = "no part of the study: `correct` or `solution_only` ends at 50 % or less in the median of seeds"
REFUTED = """*Refuted* says of a claimed difference that it is shown to be smaller than one that would matter:
10 points (of e: 0.2), at this size and budget. It does not say that there is none, nor that a paper is wrong.
Of c1 and i1 it says that a loss of 10 points or more is shown, of h that the share is 90 % or more. A verdict
with ° could not have been *replicated*: a ceiling or a definition left no room. The column "could be" has the
largest value that there could have been, of h the smallest."""
UNDECIDED = (
    "no verdict yet. Whether it takes part is said by `correct` and `solution_only`, and one of them has "
    f"fewer than {LEAST_SEEDS} seeds"
)
NO_ROOM, LEAST_P = "°", 0.001
CASES = (*findings.SHARES, "f")  # parts whose seeds are those that have a case, not all that have run
SEEDS = {"maze": 10}  # planned; of the other tasks LEAST_SEEDS


def verdict_table(
    found: pl.DataFrame, ran: Collection[str], known: Mapping[str, Mapping[str, float]] | None = None
) -> list[str]:
    """A row per finding, a column per task, and what they come to once all have run.

    ran: tasks that have run. Of one with fewer seeds than planned the head has how many; it has yet to run.
    known: task -> `room.rooms`; a verdict that could not have been another has a mark.
    """
    tasks = [task for task in TASKS if task in found["task"].to_list()]
    few = {task: seeds for task in tasks if (seeds := fewest(found, task)) < planned(task)}
    whole = found.filter(~pl.col("task").is_in([*few]))
    over = findings.verdicts(whole, [task for task in ran if task not in few]).filter(task="all")
    given = pl.concat([findings.verdicts(found).filter(pl.col("task") != "all"), over])
    heads = [f"{task}, {few[task]} of {planned(task)} seeds" if task in few else task for task in tasks]
    rows = []
    for letter in (letter for letter in CLAIMS if letter in set(given["finding"])):
        mine, cells = given.filter(finding=letter), []
        for task in (*tasks, "all"):
            these = mine.filter(task=task)
            several = len(these) > 1
            told = [
                f"{row['arm']}: {row['verdict']}" if several else row["verdict"] for row in these.to_dicts()
            ]
            parts = {part: room for part, room in (known or {}).get(task, {}).items() if part[0] == letter}
            mark = NO_ROOM if any(has_none(part, room) for part, room in parts.items()) else ""
            cells.append(("<br>".join(told) + mark) if told else "–")
        rows.append([letter, claim_of(letter), *cells])
    return markdown(["", "claim", *heads, "over tasks"], rows)


def planned(task: str) -> int:
    """How many seeds of an arm the study is to have."""
    return SEEDS.get(task, LEAST_SEEDS)


def fewest(found: pl.DataFrame, task: str) -> int:
    """The fewest seeds that have run of an arm which decides. Post-trained ones have a plan of their own."""
    counted = ~pl.col("part").is_in(CASES) & ~pl.col("finding").is_in(findings.SEVERAL)
    return int(found.filter(pl.col("primary"), counted, task=task)["seeds"].min())


def claim_of(letter: str) -> str:
    """What a finding's parts claim, in a line."""
    return "; ".join(part.claim for name, part in findings.PARTS.items() if name[0] == letter)


def primary_table(found: pl.DataFrame, known: Mapping[str, Mapping[str, float]]) -> list[str]:
    """A row per measurement that decides. known: task -> `room.rooms`."""
    rows = [
        [
            row["part"],
            row["task"],
            row["arm"] + (f" − {row['base']}" if row["base"] else ""),
            row["split"],
            estimate(row, row["finding"] == RANK, row["part"] in findings.SHARES),
            room_told(row["part"], known[row["task"]]),
            "–" if row["p_holm"] is None else chance(row["p_holm"]),
            str(row["seeds"]),
            row["verdict"],
        ]
        for row in found.filter(pl.col("primary")).sort("part", "task").to_dicts()
    ]
    heads = ["part", "task", "arms", "test set", "value", "could be", "corrected p", "seeds", "verdict"]
    return markdown(heads, rows)


def chance(p: float) -> str:
    """A p-value as the tables write it. A few seeds do not tell smaller ones from each other."""
    return "< 0.001" if p < LEAST_P else f"{p:.2g}"


def origin_table(table: pl.LazyFrame, task: Task) -> list[str]:
    """Where right answers behind invalid traces come from, in distribution; and is it luck?"""
    near = table.filter(pl.col("split") == TaskOutcomes(table).splits[0])
    rows = provenance.classified(near, task)
    if rows.is_empty():
        return []
    led = provenance.led_right(provenance.led(near, task)).to_dicts() if provenance.is_literal(task) else []
    known = {row["arm"]: row for row in led}
    lines = []
    for row in provenance.shares_of(rows).to_dicts():
        right = known.get(row["arm"])
        told = f"{estimate(right, bounded=True)} of {right['n']:,}" if right else "–"
        lines.append([row["arm"], f"{row['n']:,}", *(points(row[name]) for name in PROVENANCES), told])
    heads = ["arm", "right behind invalid traces", *PROVENANCES, "right among all that wrong steps lead to"]
    return markdown(heads, lines)


def seeds_table(tables: dict[str, pl.LazyFrame]) -> list[str]:
    """How many seeds an arm needs for 10 points to be seen in four of five studies."""
    rows = []
    for task, table in tables.items():
        outcomes = TaskOutcomes(table)
        near, base = outcomes.splits[0], outcomes.arm("correct")
        others = (outcomes.arm("solution_only"), outcomes.arm("swapped", match="none"))
        for arm in others:
            if arm and base and min(len(outcomes.cells(name, RIGHT).seeds) for name in (arm, base)) > 1:
                needed = power.seeds_needed(table, "solution_valid", near, arm, base)
                rows.append([task, f"{arm} − {base}", "over 200" if needed is None else str(needed)])
    return markdown(["task", "arms", "seeds"], rows)


def missing(tables: dict[str, pl.LazyFrame], found: pl.DataFrame) -> list[str]:
    """What was planned and is not there: tasks, arms of conf/arm with fewer seeds than planned, claims."""
    arms = {path.stem: OmegaConf.load(path) for path in sorted((CONF / "arm").glob("*.yaml"))}
    rows = []
    for task in TASKS:
        if task not in tables:
            rows.append([task, "all"])
            continue
        outcomes = TaskOutcomes(tables[task])
        few = []
        for name, config in arms.items():
            treatment = next(iter(config.defaults[0].values()))
            arm = outcomes.arm(treatment, **dict(config.get("trace", {})))
            seeds = len(outcomes.cells(arm, RIGHT).seeds) if arm else 0
            if seeds < planned(task):
                few.append(f"{name} ({seeds} seeds)" if seeds else name)
        if few:
            rows.append([task, ", ".join(few)])
    given = set(findings.verdicts(found)["finding"])
    none = [f"{letter} ({claim_of(letter)})" for letter in CLAIMS if letter not in given]
    told = [f"Claims that no run can speak to yet: {', '.join(none)}.", ""] if none else []
    return [*markdown(["task", "arms with fewer seeds than planned"], rows), *told]


def read(data: Path) -> dict[str, pl.LazyFrame]:
    """Task -> its outcomes, of the tasks that have a folder there. ValueError if none has."""
    tables = {task: analysis.load(data / task) for task in TASKS if (data / task).is_dir()}
    if not tables:
        raise ValueError(f"{data} has none of the folders {', '.join(TASKS)}: name the one that they lie in")
    check_updated(*(data / task for task in tables))
    return tables


def read_post_trained(data: Path) -> dict[str, pl.LazyFrame]:
    """Task -> its post-trained runs and their half-trained starts, of the tasks that have such a folder."""
    folders = {task: data / f"{task}_posttrained" for task in TASKS}
    there = {task: folder for task, folder in folders.items() if folder.is_dir()}
    check_updated(*there.values())
    return {task: analysis.load(folder) for task, folder in there.items()}


def check_updated(*folders: Path) -> None:
    """ValueError if a post-trained run below a folder made no update."""
    for run in [Path(run) for folder in folders for run in analysis.runs(folder)["run"]]:
        if read_json(run / "run.json").get("updates") == 0:
            raise ValueError(f"{run} made no update, so it says nothing of post-training: leave it out")


def taking_part(tables: dict[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """Those of the tasks that verdicts are given on."""
    return {task: t for task, t in tables.items() if findings.can_take_part(t) and findings.takes_part(t)}


def lines_of(data: Path, tables: dict[str, pl.LazyFrame], found: pl.DataFrame) -> list[str]:
    """The page's tables. found: as of `findings.measurements`."""
    ran = [task for task, table in tables.items() if findings.can_take_part(table)]
    known = {task: rooms(TaskOutcomes(table)) for task, table in tables.items()}
    text = ["## Verdicts", "", *verdict_table(found, ran, known), " ".join(REFUTED.split()), ""]
    text += ["## What decides", "", *primary_table(found, known)]
    for task in tables:
        if task not in ran:
            text += [f"{task}: {UNDECIDED}.", ""]
        elif task not in found["task"].to_list():
            text += [f"{task}: {NO_PART}.", ""]
    for task, table in tables.items():
        run = Run.open(analysis.runs(data / task)["run"][0])
        outcomes = TaskOutcomes(table)
        text += [f"## The arms on {task}", "", *arm_table(outcomes)]
        text += ["Right solutions on each test set, in per cent:", "", *set_table(outcomes)]
        text += written.lines(outcomes)
        text += controls.lines(data, task)
        text += [
            "Where right answers behind invalid traces come from, in distribution, per cent of them:",
            "",
        ]
        text += origin_table(table, build_task(run.settings.task))
        text += OWN[task](table) if task in OWN else []
        text += asked.lines(data / task, outcomes.splits[0])
        text += [f"![Accuracy and validity during training on {task}](study/learning_{task}.png)", ""]
    text += ["## Seeds that it takes to see 10 points", "", *seeds_table(tables)]
    return [*text, "## What was planned and is not there", "", *missing(tables, found)]


def main() -> None:
    """Read, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, nargs="?", default=RESULTS / "study")
    data = parser.parse_args().data
    tables = read(data)
    found = findings.measurements(taking_part(tables), read_post_trained(data))
    folder = DOCS / "results" / "study"
    folder.mkdir(parents=True, exist_ok=True)
    found.write_csv(folder / "measurements.csv")
    for task in tables:
        name = pl.col("run").str.split("/").list.last()  # a run is called by its folder, wherever that lies
        runs = analysis.runs(data / task).filter(pl.col("algorithm").is_null())  # tokens trained, not sampled
        curves = analysis.learning_curves(data / task).filter(pl.col("run").is_in(runs["run"].to_list()))
        curves = curves.with_columns(name)
        learning(folder / f"learning_{task}", curves.filter(pl.col("metric").is_in(DRAWN)))
    text = lines_of(data, tables, found)
    between_marks(DOCS / "results" / "study.md", text, "The study")
    if "maze" in tables:
        between_marks(DOCS.parent / "README.md", set_table(TaskOutcomes(tables["maze"])), "tracelab")
    print("\n".join(text))


if __name__ == "__main__":
    main()
