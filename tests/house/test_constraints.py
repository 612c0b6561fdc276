"""What Pythons the project promises: all places say the same, and the oldest can install what is pinned."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import distributions

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tracelab.core.paths import CLONE

PROMISED = ("3.11", "3.12", "3.13")


def name_of(text):
    return re.sub(r"[-_.]+", "-", text).lower()


def text_of(name):
    return (CLONE / name).read_text(encoding="utf-8")


def test_all_places_name_the_same_pythons():
    wanted = SpecifierSet(tomllib.loads(text_of("pyproject.toml"))["project"]["requires-python"])
    minors = [f"3.{minor}" for minor in range(30)]
    assert [each for each in minors if f"{each}.0" in wanted] == [*PROMISED]
    assert f"python: {[*PROMISED]}".replace("'", '"') in text_of(".github/workflows/ci.yml")
    for page in ("README.md", "CONTRIBUTING.md", "docs/install.md"):
        assert f"Python {PROMISED[0]} to {PROMISED[-1]}" in text_of(page)
    assert f"tracelab needs python {PROMISED[0]} to {PROMISED[-1]};" in text_of("Makefile")


@pytest.mark.parametrize("minor", range(9, 16))
def test_make_takes_the_pythons_that_are_promised(minor):
    """By the line that it runs, told of another version."""
    (asked,) = re.findall(r"@\$\(PYTHON\) -c '(.*)'", text_of("Makefile"))
    told = f"import sys; sys.version_info = (3, {minor}, 2, 'final', 0); {asked}"
    refused = subprocess.run([sys.executable, "-c", told], check=False).returncode
    assert refused == (f"3.{minor}" not in PROMISED)


def test_pins_admit_the_oldest_python():
    """Of all pinned packages that are installed here."""
    oldest = f"{PROMISED[0]}.0"
    lines = text_of("constraints.txt").splitlines()
    pinned = {name_of(Requirement(line).name) for line in lines if line and not line.startswith("#")}
    found = {name_of(each.metadata["Name"]): each.metadata.get("Requires-Python") for each in distributions()}
    assert {"torch", "lightning", "pytest"} <= pinned & found.keys()
    refused = {name: found[name] for name in pinned & found.keys() if found[name]}
    assert not {name: asked for name, asked in refused.items() if oldest not in SpecifierSet(asked)}
