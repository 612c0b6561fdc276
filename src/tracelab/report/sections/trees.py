"""Where derivations fail: how much of the tree of steps under an answer is sound, by distance from it."""

from __future__ import annotations

from tracelab.analysis import trace_figures
from tracelab.analysis.trees import FLAGS, MOST, PLACES, levels, sound, steps, trees
from tracelab.report.markup import Html, details, drawing, number, paragraph, share, table
from tracelab.report.study import Study

TITLE, PLACE = "Where derivations fail", 66


def section(study: Study) -> Html | None:
    """How sound trees of steps are; None if the task cannot say, or no trace gives an answer."""
    task = study.task()
    if not hasattr(task, "tree"):
        return None
    placed = steps(study.table, task)
    if placed["depth"].is_null().all():
        return None
    path = study.data / "trees"
    trace_figures.trees(path, levels(placed), study.splits)
    caption = "Share of the steps under an answer that are wrong in themselves, by distance from it, 95 %."
    rows = []
    for row in study.in_order(sound(trees(placed))):
        ends = [share(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for name in ("sound", *FLAGS)]
        places = [number(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for name in PLACES]
        rows.append([row["split"], row["arm"], *ends, *places, row["n"], row["n_trees"], row["seeds"]])
    headings = ["test set", "arm", "sound steps", "answered", "with an error", "right, if so", "if not"]
    headings += ["first error: from the answer", "from the leaves", "deepest error: from the answer"]
    headings += ["from the leaves", "n", "n answered", "seeds"]
    note = f"Of the first sample of at most {MOST} problems a run and test set. Each step is taken at its "
    note += "word: it is wrong in itself where the problem and what the trace said before do not license it. "
    note += (
        "Steps that use what is wrong are not sound either. Distances are means, in steps. 95 % intervals "
    )
    note += "are for other problems, of these seeds."
    whole = details("Trees of steps", table("Steps under an answer, %", headings, rows))
    return Html(drawing(path, caption, study.data.name) + whole + paragraph(note))
