"""How many runs there are, and both verdicts per arm and test set."""

from __future__ import annotations

import polars as pl

from tracelab.analysis.estimates import rates
from tracelab.analysis.panels import save
from tracelab.core.terminal import counted
from tracelab.report.markup import Html, counted_range, paragraph, share, table, text
from tracelab.report.study import SOLUTION, TRACE, WORDS, Study

TITLE, PLACE = "Summary", 10


def section(study: Study) -> Html:
    """How many runs, and the two verdicts per arm and test set."""
    runs = study.runs
    counts = study.table.group_by("split").agg(pl.col("index").n_unique()).collect()["index"]
    seeds, problems = runs["seed"].n_unique(), counted_range([*counts], "problem")
    about = f"{counted(len(runs), 'run')} of the task {runs['task'][0]}: {counted(len(study.arms), 'arm')}, "
    about += f"{counted(seeds, 'seed')}, {counted(len(study.splits), 'test set')} of {problems}, "
    about += "the same for all."
    parts = [paragraph(about)]
    if study.skipped:
        items = "".join(f"<li>{text(line)}</li>" for line in study.skipped)
        parts.append(Html(f'<div class="warning"><p>Left out:</p><ul>{items}</ul></div>'))
    for column in (SOLUTION, TRACE):
        parts.append(_rates_table(study, column))
    if without := without_traces(study):
        parts.append(paragraph(f"No completion has a trace, so that none is valid: {', '.join(without)}."))
    parts.append(
        paragraph(
            "Per cent with Wilson's 95 % interval, which knows these seeds only; below it the least and the "
            f"most of the seeds. {study.splits[0]} is the distribution that was trained on."
        )
    )
    return Html("".join(parts))


def without_traces(study: Study) -> list[str]:
    """The arms that write no trace at all, whose traces are neither right nor wrong."""
    reason = pl.col(f"trace_{study.levels[0]}_reason").cast(pl.String)
    found = study.table.group_by("arm").agg((reason == "empty").all().alias("none")).collect()
    return sorted(found.filter("none")["arm"])


def _rates_table(study: Study, column: str) -> Html:
    """A row per test set, a column per arm."""
    whole = rates(study.table, column, ["arm", "split"])
    seeds = rates(study.table, column, ["arm", "split", "seed"])
    save(study.data / f"rates_{column}", seeds)
    rows = []
    for split in study.splits:
        cells: list[object] = [split]
        for arm in study.arms:
            part, each = (frame.filter(arm=arm, split=split) for frame in (whole, seeds))
            cells.append(_cell(part, each))
        rows.append([*cells, "–".join(str(n) for n in sorted(set(whole.filter(split=split)["n"])))])
    return table(WORDS[column], ["test set", *study.arms, "n"], rows)


def _cell(part: pl.DataFrame, each: pl.DataFrame) -> Html | None:
    if part.is_empty():
        return None
    cell = share(*part.select("value", "low", "high").row(0))
    if len(each) == 1:
        return cell
    values = [100 * float(value) for value in each["value"]]
    return Html(f"{cell}<br><small>{min(values):.0f}–{max(values):.0f} of {len(each)} seeds</small>")
