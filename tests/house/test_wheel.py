"""A wheel of the tree trains from any folder: `conf/` and `tasks/` are in it."""

import json
import os
import subprocess
import sys
import zipfile

import pytest

from tests.helpers.runs import SMALL
from tracelab.core.paths import CLONE


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel's content, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=CLONE, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


WITHIN = {
    "src": ".",
    "conf": "tracelab/conf",
    "tasks": "tracelab/tasks",
}  # folders of the tree -> where there
MADE_HERE = ("__pycache__", ".egg-info")  # by Python and pip, and no part of the tree


@pytest.mark.parametrize("folder", WITHIN)
def test_it_has_all_that_the_tree_has(wheel, folder):
    """Code, configs, and the texts and pages that code reads: byte for byte."""
    every = [path for path in (CLONE / folder).rglob("*") if path.is_file()]  # rglob follows no links
    names = [path.relative_to(CLONE / folder) for path in every]
    kept = [name for name in names if not any(part.endswith(MADE_HERE) for part in name.parts)]
    assert {".py", ".yaml"} & {name.suffix for name in kept}
    missing = [str(name) for name in kept if not (wheel / WITHIN[folder] / name).is_file()]
    assert missing == []
    for name in kept:
        assert (wheel / WITHIN[folder] / name).read_bytes() == (CLONE / folder / name).read_bytes()


# As its console scripts do it, with kernels that are plain Python: numba would compile them for this folder.
MADE = """
import sys
from pathlib import Path
from tracelab.core import jit
jit.interpret()
import tracelab
print(tracelab.__file__)
from tracelab import report, train
train.main()
(run,) = Path().glob("runs/*/*")
report.main([str(run), "--examples", "2"])
"""
FEW = (
    "model.heads=16",  # too narrow for the kernel that decodes, which is compiled alone
    "data.train_size=64",
    "data.val_size=8",
    "eval.problems=4",
    "eval.max_new=8",
    "validate_problems=0",
)


def test_it_trains_from_any_folder(wheel, tmp_path):
    command = [sys.executable, "-c", MADE, *SMALL, *FEW, "budget.steps=2", "trace=swapped"]
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith(str(wheel))
    (run,) = tmp_path.glob("runs/*/*")
    assert "trace-swapped" in run.parent.name
    assert json.loads((run / "run.json").read_text())["status"] == "evaluated"
    assert "wilson" in done.stdout
    assert "trace viewer" in (tmp_path / "report.html").read_text()


def test_hydra_finds_its_plugins(wheel):
    plugins = wheel / "hydra_plugins"
    assert all((plugins / f"tracelab_{kind}.py").is_file() for kind in ("launcher", "sweeper"))


def test_its_console_scripts_exist(wheel):
    (scripts,) = wheel.glob("*.dist-info/entry_points.txt")
    names = ("train", "evaluate", "generate", "judge", "show", "report", "export")
    assert all(f"tracelab-{name} = tracelab.{name}:main" in scripts.read_text() for name in names)
    assert "tracelab-import = tracelab.import_run:main" in scripts.read_text()
