"""The comparisons on a CPU: rows name sides that exist, ratios are ours to theirs, pages keep their prose."""

import ast
import importlib
import json
import subprocess
import sys

import pytest

from tests.helpers.bench import script
from tracelab.core.paths import ROOT

BENCH = ROOT / "bench"


def run(*words):
    """A Python command in bench/ -> what it printed."""
    done = subprocess.run([sys.executable, *words], cwd=BENCH, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def missing(source):
    """Names that Python source imports from tracelab, within functions too, and that are not there."""
    tree = ast.walk(ast.parse(source))
    ours = [n for n in tree if isinstance(n, ast.ImportFrom) and n.module.split(".")[0] == "tracelab"]
    named = [(node.module, alias.name) for node in ours for alias in node.names]
    return [f"{module}.{name}" for module, name in named if not is_there(module, name)]


def is_there(module, name):
    try:
        return hasattr(importlib.import_module(module), name) or importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return False


def test_what_is_imported_from_tracelab_is_there():
    sources = {path.name: path.read_text(encoding="utf-8") for path in sorted(BENCH.glob("*.py"))}
    assert len(sources) > 15
    assert not {name: missing(source) for name, source in sources.items() if missing(source)}
    inside = "def f():\n    from tracelab.training import accelerate, nothing\n"
    assert missing(inside) == ["tracelab.training.nothing"], "it can fail"
    assert missing("from tracelab.training.budget import Budget, Bill") == ["tracelab.training.budget.Bill"]


def test_rows_compare_sides_that_exist():
    run(
        "-c",
        "import sys, generation, posttraining, sampling, suite, tasks, training\n"
        "sides = {'generation': (*generation.GENERATE, 'reasoning_gym', 'maze_dataset')}\n"
        "sides |= {m.__name__: m.SIDES for m in (posttraining, sampling, training)}\n"
        "sides['tasks'] = [f'{task}:{side}' for task in tasks.TASKS for side in ('same', 'gym')]\n"
        "for name, known in sides.items():\n"
        "    for row in sys.modules[name].ROWS: assert {row.ours, row.peer} <= set(known), row\n"
        "    assert set(suite.SCRIPTS[name]) <= set(known), name\n",
    )


def test_a_report_is_ours_over_theirs(tmp_path):
    script = (
        "import argparse, pathlib, sys; from common import Row, report\n"
        "options = argparse.Namespace(results=pathlib.Path(sys.argv[1]), threads=1)\n"
        "figures = {'ours': [3.0, 9.0, 4.0], 'theirs': [2.0, 1.0, 7.0]}\n"
        "rows = [Row('speed', 'theirs', 'all', '5'), Row('speed', 'not run', 'all', '5')]\n"
        "report('made_up', 'steps/s', figures, rows, options)"
    )
    printed = run("-c", script, str(tmp_path))
    result = json.loads((tmp_path / "made_up.json").read_text())
    (row,) = result["rows"]
    assert (row["ours_median"], row["peer_median"], row["ratio"], row["rounds"]) == (4.0, 2.0, 2.0, 3)
    assert "speed, steps/s" in printed
    assert result["machine"]["versions"]["torch"]


def test_parts_alone_take_no_records_place(tmp_path):
    script = (
        "import argparse, json, pathlib, sys; from common import RESULTS, keep, kept_in\n"
        "here = pathlib.Path(sys.argv[1])\n"
        "found = [kept_in(*words) for words in ((None, 'ab', 'ab'), (None, 'a', 'ab'), (here, 'a', 'ab'))]\n"
        "assert found == [RESULTS, None, here], found\n"
        "for folder in (None, here): keep(folder, 'made_up', {'a': 1})"
    )
    not_written, written = run("-c", script, str(tmp_path)).splitlines()
    assert not_written.startswith("Not written, for parts are left out")
    assert written == f"Written: {tmp_path / 'made_up.json'}"
    assert json.loads((tmp_path / "made_up.json").read_text())["a"] == 1


@pytest.mark.parametrize("words", ["gpu_check --only ceilings", "gpu_check --smoke", "gpu --smoke"])
def test_toy_sizes_and_stages_alone_take_no_gpus_records_place(words, monkeypatch, capsys):
    name, *options = words.split()
    monkeypatch.setattr(sys, "argv", [name, *options])
    with script(name) as module, pytest.raises(SystemExit) as refused:
        module.main()
    assert refused.value.code == 2
    assert "name another file, --output FILE" in capsys.readouterr().err


def test_the_suite_keeps_the_rounds_of_each_side():
    rounds = {"ours": [3.0, 9.0], "theirs": [2.0, 1.0]}
    results = {name: {"rows": [{"what": name}], "runs": rounds, "threads": 1} for name in ("a", "b")}
    with script("suite") as suite:
        content = suite.together(results)
    assert content == {
        "rows": [{"what": "a", "threads": 1}, {"what": "b", "threads": 1}],
        "runs": {"a": rounds, "b": rounds},
    }


def test_a_page_keeps_what_is_written_by_hand(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Mine\n\nbefore\n<!-- tables -->\nold\n<!-- end of tables -->\nafter\n")
    script = "import pathlib, sys; from common import between_marks as put\n"
    script += "for lines in (['new'], ['newer']): put(pathlib.Path(sys.argv[1]), lines, 'title')"
    run("-c", script, str(page))
    text = page.read_text()
    assert text.startswith("# Mine\n\nbefore\n")
    assert text.endswith("\nafter\n")
    assert "newer" in text
    assert "old" not in text


@pytest.mark.parametrize(("part", "at"), [("mazes", 5), ("streaming", 300)])
def test_a_point_of_growth(part, at):
    figures = json.loads(run("growth.py", "--part", part, "--at", str(at)).splitlines()[-1])
    assert all(value > 0 for value in figures.values())
