"""Links that leave the pages, to a file or a folder of the repository: their text alone, for there is no page."""

from pathlib import Path

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform


class Outside(SphinxPostTransform):
    """Links to what lies in the repository become code, which names the place."""

    default_priority = 5

    def run(self, **options):
        """Replace each such link of a page."""
        page = Path(self.env.doc2path(self.env.docname)).parent
        for link in list(self.document.findall(_is_link)):
            target = (page / link["reftarget"].partition("#")[0]).resolve()
            if target.exists() and (target.is_dir() or Path(self.env.srcdir) not in target.parents):
                link.replace_self(nodes.inline("", "", *(child.deepcopy() for child in link.children)))


def _is_link(node):
    return isinstance(node, nodes.Element) and bool(node.get("reftarget")) and "refuri" not in node


def setup(app):
    """Sphinx's door."""
    app.add_post_transform(Outside)
    return {"parallel_read_safe": True}
