"""What is said to people never fails a run: signs that a terminal has not, readers that are gone."""

import os
import subprocess
import sys

import pytest

from tests.helpers.forked import run
from tracelab.core.terminal import counted

SAY = "from tracelab.core.terminal import endure; import sys; endure()\n"
LONG = "for i in range(20_000):\n    print(i, flush=True); print('─', i, file=sys.stderr)\n"


def python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", SAY + code], capture_output=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("ascii", b"3-7 === -> \\xe9\n"),
        ("iso-8859-1", b"3-7 === -> \xe9\n"),
        ("utf-8", "3–7 ━━━ → é\n".encode()),
    ],
)
def test_what_a_terminal_cannot_write_is_written_in_ascii(encoding, said):
    assert python("print('3–7 ━━━ → é')", PYTHONIOENCODING=encoding) == said


def test_a_table_of_results_and_the_bar_are_shown_in_ascii():
    code = """
from pathlib import Path
from tracelab.runs.tables import print_results
from tracelab.training.progress import bar
nothing = {"value": None, "low": None, "high": None, "n": 24, "label": "solution valid"}
print_results({"test": {"solution_valid": nothing}}, "a run", Path("runs"))
print(bar(0.5))
"""
    text = run("-c", f"import sys; sys.stdout.reconfigure(encoding='ascii')\n{SAY}{code}").stdout
    assert text.isascii()
    assert "solution valid" in text
    assert "==========----------" in text


def test_a_pipe_that_nobody_reads_ends_the_printing_alone(tmp_path):
    code = SAY + LONG + f"open({str(tmp_path / 'end')!r}, 'w').write('after')"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout.readline()
        process.stdout.close()
    assert process.returncode == 0
    assert (tmp_path / "end").read_text() == "after"


def test_a_full_disk_under_a_log_and_closed_streams_fail_nothing():
    if os.path.exists("/dev/full"):
        with open("/dev/full", "wb") as full:
            assert (
                subprocess.run([sys.executable, "-c", SAY + LONG], stdout=full, stderr=full).returncode == 0
            )
        python(
            "from tracelab.core.terminal import log\n"
            "from pathlib import Path; print(3, file=log(Path('/dev/full')))"
        )
    closed = ["sh", "-c", 'exec "$0" "$@" >&- 2>&-', sys.executable, "-c", SAY + LONG]
    assert subprocess.run(closed).returncode == 0


def test_one_of_a_thing_has_no_plural():
    said = [counted(n, thing) for n in (0, 1, 2000) for thing in ("seed", "batch", "process")]
    assert said[3:6] == ["1 seed", "1 batch", "1 process"]
    assert (*said[:3], *said[6:]) == (
        *("0 seeds", "0 batches", "0 processes"),
        *("2,000 seeds", "2,000 batches", "2,000 processes"),
    )
