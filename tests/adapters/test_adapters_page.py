"""docs/adapters.md: every script on it runs as it stands, each with the real library."""

import importlib.util
import re

import pytest

from tracelab.core.paths import CLONE

PAGE = (CLONE / "docs" / "adapters.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"## (.+?)\n(?:(?!\n## ).)*?```python\n(.*?)```", PAGE, re.DOTALL)
NEEDS = {"TRL": "trl", "reasoning-gym": "reasoning_gym", "verifiers": "verifiers"}
pytestmark = pytest.mark.filterwarnings("ignore")  # theirs


def test_every_script_is_run():
    assert len(SCRIPTS) == PAGE.count("```python") == 5
    assert set(NEEDS) <= {title for title, _ in SCRIPTS}


@pytest.mark.parametrize(("title", "script"), SCRIPTS, ids=[title.split()[0] for title, _ in SCRIPTS])
def test_it_runs(title, script, tmp_path, monkeypatch, capsys):
    library = NEEDS.get(title)
    if library and importlib.util.find_spec(library) is None:
        pytest.skip(f"pip install 'tracelab[adapters]' brings {library}")
    monkeypatch.chdir(tmp_path)
    exec(compile(script, f"docs/adapters.md, {title}", "exec"), {"__name__": "__main__"})
    if title == "verl":
        assert (tmp_path / "train.parquet").is_file()
