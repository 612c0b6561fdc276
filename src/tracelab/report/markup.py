"""HTML from numbers: escaped text, estimates with intervals, tables, figures."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from tracelab.core.files import UTF8
from tracelab.core.terminal import counted, figure

DASH = "–"
POINTS_A_REM = 11.6  # so that a figure's text is about as large as the page's small one
INKS = {"#000000": "currentColor", "#ffffff": "var(--page)", "#e6e6e6": "var(--line)"}


class Html(str):
    """Text that is markup already."""


def text(value: Any) -> str:
    """Escaped, unless it is markup; a dash for what there is none of."""
    return value if isinstance(value, Html) else escape(DASH if value is None else str(value))


def counted_range(counts: Sequence[int], thing: str) -> str:
    """`256 problems`, or `24–32 problems` where counts differ."""
    least, most = min(counts), max(counts)
    return counted(most, thing) if least == most else f"{least}{DASH}{counted(most, thing)}"


def share(value: float | None, low: float | None, high: float | None) -> Html:
    """A share in per cent, with its interval where that is known."""
    return _estimate((value, low, high), lambda x: f"{100 * x:.1f}")


def points(value: float | None, low: float | None, high: float | None) -> Html:
    """A difference of shares in percentage points, with its interval where that is known."""
    ends = (end if end is None else min(max(end, -1), 1) for end in (low, high))  # Student's t has no bounds
    return _estimate((value, *ends), lambda x: f"{100 * x:+.1f}")


def number(value: float | None, low: float | None, high: float | None) -> Html:
    """A number with its interval, where that is known."""
    return _estimate((value, low, high), lambda x: f"{x:.2f}")


def significant(value: float | None, low: float | None, high: float | None) -> Html:
    """A number of any size with its interval, where that is known, in three significant digits."""
    return _estimate((value, low, high), lambda x: figure(x) if abs(x) >= 1000 else f"{x:.3g}")


def _estimate(known: Iterable[float | None], written: Callable[[float], str]) -> Html:
    """Value, low, high; a dash without a value. What is nan is not known."""
    value, low, high = (None if x is None or math.isnan(x) else x for x in known)
    if value is None:
        return Html(DASH)
    interval = "" if low is None or high is None else f" <small>[{written(low)}, {written(high)}]</small>"
    return Html(f"{written(value)}{interval}")


def p_value(p: float) -> str:
    """P value as text: two decimals, three below 0.1, "< 0.001" below that; a dash for nan."""
    if math.isnan(p):
        return DASH
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> Html:
    """A table that scrolls by itself where the page is narrow; the first column heads its rows."""
    head = "".join(f'<th scope="col">{text(heading)}</th>' for heading in headings)
    lines = []
    for first, *rest in rows:
        cells = "".join(f"<td>{text(cell)}</td>" for cell in rest)
        head_of_row = text(first).replace("_", "_<wbr>").replace("/", "/<wbr>")
        lines.append(f'<tr><th scope="row">{head_of_row}</th>{cells}</tr>')
    body = "\n".join(lines)
    return Html(
        f'<div class="wide" role="region" tabindex="0" aria-label="{escape(caption)}"><table>'
        f"<caption>{text(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def paragraph(words: str) -> Html:
    """A paragraph."""
    return Html(f"<p>{text(words)}</p>")


def details(summary: str, body: str) -> Html:
    """What is folded away at first."""
    return Html(f"<details><summary>{text(summary)}</summary>{text(body)}</details>")


def drawing(path: Path, caption: str, folder: str) -> Html:
    """A figure inlined as SVG, in the page's colours, with links to its files in `folder`."""
    kinds = [kind for kind in ("png", "pdf", "csv") if path.with_name(f"{path.name}.{kind}").is_file()]
    links = ", ".join(f'<a href="{escape(folder)}/{path.name}.{kind}">{kind.upper()}</a>' for kind in kinds)
    return Html(
        f'<figure class="plot"><div class="wide" role="region" tabindex="0" aria-label="{escape(caption)}">'
        f"{_svg(path)}</div><figcaption>{text(caption)} {links}</figcaption></figure>"
    )


def _svg(path: Path) -> str:
    """SVG markup of a figure, without prologue and metadata. Its ids are its own; its inks are the page's."""
    content = path.with_name(f"{path.name}.svg").read_text(encoding=UTF8)
    content = content[content.index("<svg") :]
    content = re.sub(r"<metadata>.*?</metadata>", "", content, flags=re.DOTALL)
    content = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{path.name}-", content)
    for ink, variable in INKS.items():
        content = content.replace(ink, variable)
    size = re.search(r'<svg [^>]*?width="([\d.]+)pt"', content)
    assert size is not None
    width = f"{float(size[1]) / POINTS_A_REM:.1f}rem"
    return content.replace("<svg ", f'<svg aria-hidden="true" style="width: {width}" ', 1)
