"""What post-training changed: problems gained and lost, pass@k, how likely its completions were before."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import polars as pl

from tracelab.analysis import before_after, before_after_figures
from tracelab.analysis import likelihood as likelihoods
from tracelab.analysis.loading import having
from tracelab.analysis.panels import save
from tracelab.report.markup import Html, drawing, number, p_value, paragraph, points, table
from tracelab.report.study import STRICT, Study

TITLE, PLACE = "What post-training changed", 95
MOVES = (
    "Problems of all seeds, of whose samples most count. Change: in points, with the 95 % interval for other "
    "problems and seeds, and Holm's p; McNemar: exact, of each run, the median."
)
PASSED = (
    "pass@k before and after, in per cent, and the change in points with the 95 % interval for other "
    "problems and seeds. Where pass@1 rises and pass@k of many samples does not, post-training chose among "
    "what was solved already. Of the samples that post-training draws for it, where they were kept."
)
LIKELY = (
    "Nats, means over completions with 95 % intervals over problems. before, after: per token, under either "
    "model; moved: by how much the whole completion is likelier after."
)


def section(study: Study) -> Html | None:
    """Outcomes before and after; None where no run was post-trained."""
    if study.runs["algorithm"].is_null().all():
        return None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcomes = before_after.load_pairs(*study.runs["run"])
        samples = _samples(study, outcomes)
    moves, passes = before_after.moves(outcomes), before_after.passes(samples, STRICT)
    before_after_figures.moved(study.data / "moves", moves)
    caption = "Valid before and after (kept), only before (lost), only after (gained), neither (never)."
    parts: list[str] = [drawing(study.data / "moves", caption, study.data.name), _moves(moves)]
    if len(passes):
        before_after_figures.passed(study.data / "passes", passes)
        caption = "pass@k before (hollow) and after post-training: right, and right with a valid trace."
        parts.append(drawing(study.data / "passes", caption, study.data.name))
        changed = before_after.sharpened(samples, STRICT)
        save(study.data / "sharpened", changed)
        parts.append(_passed(changed))
    has = having(likelihoods.FILE, study.runs)
    if not has.is_empty():
        likely = likelihoods.by_verdict(likelihoods.load_likelihood(has))
        save(study.data / "likelihood", likely)
        parts.append(_likely(likely))
    return Html("".join([*parts, *(paragraph(str(warning.message)) for warning in caught)]))


def _samples(study: Study, outcomes: pl.LazyFrame) -> pl.LazyFrame:
    """What pass@k is of: the samples that post-training kept for it, else what the runs were judged on."""
    kept = [before_after.SAMPLES.format(when) for when in before_after.WHEN]
    if any((Path(run) / name).is_file() for run in study.runs["run"] for name in kept):
        return before_after.load_passes(*study.runs["run"])
    return outcomes


def _passed(frame: pl.DataFrame) -> Html:
    words = {"solution": "right", "both": "right with a valid trace"}
    rows = []
    for row in frame.iter_rows(named=True):
        shares = [f"{100 * row[when]:.1f}" for when in before_after.WHEN]
        change = points(*(row[name] for name in ("difference", "low", "high")))
        about = [row["arm"], row["split"], words[row["of"]], row["k"]]
        rows.append([*about, *shares, change, p_value(row["p"]), row["n"], row["seeds"]])
    headings = ["arm", "test set", "one of k is", "k", "before", "after", "change", "p", "n", "seeds"]
    return Html(table("pass@k before and after", headings, rows) + paragraph(PASSED))


def _moves(frame: pl.DataFrame) -> Html:
    rows = []
    for row in frame.iter_rows(named=True):
        counts = [row[name] for name in before_after.NAMES]
        change = points(*(row[name] for name in ("difference", "low", "high")))
        tests = [p_value(row[name]) for name in ("p_holm", "mcnemar_p")]
        rows.append([row["arm"], row["split"], row["of"], *counts, change, *tests, row["n"], row["seeds"]])
    headings = ["arm", "test set", "verdict", *before_after.NAMES, "change", "p (Holm)", "McNemar", "n"]
    return Html(table("Problems gained and lost", [*headings, "seeds"], rows) + paragraph(MOVES))


def _likely(frame: pl.DataFrame) -> Html:
    headings = ["arm", "test set", "written", "solution", "trace", "before", "after", "moved", "n"]
    rows = map(_figures, frame.iter_rows(named=True))
    return Html(table("How likely completions are", headings, rows) + paragraph(LIKELY))


def _figures(row: dict[str, Any]) -> list[object]:
    words = {None: "any", True: "valid", False: "not valid"}
    figures = [
        number(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for name in likelihoods.FIGURES
    ]
    verdicts = [words[row[name]] for name in ("solution_valid", "trace_valid")]
    return [row["arm"], row["split"], row["written"], *verdicts, *figures, row["n"]]
