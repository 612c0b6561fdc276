"""What a model answers behind imposed traces."""

from __future__ import annotations

from tracelab.analysis import figures
from tracelab.analysis.interventions import by_intervention, load_interventions
from tracelab.analysis.loading import having
from tracelab.core.terminal import counted
from tracelab.report.markup import Html, drawing, paragraph
from tracelab.report.study import Study

TITLE, PLACE = "Is the trace used?", 100


def section(study: Study) -> Html | None:
    """What imposed traces do; None where no run has any."""
    has = having("interventions.parquet", study.runs)
    if has.is_empty():
        return None
    frame, path = by_intervention(load_interventions(has)), study.data / "interventions"
    figures.imposed(path, frame)
    note = f"Of {len(has)} of {counted(len(study.runs), 'run')}. Behind the prompt stands an imposed trace; "
    note += "the model writes the answer. changed: against the answer behind its own trace."
    caption = "What the model answers behind imposed traces."
    return Html(drawing(path, caption, study.data.name) + paragraph(note))
