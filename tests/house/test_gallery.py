"""The gallery is what its command writes today."""

import subprocess
import sys

from tests.helpers.runs import task_names
from tracelab.core.paths import CLONE, CONF
from tracelab.gallery import HEAD, built

TEXT = (CLONE / "docs" / "gallery.md").read_text(encoding="utf-8")


def test_every_task_is_shown_under_every_treatment_that_needs_no_model():
    arms = sorted(path.stem for path in CONF.glob("trace/*.yaml"))
    lacking = {arm for arm in arms if built("trace", arm).lacks}
    assert lacking == {"speculative"}
    assert TEXT.startswith(HEAD)
    shown = [line.removeprefix("### ") for line in TEXT.splitlines() if line.startswith("### ")]
    assert shown == [f"{task}, {arm}" for task in sorted(task_names()) for arm in arms if arm not in lacking]


def test_a_section_is_what_the_command_writes(tmp_path):
    command = [sys.executable, "-m", "tracelab.gallery", "tasks=[arithmetic,hops]", "output=page.md"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    first, *sections = (tmp_path / "page.md").read_text(encoding="utf-8").split("\n## ")
    assert first.strip() == HEAD.strip()
    assert [section.split("\n")[0] for section in sections] == ["arithmetic", "hops"]
    for section in sections:
        assert section.strip() in TEXT
    assert (tmp_path / "figures" / "gallery" / "hops.png").is_file()
