"""Results for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from tracelab.core.terminal import figure
from tracelab.runs.ended import Trained
from tracelab.runs.entry import Accuracy, say

ENDS = {"value": "", "low": "_low", "high": "_high"}  # of an estimate in a frame's row
FOLDED = 24  # columns that a cell needs which may be cut anywhere, such as a path
LABELS = {  # of metrics that earlier versions wrote, which did not say how they are shown
    "solution_valid": "solution valid",
    "solution_optimal": "optimal",
    "trace_parses": "trace parses",
    "trace_local": "locally valid",
    "trace_strict": "strictly valid",
    "trace_paper": "paper's verdict",
    "trace_strict_given_valid": "strict | solution valid",
    "phi": "phi",
    "truncated": "truncated",
}


def headings(metrics: dict[str, Any]) -> dict[str, str]:
    """Names of figures that are shown -> their headings. metrics: test set (or run) -> name -> estimate."""
    found: dict[str, str] = {}
    for estimates in metrics.values():
        for name, estimate in estimates.items():
            label = estimate["label"] if "label" in estimate else LABELS.get(name)
            if label is not None:
                found[name] = label or name.replace("_", " ")
    return found


def results_table(metrics: dict[str, Any], title: str) -> Table:
    """A row per test set: shares in per cent and other numbers, with 95 % intervals, and n."""
    table = Table(
        title=title,
        title_justify="left",
        caption="shares in per cent, 95 % intervals",
        caption_justify="left",
    )
    table.add_column("test set")
    table.add_column("n", justify="right")
    shown = headings(metrics)
    for heading in shown.values():
        table.add_column(heading, justify="right")
    for split, estimates in metrics.items():
        counts = [estimate["n"] for estimate in estimates.values()]
        cells = (cell(name, estimates[name]) if name in estimates else "–" for name in shown)
        table.add_row(split, str(max(counts, default=0)), *cells)
    return table


def cell(name: str, estimate: dict[str, Any]) -> str:
    """`91.4 [87.3, 94.3]` of a share, in per cent; `0.31` of another number; a dash where there is none."""
    value, low, high = (estimate[k] for k in ("value", "low", "high"))
    if value is None:
        return "–"
    is_share = estimate.get("share", name != "phi")
    factor, digits = (100, 0) if is_share else (1, 2)
    interval = "" if low is None else f" [{factor * low:.{digits}f}, {factor * high:.{digits}f}]"
    return f"{factor * value:.{1 if is_share else 2}f}{interval}"


def print_results(metrics: dict[str, Any], title: str, folder: Path) -> None:
    """The table, then where the figures and the rest lie."""
    figures = sorted((folder / "figures").glob("*.png"))
    print_figures(metrics, title, [*figures, folder / "outcomes.parquet"])


def print_figures(metrics: dict[str, Any], title: str, paths: Sequence[Path]) -> None:
    """The table, then paths."""
    console = _console()
    console.print(fitting(results_table(metrics, title), console.width))
    for path in paths:
        console.print(f"  {path}", highlight=False, soft_wrap=True)


def print_tables(*tables: Table) -> None:
    """Tables, below each other, as wide as the terminal."""
    console = _console()
    for table in tables:
        console.print(fitting(table, console.width))


def fitting(table: Table, width: int) -> Table:
    """The table, whose words are whole in so many columns: headings and cells wrap between words, and where
    even that is too wide, its rows are stacked.
    """
    natural, least = [], []
    for column in table.columns:
        texts = [str(text) for text in (column.header, *column.cells)]
        natural.append(max(map(cell_len, texts)))
        longest = max(cell_len(word) for text in texts for word in text.split() or [""])
        least.append(min(longest, FOLDED) if column.overflow == "fold" else longest)
    room = width - 3 * len(table.columns) - 1  # within the frame
    if sum(natural) <= room:
        return table
    if sum(least) > room:
        return _stacked(table)
    spare = room - sum(least)
    for column, small, large in zip(table.columns, least, natural, strict=True):
        column.width = small + min(spare, large - small)
        spare -= column.width - small
    return table


def _stacked(table: Table) -> Table:
    """A line per cell, with its heading before it."""
    stacked = Table(
        title=table.title,
        title_justify="left",
        caption=table.caption,
        caption_justify="left",
        box=None,
        show_header=False,
        padding=(0, 2, 0, 0),
    )
    stacked.add_column(overflow="fold")
    stacked.add_column(overflow="fold")
    for row in zip(*(column.cells for column in table.columns), strict=True):
        for column, text in zip(table.columns, row, strict=True):
            stacked.add_row(column.header, text)
        stacked.add_row("", "")
    return stacked


def _console() -> Console:
    """The terminal, or 200 columns where there is none. Words are printed as they are: `[a]` is no markup."""
    terminal = Console(markup=False, emoji=False)
    return terminal if terminal.is_terminal else Console(width=200, markup=False, emoji=False)


def print_trained(trained: Trained) -> Accuracy:
    """The table of a finished run -> solution accuracy on the first test set, for sweepers.

    An interrupted run raises KeyboardInterrupt, which ends a sweep too.
    """
    if trained.metrics is None:
        raise KeyboardInterrupt
    value = next(iter(trained.metrics.values())).get("solution_valid", {}).get("value", float("nan"))
    if trained.state == "skipped":
        say(f"Skipped: {trained.run.folder} is finished (solution accuracy {100 * value:.1f} %)")
    else:
        print_results(trained.metrics, trained.run.name, trained.run.folder)
    if warning := trained.run.read_json("run.json").get("warning"):
        say(f"Warning: {warning}")
    return Accuracy(value, trained.state)


def print_rows(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], caption: str, path: Path
) -> None:
    """Any table of words; then where it lies."""
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        table.add_row(*row)
    console = _console()
    console.print(fitting(table, console.width))
    print(f"  {path}")


def print_interventions(frame: Any, title: str, path: Path) -> None:
    """A row per intervention; frame: of `analysis.interventions.by_intervention`."""
    table = Table(
        title=title,
        title_justify="left",
        caption="per cent, Wilson 95 % interval; follows trace: of another problem's; n: problems that fit "
        "into the context with the trace",
    )
    for name in ("test set", "imposed trace"):
        table.add_column(name)
    answers = "solution valid", "answer changed", "follows trace", "nats per solution token"
    for name in ("n", "its tokens", *answers):
        table.add_column(name, justify="right")
    for row in frame.iter_rows(named=True):
        dose = "" if row["dose"] is None else f" {row['dose']:g}"
        figures = (
            cell(name, {k: row[f"{name}{end}"] for k, end in ENDS.items()})
            for name in ("valid", "changed", "follows")
        )
        table.add_row(
            row["split"],
            row["intervention"] + dose,
            str(row["n"]),
            f"{row['trace_tokens']:.0f}",
            *figures,
            f"{row['reference_logprob']:.3f}",
        )
    console = _console()
    console.print(fitting(table, console.width))
    print(f"  {path}")


def print_sweep(jobs: list[dict[str, Any]]) -> None:
    """A row per job of a sweep; overrides that all share are left out. Then why jobs failed."""
    shared = set.intersection(*(set(job["overrides"]) for job in jobs)) if len(jobs) > 1 else set()
    table = Table(title="sweep", title_justify="left")
    for name in ("job", "state", "solution valid, %", "folder"):
        table.add_column(name, justify="right" if "%" in name else "left", overflow="fold")
    for job in jobs:
        words = " ".join(word for word in job["overrides"] if word not in shared)
        accuracy = f"{100 * job['accuracy']:.1f}" if "accuracy" in job else "–"
        table.add_row(f"{job['number']}  {words}", job["state"], accuracy, job["folder"])
    console = _console()
    console.print(fitting(table, console.width))
    for job in jobs:
        if "reason" in job:
            console.print(f"Job {job['number']} failed: {job['reason']}", highlight=False)
            if job["folder"] and (Path(job["folder"]) / "error.txt").is_file():
                console.print(f"  {job['folder']}/error.txt", highlight=False, soft_wrap=True)
    if any(job["state"] in ("failed", "unfinished", "not begun") for job in jobs):
        console.print("The same command goes on: it skips what is finished and resumes what was begun.")


def print_memorisation(frame: Any, title: str, path: Path) -> None:
    """A row per set; frame: of `analysis.memorisation.by_set`."""
    shown = {
        "solution": "solution valid",
        "origin": "as trained",
        "trace": "strictly valid",
        "recited": "recited in vain",
    }
    counts = {"n": "n", "times_trained": "times trained", "impossible": "impossible", "known": "known"}
    print_shares(frame, title, path, {"split": "set"}, shown, counts)


def print_shares(
    frame: Any, title: str, path: Path, names: dict[str, str], shown: dict[str, str], counts: dict[str, str]
) -> None:
    """A frame's rows: names, shares with intervals (`shown`, each with _low and _high) and other numbers. The
    dictionaries are columns and their headings.
    """
    table = Table(title=title, title_justify="left", caption="per cent, 95 % interval")
    for heading in names.values():
        table.add_column(heading)
    for heading in (*shown.values(), *counts.values()):
        table.add_column(heading, justify="right")
    for row in frame.iter_rows(named=True):
        figures = (cell(name, {k: row[f"{name}{end}"] for k, end in ENDS.items()}) for name in shown)
        others = (figure(row[name], 4) for name in counts)
        table.add_row(*(f"{row[name]}" for name in names), *figures, *others)
    print_tables(table)
    print(f"  {path}")


def print_likelihood(frame: Any, title: str, path: Path) -> None:
    """A row per writer and pair of verdicts; frame: of `analysis.likelihood.by_verdict`."""
    table = Table(title=title, title_justify="left", caption="nats, 95 % interval")
    words = {None: "any", True: "valid", False: "not"}
    for name in ("test set", "written", "solution", "trace"):
        table.add_column(name)
    for name in ("per token before", "per token after", "completion likelier after by", "n"):
        table.add_column(name, justify="right")
    for row in frame.iter_rows(named=True):
        verdicts = (words[row[name]] for name in ("solution_valid", "trace_valid"))
        figures = (
            cell(name, {"share": False, **{k: row[f"{name}{end}"] for k, end in ENDS.items()}})
            for name in ("before", "after", "moved")
        )
        table.add_row(row["split"], row["written"], *verdicts, *figures, str(row["n"]))
    console = _console()
    console.print(fitting(table, console.width))
    print(f"  {path}")
