"""Every notebook runs, from its first cell to its last, on small runs; and is saved as it should be."""

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.helpers.runs import post_training, small
from tracelab.evaluation.outcomes import write
from tracelab.posttraining.experiment import posttrain
from tracelab.probes.interventions import of_run
from tracelab.runs.folder import Run
from tracelab.training.experiment import train

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
OF_THE_STUDY = [path for path in NOTEBOOKS if path.stem != "grpo"]  # whose runs are not in the clone
SHORT = ("trainer=cpu", "rollout.prompts=4", "rollout.group=4", "rollout.max_new=30", "budget.steps=2")
FEW = ("held_out.problems=8", "passes.problems=4", "passes.samples=2", "threads=1")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two arms with interventions, and one of them post-trained."""
    folder = tmp_path_factory.mktemp("study")
    for arm in ("correct", "corrupted"):
        train(small(folder / arm, f"trace={arm}"))
        run = Run.open(folder / arm)
        write(of_run(run, rates=(0.5,), prefixes=(0.0, 0.5)), run.folder / "interventions.parquet")
    words = (
        f"run={folder / 'correct'}",
        f"run_dir={folder / 'grpo'}",
        "rollout.equal=keep",
        "reward=[length]",
    )
    posttrain(post_training(*SHORT, *FEW, *words))
    return folder


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_on_other_runs(path, study, tmp_path, monkeypatch, figures):
    monkeypatch.setenv("TRACELAB_RUNS", str(study))
    monkeypatch.setenv("TRACELAB_FIGURES", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert list(tmp_path.glob("*.png"))


def printed(notebook):
    """The tables that its cells print, as text."""
    return [
        output["data"]["text/plain"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "text/html" in output.get("data", ())
    ]


@pytest.mark.parametrize("path", OF_THE_STUDY, ids=lambda path: path.stem)
def test_prints_what_is_saved_from_the_data_of_the_clone(path, tmp_path, monkeypatch, figures):
    monkeypatch.delenv("TRACELAB_RUNS", raising=False)
    monkeypatch.setenv("TRACELAB_FIGURES", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(path, as_version=4)
    saved = printed(notebook)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(FOLDER)}}).execute()
    assert saved
    assert printed(notebook) == saved


def test_the_block_in_their_readme_runs(monkeypatch):
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    block = text.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(FOLDER)
    *first, last = ast.parse(block).body
    names = {}
    exec(compile(ast.Module(first, []), "README.md", "exec"), names)
    table = eval(compile(ast.Expression(last.value), "README.md", "eval"), names)
    assert set(table["arm"]) >= {"correct", "solution_only", "swapped"}
    assert set(table["n"]) == {512}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_saved_without_what_is_somebodys_own(path):
    """No absolute path, no warning."""
    text = path.read_text()
    assert "site-packages" not in text
    assert "Warning" not in text
    assert "/home/" not in text
