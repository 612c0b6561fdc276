"""How docstrings begin: with what the thing is or returns, and not with a preposition that leaves it out."""

import ast

from tests.helpers.layers import FILES
from tracelab.core.paths import CLONE

SOURCES = [*FILES, *sorted((CLONE / "bench").glob("*.py"))]
SCOPES = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
PREPOSITIONS = (
    "Of In On From To With Without For By At As Behind Beside After Before Among Within Into Over Under"
)


def offenders(source: str) -> list[int]:
    """Lines of docstrings whose first word is a preposition, ascending."""
    found = []
    for node in ast.walk(ast.parse(source)):
        text = ast.get_docstring(node) if isinstance(node, SCOPES) else None
        if text and text.split()[0].strip(",.:;").capitalize() in PREPOSITIONS.split():
            found.append(node.body[0].lineno)
    return sorted(found)


def test_docstrings_say_first_what_the_thing_is():
    assert len(SOURCES) > len(FILES) > 300
    found = [f"{path.relative_to(CLONE)}:{line}" for path in SOURCES for line in offenders(path.read_text())]
    assert not found, f"these begin with a preposition, and not with what the thing is: {', '.join(found)}"


def test_this_test_can_fail():
    wrong = '"""For all."""\nclass A:\n    """In: b."""\n    def f():\n        r"""\n        Of it."""\n'
    assert offenders(wrong) == [1, 3, 5]
    assert offenders('"""Format of a trace."""\ndef f():\n    """In-place sum, of it."""\n    "Of"\n') == []
    assert offenders("def f():\n    return 1\n") == []
