"""What latents are for: whether answers need them, what they say, and what others in their place do."""

from __future__ import annotations

from typing import Any

from tracelab.analysis import latents, probe_figures
from tracelab.analysis.loading import having
from tracelab.core.terminal import counted
from tracelab.report.markup import Html, drawing, paragraph, share, table
from tracelab.report.study import Study

TITLE, PLACE = "What are latents for?", 107
HEADINGS = (
    "arm",
    "test set",
    "question",
    "of",
    "counted",
    "answers",
    "share",
    "above control",
    "problems",
    "seeds",
)

NOTE = """Shares in per cent; 95 % intervals for other problems, of these seeds. needed: answers forced
behind some of the latents. read: steps of the problem's trace whose result is among the likeliest words
at a latent's place; found: a trace that ends in the answer, chained from numbers that are read there
(causal: each step changes with the prompt; verified: and is the task's own). The control is other
problems' steps that stand in this prompt as far, other problems' whole traces, and other problems'
latents. Whole traces, and what is reached or causal, may lie above it where latents repeat the prompt.
replaced: answers behind others in their place; pauses and
random vectors are the same for all problems, so that only without them, or with noise, an answer can
change."""


def section(study: Study) -> Html | None:
    """Each arm's latents, question by question; None where no run was probed."""
    has = having(latents.FILE, study.runs)
    if has.is_empty():
        return None
    frame = latents.shares(latents.load_latents(has))
    parts = []
    for k, ((arm, split), mine) in enumerate(frame.group_by("arm", "split", maintain_order=True)):
        path = study.data / f"latents_{k}"
        probe_figures.thought(path, mine)
        caption = f"What the latents of {arm} are for, on {split}. Hollow: the control."
        parts.append(drawing(path, caption, study.data.name))
    note = f"Of {len(has)} of {counted(len(study.runs), 'run')}. {NOTE}"
    whole = table("What latents are for", HEADINGS, [_row(row) for row in frame.iter_rows(named=True)])
    return Html("".join(parts) + whole + paragraph(note))


def _row(row: dict[str, Any]) -> list[object]:
    about = (row[name] for name in ("arm", "split", "question", "what", "counted", "answers"))
    shares = (share(*(row[f"{name}{end}"] for end in ("", "_low", "_high"))) for name in ("share", "above"))
    return [*about, *shares, row["problems"], row["seeds"]]
