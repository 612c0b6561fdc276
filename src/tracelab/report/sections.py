"""The sections of a report that tell of runs: verdicts, differences, data cards, configs.

Each is a function of the study; tables' data go into files beside the page.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from tracelab.analysis import figures, generalisation
from tracelab.analysis.estimates import compare, holm, rates
from tracelab.analysis.loading import configs_that_differ
from tracelab.report.markup import Html, details, p_value, paragraph, points, share, table, text
from tracelab.report.study import STRICT, Study

SOLUTION, TRACE = "solution_valid", f"trace_{STRICT}"
WORDS = {SOLUTION: "solution valid", TRACE: f"trace valid ({STRICT})"}


def summary(study: Study) -> Html:
    """How many runs, and the two verdicts per arm and test set."""
    runs = study.runs
    counts = study.table.group_by("split").agg(pl.col("index").n_unique()).collect()["index"]
    n = "–".join(str(count) for count in sorted(set(counts)))
    counted = f"{len(runs)} runs of the task {runs['task'][0]}: {len(study.arms)} arms, "
    counted += f"{runs['seed'].n_unique()} seeds, {len(study.splits)} test sets of {n} problems, "
    counted += "the same for all."
    parts = [paragraph(counted)]
    if study.skipped:
        items = "".join(f"<li>{text(line)}</li>" for line in study.skipped)
        parts.append(Html(f'<div class="warning"><p>Left out:</p><ul>{items}</ul></div>'))
    for column in (SOLUTION, TRACE):
        parts.append(_rates_table(study, column))
    parts.append(
        paragraph(
            "Per cent with Wilson's 95 % interval, which knows these seeds only; below it the least and the "
            f"most of the seeds. {study.splits[0]} is the distribution that was trained on."
        )
    )
    return Html("".join(parts))


def _rates_table(study: Study, column: str) -> Html:
    """A row per test set, a column per arm."""
    whole = rates(study.table, column, ["arm", "split"])
    seeds = rates(study.table, column, ["arm", "split", "seed"])
    figures.save(study.data / f"rates_{column}", seeds)
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


def differences(study: Study) -> Html:
    """Between arms, with p values adjusted for all rows of a table."""
    parts = [
        paragraph(
            "Percentage points, with the 95 % interval for other problems and other seeds (with one seed: "
            "for other problems only). p is adjusted for all rows of its table (Holm). h: Cohen's. "
            "McNemar: of the problems that one run of a pair solves, the share that the first arm's does."
        )
    ]
    for column in (SOLUTION, TRACE):
        frame = pl.concat([compare(study.table, column, split, study.base) for split in study.splits])
        if frame.is_empty():
            return paragraph("There is one arm: nothing to compare.")
        frame = frame.with_columns(pl.Series("p_holm", holm(frame["p"].to_numpy())))
        figures.save(study.data / f"differences_{column}", frame)
        rows = _differences_table(frame, column)
        parts.append(rows if column == SOLUTION else details(WORDS[column], rows))
    return Html("".join(parts))


def _differences_table(frame: pl.DataFrame, column: str) -> Html:
    rows = [
        [
            f"{row['arm']} – {row['base']}",
            row["split"],
            points(row["difference"], row["low"], row["high"]),
            p_value(row["p_holm"]),
            f"{row['cohens_h']:+.2f}",
            None if row["discordant"] is None else f"{row['discordant']:.2f}",
            row["n"],
            row["seeds"],
        ]
        for row in frame.iter_rows(named=True)
    ]
    headings = ["arms", "test set", "difference", "p (Holm)", "h", "McNemar", "n", "seeds"]
    return table(WORDS[column], headings, rows)


def gaps(study: Study) -> Html | None:
    """What each arm loses or gains on the other test sets; None if there are none."""
    base, *others = study.splits
    if not others:
        return None
    parts = []
    for column in (SOLUTION, TRACE):
        frame = generalisation.gaps(study.table, column, base, others)
        figures.save(study.data / f"gaps_{column}", frame)
        rows = []
        for split in others:
            found = {row["arm"]: row for row in frame.filter(split=split).iter_rows(named=True)}
            rows.append([split, *(_gap(found[arm]) if arm in found else None for arm in study.arms)])
        parts.append(table(f"{WORDS[column]}, less that on {base}", ["test set", *study.arms], rows))
    note = "Percentage points, 95 % intervals for other problems and seeds; p (Holm) for all of its table."
    return Html("".join([*parts, paragraph(note)]))


def _gap(row: dict[str, Any]) -> Html:
    difference = points(row["difference"], row["low"], row["high"])
    return Html(f"{difference}<br><small>p {text(p_value(row['p_holm']))}</small>")


def cards(study: Study) -> Html:
    """The data cards: of each arm the first run's."""
    from tracelab.data import card

    parts, rows = [], []
    for arm in study.arms:
        run = study.runs.filter(arm=arm)["run"][0]
        path = Path(run) / "data_card.json"
        if not path.is_file():
            rows.append([arm, "no data card"])
            continue
        content = json.loads(path.read_text())
        train = content["splits"]["train"]
        judged = train["solution"]["solution valid"], train["trace"][STRICT]
        ends = [(verdict["rate"], *verdict["interval"]) for verdict in judged]
        mean = {part: f"{d['mean']:.0f}" for part, d in train["tokens"].items()}
        tokens = [mean[part] for part in ("prompt", "trace", "solution")]
        rows.append([arm, content["promise"], train["problems"], *(share(*e) for e in ends), *tokens])
        words = Html(f"<pre>{text(card.text(content))}</pre>")
        parts.append(details(f"{arm}: {study.name(run)}", words))
    headings = ["arm", "promise", "problems", "solutions valid", f"traces valid ({STRICT})"]
    headings += ["tokens: prompt", "trace", "solution"]
    return Html(table("Training data, judged by the verifier", headings, rows) + "".join(parts))


def configs(study: Study) -> Html:
    """The runs, and in what their configs differ."""
    frame = configs_that_differ(study.runs)
    figures.save(study.data / "configs", frame)
    figures.save(study.data / "runs", study.runs)
    knobs = frame.columns[2:]
    rows = [
        [study.name(row["run"]), row["arm"], *(row[name] for name in knobs)]
        for row in frame.iter_rows(named=True)
    ]
    return table("Runs, and the knobs in which they differ", ["run", "arm", *knobs], rows)
