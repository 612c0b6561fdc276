"""The page, put together: sections, style and viewer in one file that needs no network."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from string import Template
from tempfile import mkdtemp

from tracelab.core.files import UTF8, read_text, write_text
from tracelab.report.markup import Html, paragraph, text
from tracelab.report.sections import Section, every
from tracelab.report.study import Study
from tracelab.report.traces import traces
from tracelab.runs.entry import say

SKIP = '<a class="skip" href="#viewer">To the trace viewer</a>'
MADE = ".made"  # names of the files beside a page that it came with
VIEWER = Section("viewer", "Trace viewer", 1000, lambda _: None)  # the last; its data stands in the page, too


def write(study: Study, examples: int, wanted: Sequence[Section]) -> None:
    """Write a page of these sections, and the folder of figures and tables beside it: all of it or nothing.

    ValueError if a folder or a file of another kind lies where they are to be.
    """
    if study.out.is_dir() or (study.data.exists() and not study.data.is_dir()):
        raise ValueError(f"--out {study.out}: it, or {study.data.name}, is something else: take another name")
    study.out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(mkdtemp(prefix=f".{study.out.stem}.", suffix=".partial", dir=study.out.parent))
    try:
        made = replace(study, out=partial / study.out.name)
        _write(made, examples, wanted)
        _take_places(made, study)
    finally:
        shutil.rmtree(partial)


def _take_places(made: Study, study: Study) -> None:
    """Move what is made to where it belongs, the page last; remove what an earlier page came with and this
    one does not. Ctrl-C in these milliseconds comes too late.
    """
    names = sorted(path.name for path in made.data.iterdir())
    known = study.data / MADE
    before = read_text(known).splitlines() if known.is_file() else []
    main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if main else None
    try:
        study.data.mkdir(exist_ok=True)
        for name in names:
            shutil.move(made.data / name, study.data / name)
        for name in {*before} - {*names}:
            if name == Path(name).name:  # and lies nowhere else
                (study.data / name).unlink(missing_ok=True)
        write_text(known, "\n".join(names))
        shutil.move(made.out, study.out)
    finally:
        if main:
            signal.signal(signal.SIGINT, handler)


def chosen(only: Sequence[str] | None) -> list[Section]:
    """The sections of these names, or all, in the order of the page. ValueError for an unknown name."""
    known = [*every(), VIEWER]
    if unknown := sorted(set(only or ()) - {section.name for section in known}):
        names = ", ".join(section.name for section in known)
        raise ValueError(f"--only {unknown[0]}: there is no such section; choose from {names}")
    return [section for section in known if only is None or section.name in only]


def _write(study: Study, examples: int, wanted: Sequence[Section]) -> None:
    study.data.mkdir()
    content: dict[str, tuple[str, Html]] = {}
    outcomes = ""
    body: Html | None
    for section in wanted:
        say(f"{section.title} ...")
        if section is VIEWER:
            body, outcomes = _viewer(study, examples)
        else:
            body = _body(section.make, study)
        if body is not None:
            content[section.name] = section.title, body
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
        skip=SKIP if VIEWER in wanted else "",
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
