"""The workflows of .github: of which sources a cache of kernels is, and that optional tests are run."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from tracelab.core import sources
from tracelab.core.paths import CLONE, PACKAGE, TASKS

FOLDER = CLONE / ".github" / "workflows"
IN_TEST = {"transformers", "datasets", "duckdb", "polars", "pyperplan", "unified_planning", "distributed"}
IN_TEST |= {"tokenizers", "safetensors"}  # of those in the extra `test`, or what these bring along
BY_HAND = {"tests/adapters/test_verl.py"}


def read(name):
    return yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))


def test_the_cache_of_kernels_is_named_by_the_sources_that_name_its_folder(monkeypatch):
    folders = []
    monkeypatch.setattr(sources, "hash_of", lambda files: folders.extend({folder for folder, _ in files}))
    sources.sources_hash.__wrapped__()
    (step,) = (
        s for s in read("ci")["jobs"]["tests"]["steps"] if s.get("uses", "").startswith("actions/cache@")
    )
    said = set(re.findall(r"'([\w/]+)/\*\*/\*\.py'", step["with"]["key"]))
    assert said == {
        "tasks" if folder == TASKS else folder.relative_to(PACKAGE.parents[1]).as_posix()
        for folder in folders
    }
    assert "'constraints.txt'" in step["with"]["key"]


def skipping():
    """Test files that are skipped, or have tests that are, where a library is not installed."""
    for path in sorted({*(CLONE / "tests").rglob("test_*.py")} - {Path(__file__).resolve()}):
        text = path.read_text(encoding="utf-8")
        named = set(re.findall(r"importorskip\(\s*\"(\w+)", text)) - IN_TEST
        if named or re.search(
            r"skip(if)?\(.*(slurm-wlm|peers are|verl is|brings \{|with the extra cluster)", text
        ):
            yield path.relative_to(CLONE).as_posix()


@pytest.mark.parametrize("path", sorted(skipping()))
def test_what_is_skipped_without_a_library_is_run_with_it(path):
    run = [
        word
        for job in read("libraries")["jobs"]["libraries"]["strategy"]["matrix"]["include"]
        for word in job["tests"].split()
    ]
    covered = any(path == word.partition("::")[0] or path.startswith(f"{word}/") for word in run)
    ignored = any(one == "--ignore" and path == other for one, other in pairwise(run))
    assert (covered and not ignored) or path in BY_HAND


def test_there_are_such_tests():
    found = set(skipping())
    assert {
        "tests/adapters/test_lm_eval.py",
        "tests/exchange/test_tools.py",
        "tests/runs/test_slurm.py",
    } <= found
    assert {"tests/report/test_report.py", "tests/data/test_clusters.py"} <= found
