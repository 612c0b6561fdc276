"""The sections of a report, a file each: whatever lies here is on the page.

A file has TITLE, its heading; PLACE, by which sections are ordered; and `section(study)`, which gives its
markup, or None where there is nothing to show. Figures and tables' data go into `study.data`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from tracelab.report.markup import Html
from tracelab.report.study import Study


@dataclass(frozen=True)
class Section:
    """A section by name. make: the study -> its markup, or None."""

    name: str
    title: str
    place: int
    make: Callable[[Study], Html | None]


def every() -> list[Section]:
    """All sections, in the order of the page."""
    names = sorted(name for _, name, _ in pkgutil.iter_modules(__path__))
    modules = {name: import_module(f"{__name__}.{name}") for name in names}
    found = [Section(name, m.TITLE, m.PLACE, m.section) for name, m in modules.items()]
    return sorted(found, key=lambda section: section.place)
