"""Trained problems, small changes of them, and fresh ones."""

from __future__ import annotations

from typing import Any

from tracelab.analysis import memorisation as memories
from tracelab.analysis import probe_figures
from tracelab.analysis.loading import having
from tracelab.analysis.panels import save
from tracelab.core.terminal import counted
from tracelab.report.markup import Html, drawing, p_value, paragraph, points, share, table
from tracelab.report.study import STRICT, Study

TITLE, PLACE = "Solved or remembered?", 110


def section(study: Study) -> Html | None:
    """Trained, changed and fresh problems; None where no run was judged on them."""
    has = having(memories.FILE, study.runs)
    if has.is_empty():
        return None
    outcomes, path = memories.load_memorisation(has), study.data / "memorisation"
    sets, frame = memories.by_set(outcomes, STRICT), memories.gaps(outcomes)
    probe_figures.memorised(path, sets)
    save(study.data / "memorisation_gaps", frame)
    rows = [_remembered(row) for row in frame.iter_rows(named=True)]
    headings = ["arm", "set", "trained", "set's own", "gap", "p (Holm)", "consistent", "LiMem", "n", "seeds"]
    note = f"Of {len(has)} of {counted(len(study.runs), 'run')}. Shares of valid solutions in per cent; gap: "
    note += "trained less set, in points, with the 95 % interval for other problems and seeds. A change is "
    note += (
        "compared with the problems that have it. consistent: of trained problems that are solved, the share "
    )
    note += (
        "whose change is too; LiMem: trained problems that are solved while their change is not. Left out: "
    )
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
