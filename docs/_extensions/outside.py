"""Links to files and folders of the repository, which the site has no page for: their text alone."""

from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform


class Outside(SphinxPostTransform):
    """Replace links to what lies in the repository by their text, which names the place."""

    default_priority = 5

    def run(self, **options):
        """Replace each such link of a page."""
        page = Path(self.env.doc2path(self.env.docname)).parent
        for link in list(self.document.findall(_is_link)):
            if self._is_outside(page, link["reftarget"].partition("#")[0]):
                link.replace_self(nodes.inline("", "", *(child.deepcopy() for child in link.children)))

    def _is_outside(self, page, name):
        """Is it there, and no page? A name is relative to the page, or to all pages and without .md."""
        inside = Path(self.env.srcdir)
        for target in ((page / name).resolve(), (inside / f"{name}.md").resolve()):
            if target.exists():
                return target.is_dir() or inside not in target.parents
        return False


def _is_link(node):
    return isinstance(node, nodes.Element) and bool(node.get("reftarget")) and "refuri" not in node


def setup(app):
    """Sphinx's door."""
    app.add_post_transform(Outside)
    return {"parallel_read_safe": True}
