"""The data cards: what was trained on, judged by the verifier."""

from __future__ import annotations

from pathlib import Path

from tracelab.core.files import read_json
from tracelab.report.markup import Html, details, share, table, text
from tracelab.report.study import STRICT, Study

TITLE, PLACE = "Data cards", 140


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
