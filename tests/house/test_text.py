"""Files are read and written in UTF-8, whatever the terminal speaks, and paths are no patterns."""

import ast

from tests.helpers.layers import FILES
from tracelab.core.paths import CLONE

SOURCES = [*FILES, *sorted((CLONE / "bench").glob("*.py"))]
OPENING = {"open", "read_text", "write_text", "fdopen", "NamedTemporaryFile"}
NO_FILES = ("os", "Run", "webbrowser", "pa.ipc")  # whose `open` opens something else
PATTERNS = {"scan_parquet", "read_parquet", "scan_csv", "scan_ipc", "read_ipc", "scan_ndjson"}


def calls(source):
    """(the call, what it is a method of, its name) of each call."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node, ast.unparse(node.func.value), node.func.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node, "", node.func.id


def names_no_encoding(source):
    """Lines that open text without saying how it is encoded."""
    found = []
    for call, owner, name in calls(source):
        ours = name in ("read_text", "write_text") and (
            not owner or len(call.args) == 2
        )  # core/files has them
        if name not in OPENING or owner in NO_FILES or ours:
            continue
        words = [str(value.value) for value in call.args if isinstance(value, ast.Constant)]
        binary = any(set(word) <= set("rwaxb+") and "b" in word for word in words)
        if not binary and "encoding" not in {word.arg for word in call.keywords}:
            found.append(call.lineno)
    return found


def takes_patterns(source):
    """Lines on which polars would read a path as a pattern."""
    return [
        call.lineno
        for call, owner, name in calls(source)
        if name in PATTERNS and owner == "pl" and "glob" not in {word.arg for word in call.keywords}
    ]


def test_every_text_file_names_its_encoding():
    found = {path: names_no_encoding(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {str(path): lines for path, lines in found.items() if lines} == {}


def test_no_path_is_a_pattern():
    found = {path: takes_patterns(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {str(path): lines for path, lines in found.items() if lines} == {}


def test_these_tests_can_fail():
    text = (
        'path.open()\nopen(p, "a")\npath.read_text()\npath.write_text("it")\nopen(p, "rb")\nos.open(p, 0)\n'
    )
    assert names_no_encoding(text + 'open(p, encoding="utf-8")\npath.open("wb")\nread_text(path)') == [
        1,
        2,
        3,
        4,
    ]
    assert takes_patterns("pl.scan_parquet(p)\npl.scan_parquet(p, glob=False)") == [1]
