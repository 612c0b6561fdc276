"""The doctor's screen: what it finds, what it calls bad, and how it says to mend that."""

import os
import re
import subprocess
import sys
import tomllib

import pytest
from torch._inductor.cpp_builder import cpp_compiler_search
from torch._inductor.exc import InvalidCxxCompiler

from tracelab.core.paths import CLONE
from tracelab.demo import WORDS
from tracelab.doctor import folders, hardware, screen, software
from tracelab.doctor.finding import BAD, GOOD, NOTE, Finding
from tracelab.doctor.screen import CHECKS


def examined(folder, **environment):
    """(exit status, lines) of the command, run in a folder."""
    done = subprocess.run(
        [sys.executable, "-m", "tracelab.doctor"],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_help_examines_nothing(capsys, monkeypatch):
    monkeypatch.setattr(screen, "findings", lambda: pytest.fail("it examines the machine"))
    for words, status in ((["--help"], 0), (["--fast"], 2)):
        with pytest.raises(SystemExit) as ended:
            screen.main(words)
        assert ended.value.code == status
    assert "python -m tracelab.doctor" in capsys.readouterr().out


def test_one_screen_on_a_machine_that_can_train(tmp_path):
    status, lines, errors = examined(tmp_path, TRACELAB_CACHE=str(tmp_path / "cache"))
    text = "\n".join(lines)
    assert status == 0, text
    assert not errors
    assert len(lines) < 25
    assert [line for line in lines if line.startswith(BAD)] == []
    for about in ("python", "versions", *CHECKS):
        assert any(line[5:].startswith(about) for line in lines), f"{about} is missing:\n{text}"
    assert re.search(
        r"precision +(32-true|bf16-mixed) \(measured here: bfloat16 [\d.,]+, float32 [\d.,]+", text
    )
    assert re.search(r"tokens/s: make demo takes about \d+ minutes", text)
    assert lines[-1] == "Training can run here."
    assert not (tmp_path / "runs").exists(), "it leaves nothing behind"


def test_the_demo_that_is_timed_is_the_one_of_make_demo():
    command = f"python -m tracelab.train {' '.join(WORDS)}"
    assert f"$(BIN)/{command}\n" in (CLONE / "Makefile").read_text(encoding="utf-8")
    assert f"`make demo` runs `{command}`" in (CLONE / "README.md").read_text(encoding="utf-8")


def test_the_page_shows_as_many_libraries_as_are_needed():
    needed = tomllib.loads((CLONE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    page = (CLONE / "docs" / "install.md").read_text(encoding="utf-8")
    assert f"versions    {len(needed)} libraries as pinned" in page


def test_what_cannot_be_written_is_bad_and_says_how_to_mend_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "runs").write_text("a file in the way")
    (tmp_path / "cache").write_text("another")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACELAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(screen, "CHECKS", {name: CHECKS[name] for name in ("cache", "runs")})
    with pytest.raises(SystemExit) as ended:
        screen.main()
    assert ended.value.code == 1
    text = capsys.readouterr().out
    assert text.splitlines()[-1] == "Training cannot run here: mend what is BAD."
    assert re.search(
        rf"{NOTE} +cache +\S+/cache cannot be written.*\n +→ TRACELAB_CACHE=<folder> moves", text
    )
    assert re.search(r"BAD +runs +\S+/runs cannot be written.*\n +→ .*give run_dir=<folder>", text)


def test_a_folder_that_is_looked_at_is_not_left_behind(tmp_path):
    """Nor those above it; what was there stays."""
    (tmp_path / "there").mkdir()
    for path in ("there", "there/one/two", "new/one"):
        assert "can be written" in folders.folder("runs", tmp_path / path, "").text
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_a_full_disk_is_bad(tmp_path, monkeypatch):
    monkeypatch.setattr(folders.shutil, "disk_usage", lambda _: type("usage", (), {"free": 2**28})())
    found = folders.folder("runs", tmp_path, "")
    assert found.state == BAD
    assert "make room" in found.mend


@pytest.mark.parametrize(("load", "state"), [(0.1, GOOD), (1000.0, NOTE)])
def test_a_busy_machine_is_a_note(monkeypatch, load, state):
    monkeypatch.setattr(hardware.os, "getloadavg", lambda: (load, load, load))
    found = hardware.processor()
    assert found.state == state
    assert ("threads=1" in found.mend) == (state == NOTE)


def test_little_memory_is_a_note(monkeypatch):
    monkeypatch.setattr(hardware, "LEAST_MEMORY", 10**6)
    assert hardware.memory().state == NOTE


@pytest.mark.parametrize(
    ("most", "used", "kept", "left"),
    [("max", 9, 0, 7), ("10", 4, 0, 6), ("10", 8, 3, 5), ("20", 4, 0, 7), ("10", 11, 0, 0)],
)
def test_memory_within_a_containers_limit(tmp_path, monkeypatch, most, used, kept, left):
    """Of 7 bytes that the machine has: the limit, less what is used and what caches do not give back."""
    (tmp_path / "memory.max").write_text(f"{most}\n")
    (tmp_path / "memory.current").write_text(f"{used}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {kept}\nactive_file 1\n")
    assert hardware.within_limit(tmp_path, 7) == left
    if most.isdigit():
        monkeypatch.setattr(hardware, "CGROUP", tmp_path)
        assert hardware.memory().text == "0.0 GiB free"


@pytest.mark.parametrize("name", ["ccache g++", "nonsense", ""])
def test_a_compiler_that_is_no_program_is_named(monkeypatch, name):
    """Whatever is with the headers. torch takes the whole of CXX as one name, too."""
    monkeypatch.setenv("CXX", name)
    found = software.compiler()
    assert found.state == NOTE
    assert found.text == f"CXX={name} names no program"
    with pytest.raises((InvalidCxxCompiler, PermissionError)):
        cpp_compiler_search((name,))


def test_headers_that_are_missing_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "sh")
    monkeypatch.setattr(software.sysconfig, "get_path", lambda _: str(tmp_path))
    assert software.compiler().text == "Python.h is missing"


def test_without_a_compiler_training_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    found = software.compiler()
    assert found.state == NOTE
    assert "only compile=true needs it" in found.mend


@pytest.mark.parametrize(("version", "state"), [("3.10.9", BAD), ("3.13.1", GOOD), ("3.14.0", BAD)])
def test_a_python_that_is_too_old_or_too_new_is_bad(monkeypatch, version, state):
    project = tomllib.loads((CLONE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {"Requires-Python": project["requires-python"]}
    monkeypatch.setattr(software.metadata, "metadata", lambda _: wanted)  # an older one may be installed here
    monkeypatch.setattr(software.sys, "version", f"{version} (main)")
    found = software.python()
    assert found.state == state
    assert found.text.startswith(f"{version} at ")
    assert ("make PYTHON=<such a python> install" in found.mend) == (state == BAD)


def test_a_missing_library_is_bad_and_another_version_a_note(monkeypatch):
    real = software.metadata.version

    def version(name):
        if name == "polars":
            raise software.metadata.PackageNotFoundError(name)
        return {"numpy": "1.0", "scipy": "1.14.99", "pyyaml": "6.0"}.get(name) or real(name)

    monkeypatch.setattr(software.metadata, "version", version)
    found = list(software.versions())
    assert [f.state for f in found] == [BAD, BAD, NOTE]
    assert "numpy 1.0, but >=2.0 is needed" in [f.text for f in found]
    assert "polars is not installed" in [f.text for f in found]
    assert "scipy 1.14.99 (pinned: " in found[-1].text
    assert "pyyaml 6.0 (pinned: " in found[-1].text  # of constraints.txt's PyYAML


def test_a_check_that_fails_is_bad_and_the_others_go_on(monkeypatch):
    def fails():
        raise RuntimeError("no such processor")

    monkeypatch.setattr(screen, "CHECKS", {"processor": fails, "gpu": hardware.gpu})
    found = list(screen.findings())
    assert str(found[-2]) == "BAD  processor   RuntimeError: no such processor"
    assert found[-1].about == "gpu"


@pytest.mark.parametrize("state", [GOOD, NOTE, BAD])
def test_a_line(state):
    line = str(Finding("runs", "text", state, "do that"))
    assert line == f"{state:<5}runs        text\n                 → do that"
