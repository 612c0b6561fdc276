"""What is pinned can be installed with the oldest Python that the project promises."""

import re
import tomllib
from importlib.metadata import distributions

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tracelab.core.paths import CLONE


def name_of(text):
    return re.sub(r"[-_.]+", "-", text).lower()


def test_pins_admit_the_oldest_python():
    """Of all pinned packages that are installed here."""
    project = tomllib.loads((CLONE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = project["requires-python"].removeprefix(">=") + ".0"
    assert oldest == "3.11.0"
    lines = (CLONE / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {name_of(Requirement(line).name) for line in lines if line and not line.startswith("#")}
    found = {name_of(each.metadata["Name"]): each.metadata.get("Requires-Python") for each in distributions()}
    assert {"torch", "lightning", "pytest"} <= pinned & found.keys()
    refused = {name: found[name] for name in pinned & found.keys() if found[name]}
    assert not {name: asked for name, asked in refused.items() if oldest not in SpecifierSet(asked)}
