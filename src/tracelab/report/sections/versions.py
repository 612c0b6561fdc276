"""Problems that are solved in all of their versions, and the reasoning gap."""

from __future__ import annotations

from typing import Any

from tracelab.analysis import memorisation, probe_figures, versions
from tracelab.analysis.loading import having
from tracelab.report.markup import Html, drawing, p_value, paragraph, points, share, table
from tracelab.report.study import SOLUTION, TRACE, WORDS, Study

TITLE, PLACE = "Solved in every version?", 113

NOTE = """Per cent, and points for differences, with 95 % intervals for other problems and seeds. Versions:
the changes of trained problems, none of which was trained on. Gap, if independent: of a model that solves as
many of each version in each quartile of difficulty, but each independently; excess: the gap less that. Below
zero, versions of a problem are solved or failed together."""


def section(study: Study) -> Html | None:
    """Effective accuracy; None where no run was judged on two changes of problems or more."""
    has = having(memorisation.FILE, study.runs)
    if has.is_empty():
        return None
    outcomes, path = memorisation.load_memorisation(has), study.data / "versions"
    kinds = memorisation.sets_of(outcomes)[1:-1]
    if len(kinds) < 2:
        return None
    frames = {WORDS[column]: versions.effective(outcomes, column) for column in (SOLUTION, TRACE)}
    probe_figures.effective(path, frames)
    headings = ["arm", "average", "in every version", "gap", "gap, if independent", "excess", "p (Holm)"]
    parts = [
        table(
            f"{words}, of {', '.join(kinds)}",
            [*headings, "n", "seeds"],
            map(_line, frame.iter_rows(named=True)),
        )
        for words, frame in frames.items()
    ]
    caption = "Average accuracy over versions of a problem, and the share that is right in every version."
    left_out = f"Left out, for lack of a version: {next(iter(frames.values()))['left_out'].sum()}."
    return Html(
        "".join([drawing(path, caption, study.data.name), *parts, paragraph(NOTE), paragraph(left_out)])
    )


def _line(row: dict[str, Any]) -> list[object]:
    shares, differences = (
        [[row[f"{name}{end}"] for end in ("", "_low", "_high")] for name in names]
        for names in (("average", "effective"), ("gap", "excess"))
    )
    average, effective = (share(value, max(low, 0), min(high, 1)) for value, low, high in shares)
    gap, excess = (points(*ends) for ends in differences)
    expected, p = f"{100 * row['gap_expected']:+.1f}", p_value(row["p_holm"])
    return [row["arm"], average, effective, gap, expected, excess, p, row["n"], row["seeds"]]
