"""Run folders as tables: one row per run, and lazily one row per completion.

Polars, because it reads Parquet lazily, column by column and in streams: ten million outcomes are grouped in
seconds without being held in memory. The same files can be queried with DuckDB.

What does not belong into one comparison is refused, or named and left out; nothing is pooled silently.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow
import pyarrow.parquet

from tracelab.analysis.arms import check_same
from tracelab.analysis.sources import tell_sources
from tracelab.core.files import read_json
from tracelab.core.terminal import counted
from tracelab.runs import stamps
from tracelab.runs.arms import arms_of, config_of, described, short
from tracelab.runs.folder import OF_A_RUN, runs_below
from tracelab.runs.identity import identity_of
from tracelab.runs.knobs import options

Runs = str | Path | pl.DataFrame  # a folder at or below which runs lie, or rows of `runs`
ASKED = "asked"  # the column with a probe's knobs, of those that make its answer
NEEDED = (
    "split",
    "problem_key",
    "index",
    "sample",
    "solution_valid",
    "solution_optimal",
    "trace_strict",
    "trace_steps",
    "reference_steps",
    "completion_tokens",
    "truncated",
    "mean_logprob",
)


def runs(*folders: str | Path) -> pl.DataFrame:
    """One row per finished run at or below the folders: run (its folder), arm, treatment, seed, ...

    source: of post-trained runs the folder of the run that they went on from; null if it is gone, or
    if its outcomes are not those of the checkpoint that they began with, which a warning says.

    arm: the treatment with all that differs among these runs but seeds. What is unfinished, of an older
    version, a copy of another run there, or a second run of one arm with one seed (that begins with the same
    run's weights, if with any) is named in a warning and left out. ValueError if nothing is left, or if tasks
    or test problems differ.
    """
    known = finished(*folders)
    places, configs = [*known], [*known.values()]
    check_same(places, configs)
    arms = arms_of(configs)
    first: dict[Any, Path] = {}
    rows = []
    for folder, config, arm in zip(places, configs, arms, strict=True):
        who = (arm, config["seed"], _began_with(folder, config))
        if first.setdefault(who, folder) == folder:
            rows.append(_row(folder, config, arm))
        else:
            warnings.warn(
                f"{folder} is left out: it has the arm ({arm}) and the seed of {first[who]}, and would count "
                "the same training twice. Load it without that one to have it instead",
                stacklevel=2,
            )
    tell_sources(rows)
    return pl.DataFrame(rows, infer_schema_length=None).sort("arm", "seed")


def finished(*folders: str | Path) -> dict[Path, dict[str, Any]]:
    """The finished runs at or below the folders, and what each is (`runs.arms.described`).

    What is left out is named in a warning. ValueError if nothing is left.
    """
    below = {run for folder in folders for run in runs_below(Path(folder))}
    places = sorted(
        below, key=lambda run: (run.absolute() == run.resolve(), run)
    )  # links first, to be replaced
    found = sorted({run.resolve(): run for run in places}.values())  # each once, whatever links lead to it
    if not found:
        raise ValueError(
            f"no run lies at or below {', '.join(map(str, folders))}: each has {' and '.join(OF_A_RUN)}"
        )
    whole = [folder for folder in found if _is_finished(folder)]
    if not whole:
        raise ValueError(f"none of {counted(len(found), 'run')} is finished: resume them, or wait")
    return _each_once(whole)


def load(*folders: str | Path) -> pl.LazyFrame:
    """The outcomes of all finished runs at or below the folders, as `runs` chooses them.

    A row per completion, with the columns of `evaluation.outcomes` and run, arm, treatment, seed, algorithm
    and source of its run. Completions and problems (lists of tokens) are read only if they are asked for.
    """
    parts = []
    for row in runs(*folders).iter_rows(named=True):
        labels = {name: row[name] for name in ("run", "arm", "treatment", "seed", "algorithm", "source")}
        scanned = pl.scan_parquet(Path(row["run"]) / "outcomes.parquet", glob=False)
        texts = [
            name
            for name, kind in scanned.collect_schema().items()
            if isinstance(kind, pl.Categorical | pl.Enum)
        ]
        parts.append(
            scanned.with_columns(pl.col(texts).cast(pl.String)).with_columns(
                pl.lit(value, dtype=pl.Int64 if name == "seed" else pl.String).alias(name)
                for name, value in labels.items()
            )
        )
    return pl.concat(parts, how="diagonal_relaxed")


def load_beside(name: str, command: str, *folders: Runs) -> pl.LazyFrame:
    """One more table of all finished runs at or below the folders that have it, labelled as by `load`.

    Rows of `runs` keep the labels that they have there, beside more runs.

    name: its file in a run's folder; command: what writes it. Files that were made before a run was trained
    for longer, or judged otherwise, are named in a warning and left out. ValueError if no run has one.
    """
    parts = []
    known = [given for given in folders if isinstance(given, pl.DataFrame)]
    below = [given for given in folders if not isinstance(given, pl.DataFrame)]
    found = pl.concat([*known, runs(*below)] if below or not known else known)
    for row in found.iter_rows(named=True):
        path = Path(row["run"]) / name
        if _is_present(path):
            labels = {column: row[column] for column in ("run", "arm", "seed")}
            table = pl.scan_parquet(path, glob=False)
            try:
                table.collect_schema()
            except pl.exceptions.PolarsError as error:
                raise ValueError(f"{path} is damaged ({error}): give tracelab.{command} once more") from error
            parts.append(table.with_columns(pl.lit(v).alias(k) for k, v in labels.items()))
    if not parts:
        raise ValueError(f"no run there has {name}: run python -m tracelab.{command} run=... first")
    whole = pl.concat(parts, how="diagonal_relaxed")
    _check_asked(whole, command)
    return whole


def _check_asked(table: pl.LazyFrame, command: str) -> None:
    """ValueError if runs of an arm were asked different things, whose answers are no seeds of one another.

    Files of older versions do not say what was asked.
    """
    known = table.collect_schema().names()
    if ASKED not in known:
        return
    arms = [name for name in ("arm", "contrast") if name in known]
    each = table.select(*arms, "run", ASKED).unique().collect()
    for (arm, *_), part in each.drop_nulls(ASKED).sort("run").group_by(arms, maintain_order=True):
        if part[ASKED].n_unique() > 1:
            found = "; ".join(f"{run}: {asked}" for run, asked in part.select("run", ASKED).rows())
            raise ValueError(
                f"runs of the arm {arm!r} were asked different things by tracelab.{command} ({found}): "
                "ask them alike, or load them apart"
            )


def having(name: str, found: pl.DataFrame) -> pl.DataFrame:
    """Those rows of `runs` whose folders have a file which `load_beside` takes."""
    return found.filter([_is_present(Path(folder) / name) for folder in found["run"]])


def _is_present(path: Path) -> bool:
    """Is a file beside a run there, and of the run as it is now? If it is of another, a warning says so.

    Versions that noted nothing are believed.
    """
    if not path.is_file():
        return False
    try:
        stamp = stamps.read(pyarrow.parquet.read_schema(path).metadata)
    except (pyarrow.ArrowException, OSError):  # damaged, which whoever reads it is told
        return True
    folder = path.parent
    fault = stamps.fault(stamp, config_of(folder), read_json(folder / "run.json") or {})
    if fault is not None:
        warnings.warn(f"{path} is left out: {fault}. Give the command that wrote it once more", stacklevel=4)
    return fault is None


def levels_of(table: pl.LazyFrame) -> list[str]:
    """The levels of trace validity that a table has, from weak to strong."""
    names = table.collect_schema().names()
    return [
        name.removeprefix("trace_").removesuffix("_reason")
        for name in names
        if name.startswith("trace_") and name.endswith("_reason")
    ]


def splits_of(table: pl.LazyFrame) -> list[str]:
    """The test sets of a table, in the order in which they were judged."""
    return table.select(pl.col("split").unique(maintain_order=True)).collect()["split"].to_list()


def _is_finished(folder: Path) -> bool:
    """Evaluated, with all columns, and whole? If not, a warning says what is missing."""
    outcomes = folder / "outcomes.parquet"
    try:
        status = read_json(folder / "run.json").get("status")
        config_of(folder)
        columns = pl.scan_parquet(outcomes, glob=False).collect_schema().names() if outcomes.is_file() else []
    except (ValueError, pl.exceptions.PolarsError) as error:
        warnings.warn(f"{folder} is left out: what it holds is damaged ({error})", stacklevel=4)
        return False
    if status != "evaluated" or not outcomes.is_file():
        warnings.warn(f"{folder} is left out: it is not evaluated yet (status: {status})", stacklevel=4)
        return False
    missing = [name for name in NEEDED if name not in columns]
    if missing:
        warnings.warn(
            f"{folder} is left out: its outcomes, of an older version, lack {', '.join(missing)}; run "
            f"`python -m tracelab.evaluate run={folder}` again",
            stacklevel=4,
        )
    return not missing


def _each_once(folders: list[Path]) -> dict[Path, dict[str, Any]]:
    """Folders -> what their runs are. Of copies the folder that the run was made in is kept, or the first."""
    configs = {folder: described(folder) for folder in folders}
    known: dict[str, Path] = {}
    for folder in sorted(folders, key=lambda folder: folder.name != Path(configs[folder]["run_dir"]).name):
        who = identity_of(read_json(folder / "run.json"), configs[folder])
        if (first := known.setdefault(who, folder)) != folder:
            warnings.warn(f"{folder} is left out: it is a copy of {first}", stacklevel=5)
    return {folder: configs[folder] for folder in sorted(known.values())}


def _began_with(folder: Path, config: dict[str, Any]) -> object:
    """Which run's weights a run began with, by that one's id, or where it lay; None: with none."""
    ancestors = (read_json(folder / "run.json") or {}).get("ancestors")
    return tuple(ancestors) if ancestors else config.get("run") or config.get("init_from")


def _dose(folder: Path) -> dict[str, Any]:
    """dose: the share of steps that were to be damaged, 0 of valid traces; dose_knob: what it is called."""
    path = folder / "data_card.json"
    card: dict[str, Any] = read_json(path) or {}
    asked = card.get("splits", {}).get("train", {}).get("damage", {}).get("asked")
    knob = card.get("dose", "rate" if asked is not None else None)  # older cards do not say which
    return {"dose": 0.0 if card.get("promise") == "valid" else asked, "dose_knob": knob}


def _row(folder: Path, config: dict[str, Any], arm: str) -> dict[str, Any]:
    record, names = read_json(folder / "run.json"), config["names"]
    knobs = options(config["trace"])
    progress = record.get("progress", {})
    return {
        "run": str(folder),
        "arm": arm,
        "task": names["task"],
        "treatment": names["trace"],
        **_dose(folder),
        "kind": short(knobs["kind"]) if "kind" in knobs else None,
        "algorithm": names.get("algorithm"),
        "reward": names.get("reward"),
        "model": names["model"],
        "parameters": record.get("parameters"),
        "seed": config["seed"],
        "tokens": progress.get("tokens"),
        "steps": progress.get("steps"),
        "minutes": progress.get("minutes"),
        "max_new": record.get("max_new"),
        "status": record.get("status"),
    }
