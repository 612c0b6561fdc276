"""Mermaid's `a --> b` drawn as SVG when the site is built, so that a page needs no script and no network."""

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.transforms import SphinxTransform

EDGE = re.compile(r"^\s*(\w+) --> (\w+)$", re.M)
WIDE, HIGH, ACROSS, DOWN = 104, 30, 118, 74  # of a box; from box to box


def layers(edges):
    """Names by their depth: how many arrows lie between a name and what nothing points to, at most."""
    depth = dict.fromkeys((name for edge in edges for name in edge), 0)
    for _ in depth:
        for a, b in edges:
            depth[b] = max(depth[b], depth[a] + 1)
    rows = [[name for name in depth if depth[name] == row] for row in range(max(depth.values()) + 1)]
    return [sorted(row, key=lambda name: _above(name, edges, rows)) for row in rows]


def _above(name, edges, rows):
    """Where, on average, the names stand that point here."""
    places = [row.index(a) / len(row) for a, b in edges if b == name for row in rows if a in row]
    return sum(places) / len(places) if places else 0.5


def drawn(source) -> str:
    """SVG of a flowchart."""
    edges = EDGE.findall(source)
    rows = layers(edges)
    width = max(map(len, rows)) * ACROSS
    at = {
        name: (width * (i + 0.5) / len(row), HIGH / 2 + 2 + DOWN * depth)
        for depth, row in enumerate(rows)
        for i, name in enumerate(row)
    }
    height = DOWN * (len(rows) - 1) + HIGH + 4
    parts = "".join([*_arrows(edges, at), *_boxes(at)])
    names = ", ".join(f"{a} to {b}" for a, b in edges)
    return (
        f'<svg class="flowchart" viewBox="0 0 {width} {height}" role="img" aria-label="Arrows: {names}">'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>{parts}</svg>'
    )


def _arrows(edges, at) -> Iterator[str]:
    for a, b in edges:
        (x, y), (u, v) = at[a], at[b]
        y, v = y + HIGH / 2, v - HIGH / 2 - 1
        bend = f"C{x:.0f} {y + 28:.0f} {u:.0f} {v - 28:.0f} {u:.0f} {v:.0f}"
        yield f'<path class="arrow" d="M{x:.0f} {y:.0f}{bend}"/>'


def _boxes(at) -> Iterator[str]:
    for name, (x, y) in at.items():
        corner = f'x="{x - WIDE / 2:.0f}" y="{y - HIGH / 2:.0f}"'
        yield f'<rect {corner} width="{WIDE}" height="{HIGH}" rx="5"/>'
        yield f'<text x="{x:.0f}" y="{y + 5:.0f}">{name}</text>'


class Flowcharts(SphinxTransform):
    """Replace blocks of Mermaid by their drawing."""

    default_priority = 300

    def apply(self, **options):
        """Draw each block of a page."""
        for block in list(self.document.findall(nodes.literal_block)):
            if block.get("language") == "mermaid":
                block.replace_self(nodes.raw("", drawn(block.astext()), format="html"))


def setup(app):
    """Sphinx's door."""
    app.add_transform(Flowcharts)
    return {"parallel_read_safe": True}
