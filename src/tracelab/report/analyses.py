"""The sections of a report that analyse: a figure each, tables folded away, both as files beside the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from tracelab.analysis import figures, generalisation, probe_figures
from tracelab.analysis import memorisation as memories
from tracelab.analysis.confidence import calibrations
from tracelab.analysis.interventions import by_intervention, load_interventions
from tracelab.analysis.joint import first_errors, given, joint
from tracelab.analysis.length import length_against
from tracelab.analysis.stability import stability
from tracelab.report.markup import Html, details, drawing, number, p_value, paragraph, points, share, table
from tracelab.report.study import STRICT, Study


def validity(study: Study) -> Html:
    """Accuracy against validity across arms, and the two verdicts of the same completions."""
    path = study.data / "validity_against_accuracy"
    figures.validity_against_accuracy(path, study.table, STRICT)
    caption = "Accuracy and validity of each arm, Wilson 95 %; faint: each seed."
    both = details("The two verdicts together", _together(study))
    return Html(drawing(path, caption, study.data.name) + both)


def _together(study: Study) -> Html:
    cells, conditional = joint(study.table, STRICT), given(study.table, study.levels)
    figures.save(study.data / "joint", cells)
    figures.save(study.data / "given", conditional)
    rows = []
    for row in in_order(study, cells):
        mine = conditional.filter(level=STRICT, arm=row["arm"], split=row["split"])
        ends = [mine.filter(of=of).select("value", "low", "high").row(0) for of in ("trace", "solution")]
        counts = [row[name] for name in ("both", "only_solution", "only_trace", "neither")]
        phi = number(row["phi"], row["phi_low"], row["phi_high"])
        rows.append([row["split"], row["arm"], *counts, phi, *(share(*e) for e in ends)])
    headings = ["test set", "arm", "both valid", "only solution", "only trace", "neither", "phi"]
    headings += ["trace valid, given solution", "solution valid, given trace"]
    return table("Completions by their two verdicts", headings, rows)


def in_order(study: Study, frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows of a frame, test sets in their order."""
    for split in study.splits:
        yield from frame.filter(split=split).iter_rows(named=True)


def failures(study: Study) -> Html:
    """Why traces are not valid, and where."""
    path = study.data / "reasons"
    figures.reasons_of_failure(path, study.table, STRICT)
    where = first_errors(study.table, STRICT)
    figures.save(study.data / "first_errors", where)
    rows = [
        [row["split"], row["arm"], *(f"{100 * row[q]:.0f}" for q in ("q25", "q50", "q75")), row["n"]]
        for row in in_order(study, where)
    ]
    headings = ["test set", "arm", "first quartile", "median", "third quartile", "n"]
    caption = "Share of traces whose first bad step has this reason; what is missing to 1 is valid."
    first = table("Share of the trace before the first bad step, in per cent", headings, rows)
    return Html(drawing(path, caption, study.data.name) + details("Where traces go wrong", first))


def lengths(study: Study) -> Html:
    """Does the length of what is written follow the problem's complexity? By each measure in distribution, by
    the first one on all test sets.
    """
    measure, *others = study.task().complexities
    binned, ranked = study.data / "length_against_complexity", study.data / "rank_correlations"
    figures.length_against_complexity(binned, study.table, measure)
    frame = length_against(study.table, measure)
    figures.rank_correlations(ranked, frame, study.splits)
    inside = study.table.filter(pl.col("split") == study.splits[0])
    frames = [frame, *(length_against(inside, name) for name in others)]
    every = pl.DataFrame([row for one in frames for row in in_order(study, one)], infer_schema_length=None)
    figures.save(study.data / "length_correlations", every)
    names = [
        name for name in ("spearman", "slope", "r2", "partial", "reference_spearman") if name in every.columns
    ]
    rows = []
    for row in every.iter_rows(named=True):
        cells = [number(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for name in names]
        about = [row["complexity"].replace("_", " "), row["split"], row["arm"]]
        rows.append([*about, *cells, f"{100 * row['censored']:.1f} %", row["n"]])
    headings = ["measure", "test set", "arm", *(name.replace("_", " ") for name in names), "cut off", "n"]
    measure = measure.replace("_", " ")
    caption = f"Length against {measure}: medians, shaded quartiles. Completions that were cut off count as "
    caption += "the longest; no point where more than half were."
    return Html(
        drawing(binned, caption, study.data.name)
        + drawing(ranked, f"Rank correlation of length and {measure}.", study.data.name)
        + details("Slopes and correlations", table("Completion tokens against complexity", headings, rows))
    )


def samples(study: Study) -> Html | None:
    """Several completions per problem: agreement and silent failures; None where there is one."""
    if study.table.select((pl.col("sample") > 0).any()).collect().item() is not True:
        return None
    frame = stability(study.table, STRICT, ["arm", "split"])
    figures.save(study.data / "stability", frame)
    names = ("maj", "faithful", "unfaithful", "silent_failure")
    rows = []
    for row in in_order(study, frame):
        shares = [share(row[k], row[f"{k}_low"], row[f"{k}_high"]) for k in names]
        r = number(row["r"], row["r_low"], row["r_high"])
        rows.append([row["split"], row["arm"], *shares, r, row["samples"], row["n"]])
    headings = ["test set", "arm", "majority right", "faithful", "unfaithful", "silent failure", "r"]
    note = "Of correct solutions: with a valid and stable trace (faithful) or not; silent failure: a wrong "
    note += f"vote of at least {frame['threshold'][0]:g}; r: of shares of valid traces and right solutions."
    whole = table("Samples of the same problems", [*headings, "samples", "problems"], rows)
    return Html(whole + paragraph(note))


def confidence(study: Study) -> Html:
    """Is it right when it is sure?"""
    curves, summary = calibrations(study.table)
    figures.save(study.data / "calibration_summary", summary)
    drawings = []
    for kind in summary["confidence"].unique(maintain_order=True):
        path = study.data / f"calibration_{kind}"
        figures.calibration(path, curves.filter(confidence=kind), study.splits)
        caption = f"Accuracy against confidence ({kind}), bins of a tenth, 95 %; dotted: calibrated."
        drawings.append(drawing(path, caption, study.data.name))
    rows = []
    for row in in_order(study, summary):
        values = [f"{row[name]:.3f}" for name in ("ece", "brier", "mean", "accuracy")]
        wrong = share(*(row[f"sure_wrong{end}"] for end in ("", "_low", "_high")))
        rows.append([row["split"], row["arm"], row["confidence"], *values, wrong, row["n"]])
    headings = ["test set", "arm", "confidence", "ECE", "Brier", "mean confidence", "accuracy"]
    headings.append(f"wrong, with {summary['threshold'][0]:g} or more")
    note = "probability: the geometric mean of a completion's token probabilities; vote: the share of a "
    note += "problem's samples that give its commonest solution."
    whole = details("ECE and Brier score", table("Confidence and accuracy", [*headings, "n"], rows))
    return Html("".join(drawings) + whole + paragraph(note))


def interventions(study: Study) -> Html | None:
    """What imposed traces do; None where no run has any."""
    has = [run for run in study.runs["run"] if (Path(run) / "interventions.parquet").is_file()]
    if not has:
        return None
    frame, path = by_intervention(load_interventions(*has)), study.data / "interventions"
    figures.imposed(path, frame)
    note = f"Of {len(has)} of {len(study.runs)} runs. Behind the prompt stands an imposed trace; the model "
    note += "writes the answer. changed: against the answer behind its own trace."
    caption = "What the model answers behind imposed traces."
    return Html(drawing(path, caption, study.data.name) + paragraph(note))


def memorisation(study: Study) -> Html | None:
    """Trained, changed and fresh problems; None where no run was judged on them."""
    has = [run for run in study.runs["run"] if (Path(run) / memories.FILE).is_file()]
    if not has:
        return None
    outcomes, path = memories.load_memorisation(*has), study.data / "memorisation"
    sets, frame = memories.by_set(outcomes, STRICT), memories.gaps(outcomes)
    probe_figures.memorised(path, sets)
    figures.save(study.data / "memorisation_gaps", frame)
    rows = [_remembered(row) for row in frame.iter_rows(named=True)]
    headings = ["arm", "set", "trained", "set's own", "gap", "p (Holm)", "consistent", "LiMem", "n", "seeds"]
    note = (
        f"Of {len(has)} of {len(study.runs)} runs. Shares of valid solutions in per cent; gap: trained less "
    )
    note += (
        "set, in points, with the 95 % interval for other problems and seeds. A change is compared with the "
    )
    note += (
        "problems that have it. consistent: of trained problems that are solved, the share whose change is "
    )
    note += "too; LiMem: trained problems that are solved while their change is not. Left out: "
    note += (
        f"{sets['impossible'].sum()} without such a change, {sets['known'].sum()} changed into a trained one."
    )
    caption = (
        "Trained problems, small changes of them (hollow: before the change), fresh ones. Recited in vain: "
    )
    caption += "the answer is the trained problem's solution, which is wrong here."
    whole = table("What is lost from trained problems", headings, rows)
    return Html(drawing(path, caption, study.data.name) + whole + paragraph(note))


def _remembered(row: dict[str, Any]) -> list[object]:
    shares = [
        share(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for name in ("consistent", "limem")
    ]
    values = [f"{100 * row[name]:.1f}" for name in ("train", "value")]
    gap = points(row["gap"], row["low"], row["high"])
    return [row["arm"], row["split"], *values, gap, p_value(row["p_holm"]), *shares, row["n"], row["seeds"]]


def doses(study: Study) -> Html | None:
    """Accuracy and validity against the share of damaged steps; None unless there are several shares."""
    if study.runs.filter(pl.col("dose") > 0)["dose"].n_unique() < 2:
        return None
    path, metrics = study.data / "dose_response", ("solution_valid", f"trace_{STRICT}")
    parts = [generalisation.doses(study.table, study.runs, m).with_columns(metric=pl.lit(m)) for m in metrics]
    frame = pl.concat(parts)
    figures.dose_response(path, frame, study.splits)
    caption = "Accuracy (filled) and validity (hollow) against the corruption rate."
    return drawing(path, caption, study.data.name)
