r"""An earlier study: six arms, three seeds, and what replicates; its tables and figures for docs/results.

    python -m tracelab.train -m experiment=study/correct,study/solution_only,study/swapped,\
study/corrupted_010,study/corrupted_050,study/corrupted_100 seed=0,1,2 hydra.sweep.dir=runs/three_seeds
    for run in runs/three_seeds/*_seed-0; do python -m tracelab.intervene run=$run; done
    python bench/three_seeds.py runs/three_seeds

Writes docs/results/three_seeds/ (the report's figures as PNG, its tables as CSV) and the tables of
docs/results/three_seeds.md between its two marks; what they mean is written by hand around them.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl
from common import RESULTS, between_marks, markdown

from tracelab import analysis
from tracelab.analysis.interventions import by_intervention, load_interventions
from tracelab.analysis.joint import given, joint
from tracelab.analysis.loading import splits_of

DOCS = RESULTS.parents[1] / "docs" / "results"
BASES = ("correct", "solution_only")


def per_cent(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """`91.4 [87, 94]`."""
    if value is None:
        return "–"
    return f"{100 * value:.1f}" + (
        "" if low is None or high is None else f" [{100 * low:.0f}, {100 * high:.0f}]"
    )


def seeds_of(table: pl.LazyFrame, column: str) -> dict[tuple[str, str], str]:
    """(arm, split) -> `99.2, 52.0, 98.8`."""
    found = analysis.rates(table, column).sort("seed")
    return {
        (str(arm), str(split)): ", ".join(per_cent(value) for value in part["value"])
        for (arm, split), part in found.group_by("arm", "split", maintain_order=True)
    }


def in_distribution(table: pl.LazyFrame, split: str) -> list[str]:
    """A row per arm."""
    inside = table.filter(pl.col("split") == split)
    solution, strict = (seeds_of(inside, name) for name in ("solution_valid", "trace_strict"))
    both = {row["arm"]: row for row in joint(inside).iter_rows(named=True)}
    rates = {name: analysis.rates(inside, name, by=["arm"]) for name in ("solution_valid", "trace_strict")}
    reverse = given(inside, ["strict"]).filter(of="trace")
    rows = []
    for arm in sorted(both):
        cells = [
            per_cent(*frame.filter(arm=arm).select("value", "low", "high").row(0)) for frame in rates.values()
        ]
        conditional = per_cent(*reverse.filter(arm=arm).select("value", "low", "high").row(0))
        phi = (
            "–"
            if both[arm]["phi"] is None
            else "{phi:.2f} [{phi_low:.2f}, {phi_high:.2f}]".format(**both[arm])
        )
        rows.append([arm, cells[0], solution[arm, split], cells[1], strict[arm, split], conditional, phi])
    heads = [
        "arm",
        "solution valid",
        "seeds",
        "trace strictly valid",
        "seeds",
        "trace valid, solution valid",
        "phi",
    ]
    return markdown(heads, rows)


def differences(table: pl.LazyFrame, splits: list[str], base: str) -> list[str]:
    """Solution accuracy against a base arm on every test set."""
    found = pl.concat([analysis.compare(table, "solution_valid", split, base=base) for split in splits])
    rows = []
    for arm in found["arm"].unique().sort():
        cells = []
        for split in splits:
            row = found.filter(arm=arm, split=split).row(0, named=True)
            ends = "[{:+.0f}, {:+.0f}]".format(100 * row["low"], 100 * row["high"])
            cells.append(f"{100 * row['difference']:+.1f} {ends}")
        rows.append([arm, *cells])
    return markdown([f"arm less {base}", *splits], rows)


def lengths(table: pl.LazyFrame, splits: list[str]) -> list[str]:
    """Spearman's correlation of completion tokens with expansions."""
    found = analysis.length_against(table, "expansions")
    rows = []
    for arm in found["arm"].unique().sort():
        picked = [found.filter(arm=arm, split=split).row(0, named=True) for split in splits]
        cells = [
            "–"
            if row["spearman"] is None
            else "{spearman:.2f} [{spearman_low:.2f}, {spearman_high:.2f}]".format(**row)
            for row in picked
        ]
        rows.append([arm, *cells])
    first = found.filter(arm=BASES[0])
    rows.append(
        ["the solver's own", *(f"{first.filter(split=s)['reference_spearman'][0]:.2f}" for s in splits)]
    )
    return markdown(["arm", *splits], rows)


def interventions(runs: Path, split: str) -> list[str]:
    """Right solutions behind imposed traces; a row per arm."""
    found = by_intervention(load_interventions(runs)).filter(split=split)
    picked = {"own": None, "none": None, "prefix 0.5": 0.5, "correct": None}
    picked |= {"swapped": None, "matched": None, "corrupted 0.5": 0.5, "corrupted 1": 1.0, "filler": None}
    rows = []
    for arm in found["arm"].unique().sort():
        cells = []
        for name, dose in picked.items():
            wanted = pl.col("dose").is_null() if dose is None else pl.col("dose") == dose
            row = found.filter(wanted, arm=arm, intervention=name.split()[0]).row(0, named=True)
            cells.append(per_cent(row["valid"], row["valid_low"], row["valid_high"]))
        rows.append([arm, *cells])
    return markdown(["arm", *picked], rows)


def write(runs: Path) -> None:
    """Tables and figures."""
    table = analysis.load(runs)
    splits = splits_of(table)
    text = [
        f"In distribution ({splits[0]}), per cent with 95 % intervals for these runs; each seed by itself:",
        "",
        *in_distribution(table, splits[0]),
        "Differences of valid solutions in points, 95 % intervals for other problems and seeds:",
        "",
        *(line for base in BASES for line in differences(table, splits, base)),
        "Rank correlation of completion tokens and A*'s expansions, with 95 % intervals:",
        "",
        *lengths(table, splits),
        f"Solutions valid behind an imposed trace (seed 0, 256 problems of {splits[0]}, greedy):",
        "",
        *interventions(runs, splits[0]),
    ]
    between_marks(DOCS / "three_seeds.md", text, "An earlier study of mazes")
    print("\n".join(text))


def report(runs: Path) -> None:
    """The report's figures and tables."""
    target = DOCS / "three_seeds"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "study.html"
        subprocess.run([sys.executable, "-m", "tracelab.report", str(runs), "--out", str(page)], check=True)
        for path in sorted((Path(folder) / "study_data").iterdir()):
            if path.suffix in (".csv", ".png"):
                shutil.copy(path, target / path.name)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path)
    runs = parser.parse_args().runs
    write(runs)
    report(runs)


if __name__ == "__main__":
    main()
