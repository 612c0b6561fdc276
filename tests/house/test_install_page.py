"""docs/install.md: its advice changes something, and its commands are all that there are."""

import re
import tomllib

import pytest
import yaml

from tracelab.core.paths import CLONE, CONF, PACKAGE
from tracelab.runs.settings import Amounts
from tracelab.training.budget import extended

PAGE = (CLONE / "docs" / "install.md").read_text(encoding="utf-8")
SCRIPTS = tomllib.loads((CLONE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
WITHIN = {"tracelab-package": "tracelab.analysis.package:main"}  # a command inside a folder
OTHERWISE = {"import_run": "import"}  # `import` can't be a module


def read(*parts):
    return PACKAGE.joinpath(*parts).read_text(encoding="utf-8")


def test_clipping_is_advised_below_what_it_is_by_default():
    trainer = yaml.safe_load((CONF / "trainer" / "auto.yaml").read_text(encoding="utf-8"))
    for text in (PAGE, read("training", "learner.py")):
        advised = re.findall(r"trainer\.gradient_clip_val=([\d.]+)", text)
        assert advised
        assert all(float(value) < trainer["gradient_clip_val"] for value in advised)
        assert "optim.optimizer.lr" in text


def commands():
    """Modules of the package with a main that a user calls: files, and folders with a __main__."""
    files = [path for path in PACKAGE.glob("*.py") if re.search(r"^def main\(", path.read_text(), re.M)]
    folders = [path.parent for path in PACKAGE.glob("*/__main__.py")]
    return {path.stem for path in (*files, *folders)}


def test_every_command_has_a_script():
    wanted = {
        f"tracelab-{OTHERWISE.get(name, name).replace('_', '-')}": f"tracelab.{name}:main"
        for name in commands()
    }
    assert wanted | WITHIN == SCRIPTS
    assert len(wanted) > 20
    for target in SCRIPTS.values():
        place = target.partition(":")[0].removeprefix("tracelab.").replace(".", "/")
        text = read(f"{place}.py") if (PACKAGE / f"{place}.py").is_file() else read(place, "__init__.py")
        assert re.search(r"\bmain\b", text), target
    assert "`tracelab-train`" in PAGE


def test_where_the_cache_lies_is_said_as_the_code_has_it():
    text = read("core", "paths.py")
    for name in ("TRACELAB_CACHE", "XDG_CACHE_HOME"):
        assert f'"{name}"' in text
        assert re.search(rf"`\$?{name}\b", PAGE)


def test_why_a_budget_is_refused_is_said_for_each_reason():
    (row,) = (line for line in PAGE.splitlines() if "which can be extended, not changed" in line)
    for asked, why in ((Amounts(tokens=9), "in another unit"), (Amounts(steps=2), "or a smaller one")):
        with pytest.raises(ValueError, match="which can be extended, not changed"):
            extended(Amounts(steps=3), asked)
        assert why in row
