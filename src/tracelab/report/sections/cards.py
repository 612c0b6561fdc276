"""The data cards: what was trained on, judged by the verifier."""

from __future__ import annotations

from pathlib import Path

from tracelab.core.files import read_json
from tracelab.report.markup import Html, details, paragraph, share, table, text
from tracelab.report.study import STRICT, Study
from tracelab.runs.folder import Run

TITLE, PLACE = "Data cards", 140
NOTE = (
    "Of each arm the first run's. Tokens are means; of a set of several pieces (more than 100,000 problems) "
    "they, and the card below, are of the first. and on: new problems are drawn for as long as it trains."
)


def section(study: Study) -> Html:
    """The data cards: of each arm the first run's."""
    from tracelab.data import card

    parts, rows = [], []
    for arm in study.arms:
        run = study.runs.filter(arm=arm)["run"][0]
        path = Path(run) / "data_card.json"
        content = read_json(path)
        if content is None:
            rows.append([arm, "no data card"])
            continue
        train, online = content["splits"]["train"], Run.open(run).settings.data.online
        whole = content.get("whole training set", train)  # where the split has the first of several pieces
        judged = whole["solution"]["solution valid"], whole["trace"][STRICT]
        problems = f"{whole['problems']:,}" + (" and on" if online else "")
        ends = [(verdict["rate"], *verdict["interval"]) for verdict in judged]
        mean = {part: f"{d['mean']:.0f}" for part, d in train["tokens"].items()}
        tokens = [mean[part] for part in ("prompt", "trace", "solution")]
        rows.append([arm, content["promise"], problems, *(share(*e) for e in ends), *tokens])
        words = Html(f"<pre>{text(card.text(content))}</pre>")
        parts.append(details(f"{arm}: {study.name(run)}", words))
    headings = ["arm", "promise", "problems", "solutions valid", f"traces valid ({STRICT})"]
    headings += ["tokens: prompt", "trace", "solution"]
    shown = table("Training data, judged by the verifier", headings, rows) + paragraph(NOTE)
    return Html(shown + "".join(parts))
