"""The page, put together: sections, style and viewer in one file that needs no network."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from importlib.resources import files
from string import Template

from tracelab.core.files import UTF8, write_text
from tracelab.report.markup import Html, paragraph, text
from tracelab.report.sections import every
from tracelab.report.study import Study
from tracelab.report.traces import traces
from tracelab.runs.entry import say


def write(study: Study, examples: int) -> None:
    """Write the page, and the folder of figures and tables beside it."""
    study.data.mkdir(parents=True, exist_ok=True)
    content = {}
    for section in every():
        say(f"{section.title} ...")
        body = _body(section.make, study)
        if body is not None:
            content[section.name] = section.title, body
    say("Trace viewer ...")
    viewer, outcomes = _viewer(study, examples)
    content["viewer"] = "Trace viewer", viewer
    links = "".join(f'<a href="#{name}">{text(title)}</a>' for name, (title, _) in content.items())
    parts = [
        f'<section id="{name}" aria-labelledby="about-{name}"><h2 id="about-{name}">{text(title)}</h2>'
        f"{body}</section>"
        for name, (title, body) in content.items()
    ]
    runs = study.runs
    page = Template(_file("page.html")).substitute(
        title=text(f"{runs['task'][0]}: {', '.join(study.arms)}"),
        style=_file("style.css"),
        contents=links,
        sections="\n".join(parts),
        outcomes=outcomes,
        script=_file("pictures.js") + _file("viewer.js"),
    )
    write_text(study.out, page)


def _body(section: Callable[[Study], Html | None], study: Study) -> Html | None:
    """A section, or why there is none: what can't be compared is said, the rest is shown."""
    try:
        return section(study)
    except ValueError as error:
        return Html(f'<div class="warning">{paragraph(str(error))}</div>')


def _viewer(study: Study, examples: int) -> tuple[Html, str]:
    """-> (its markup, its data: compressed JSON in base64)."""
    try:
        content = traces(study, examples)
    except ValueError as error:
        return Html(f'<div class="warning">{paragraph(str(error))}</div>'), ""
    packed = gzip.compress(json.dumps(content, separators=(",", ":")).encode(), mtime=0)
    markup = Template(_file("viewer.html")).substitute(
        shown=f"{len(content['outcomes']):,}",
        all=f"{content['all']:,}",
        each=content["each"],
        legend=text(content["legend"].replace("   ", " · ")),
    )
    return Html(markup), base64.b64encode(packed).decode()


def _file(name: str) -> str:
    return files("tracelab.report").joinpath(name).read_text(encoding=UTF8)
