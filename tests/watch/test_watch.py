"""The live view of real runs: one that trains, the same when it is killed, finished and failed ones."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from tests.helpers.forked import start
from tests.helpers.runs import SMALL, small
from tracelab.core.paths import CLONE
from tracelab.training import checks
from tracelab.training.experiment import train
from tracelab.watch.reading import MOST, TAIL, Kept, tail
from tracelab.watch.screen import ASCII_BARS, BARS, MOST_ARM, clock, fitting, screen, sparkline
from tracelab.watch.states import Watcher, numbers

WATCH = [sys.executable, "-m", "tracelab.watch"]
HOLD = """
import sys, time
from tracelab.runs.claims import claimed
with claimed(sys.argv[1]):
    print(1, flush=True)
    time.sleep(99)
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{CLONE / 'src'}:{CLONE}"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A finished run, a copy of it that failed, and one whose process was killed; and its state before."""
    folder = tmp_path_factory.mktemp("study")
    train(small(folder / "done", "trace=swapped", "eval.problems=4", "threads=1"))
    shutil.copytree(folder / "done", folder / "failed")
    record = folder / "failed" / "run.json"
    record.write_text(record.read_text().replace('"evaluated"', '"failed"'))
    endless = ("budget.steps=1000000", "data.short_first=null", "threads=1", f"run_dir={folder / 'going'}")
    until = time.monotonic() + 300
    with start("-m", "tracelab.train", *SMALL, *endless, cwd=CLONE) as process:
        try:
            while not (going := states(folder).get("going")) or not going.right:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.2)
        finally:
            process.kill()
    return folder, going


def states(folder):
    return {state.folder.name: state for state in Watcher([folder])()}


def test_a_run_while_it_trains_and_when_it_is_killed(study):
    folder, going = study
    assert going.status == "training"
    assert going.arm.startswith("correct")
    assert 0 < going.used < 0.5
    assert float(going.loss) > 0
    assert going.left > 0
    killed = states(folder)["going"]
    assert (killed.status, killed.left) == ("interrupted", None)
    (folder / "going" / "error.txt").write_text("its process was killed (SIGKILL)")  # as a sweep notes it
    assert states(folder)["going"].status == "failed"
    (folder / "going" / "error.txt").unlink()


def test_finished_and_failed_runs(study):
    found = states(study[0])
    assert (found["done"].status, found["done"].used, found["done"].left) == ("done", 1.0, None)
    assert len(found["done"].right) == len(found["done"].valid) == 2  # validations
    assert found["failed"].status == "failed"


def test_a_run_that_draws_its_problems_is_seen(tmp_path, study):
    shutil.copy(study[0] / "done" / "config.yaml", tmp_path)
    assert Watcher([tmp_path])() == []
    (tmp_path / ".lock").touch()
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        (state,) = Watcher([tmp_path])()
        process.kill()
    assert (state.status, state.used, state.loss) == ("starting", None, "")
    (state,) = Watcher([tmp_path])()
    assert state.status == "interrupted"


def test_configs_of_others_and_other_tasks(study, tmp_path):
    """Another tool's config is no run's; runs of several tasks are told apart by them."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.yaml").write_text("a: 1\n")
    (tmp_path / "other" / ".lock").touch()
    for name in ("maze", "sat"):
        shutil.copytree(study[0] / "done", tmp_path / name)
    assert {state.arm for state in Watcher([tmp_path])()} == {"swapped"}
    config = (tmp_path / "sat" / "config.yaml").read_text()
    (tmp_path / "sat" / "config.yaml").write_text(config.replace("  task: maze\n", "  task: sat\n"))
    assert {name: state.arm for name, state in states(tmp_path).items()} == {
        "maze": "maze: swapped",
        "sat": "sat: swapped",
    }


def test_a_folder_that_is_renamed_meanwhile(study, tmp_path):
    shutil.copytree(study[0] / "done", tmp_path / "before")
    watcher = Watcher([tmp_path])
    assert [state.folder.name for state in watcher()] == ["before"]
    (tmp_path / "before").rename(tmp_path / "after")
    watcher.looked = float("-inf")
    assert [(state.folder.name, state.arm) for state in watcher()] == [("after", "swapped")]


def test_what_ended_a_run_before_is_not_said_of_it_when_it_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "LIMITS", {})
    for _ in range(2):
        train(small(tmp_path, "+trainer.max_steps=2", "threads=1"))  # as if by Ctrl-C
        assert states(tmp_path)[tmp_path.name].status == "interrupted"
        (tmp_path / "error.txt").write_text("its process was killed (SIGKILL)")
        assert states(tmp_path)[tmp_path.name].status == "failed"


def test_rows_are_sorted_and_fit_into_any_terminal(study):
    found = Watcher([study[0]])()
    assert [(state.arm, state.seed) for state in found] == sorted((state.arm, state.seed) for state in found)
    long = [replace(found[0], arm="corrupted kind=cost rate=0.25", left=86000.0, used=0.42), *found]
    for width in (60, 80, 200):
        lines = screen(long, width).plain.splitlines()
        assert len(lines) == 2 + len(long)
        assert max(map(len, lines)) <= width
    narrow = screen(long, 60).plain
    for word in ("arm", "seed", "status", "right", "valid", "interrupted", "corrupted kin", "42%"):
        assert word in narrow
    assert "folder" in screen(long, 200).plain
    assert str(study[0] / "done") in screen(long).plain


def test_an_arm_of_many_knobs_is_cut_wherever_it_is_printed(study):
    """In a pipe, too, which has no width."""
    (one, *_) = Watcher([study[0]])()
    lines = screen([one, replace(one, arm="task.reach={'side': 12} " * 20)]).plain.splitlines()
    assert max(map(len, lines)) <= MOST_ARM + len(str(one.folder)) + 80
    assert lines[3].endswith(str(one.folder))


def test_what_is_done_makes_room_for_what_goes_on(study):
    (one, *_) = Watcher([study[0]])()
    many = [replace(one, seed=k, status="training" if k == 7 else "done") for k in range(300)]
    assert [state.seed for state in fitting(many, 3)] == [0, 1, 7]
    text = screen(many, 80, 24).plain
    assert len(text.splitlines()) <= 23
    assert text.startswith("300 runs: 1 training, 299 done (279 not shown)\n")


def test_cells():
    assert sparkline([0.0, 0.5, 1.0], BARS) == "▁▅█"
    assert sparkline([0.0, 0.5, 1.0], ASCII_BARS) == "_=#"
    assert [clock(59), clock(309), clock(3900)] == ["0'59", "5'09", "1:05"]


def test_files_are_read_again_only_when_they_change(tmp_path):
    path, calls = tmp_path / "a", []
    kept = Kept(lambda path: calls.append(path) or path.read_text())
    assert kept(path) is None
    path.write_text("1")
    assert [kept(path), kept(path)] == ["1", "1"]
    path.write_text("22")
    assert kept(path) == "22"
    assert len(calls) == 2


def test_of_a_long_file_the_last_whole_rows_are_read(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss\n" + "".join(f"{k},{k / 7}\n" for k in range(50_000)) + "50000,0.")
    rows = tail(path)
    assert rows[-1] == {"step": "49999", "loss": str(49999 / 7)}
    assert [int(row["step"]) for row in rows] == list(range(50_000 - len(rows), 50_000))
    assert sum(len(f"{row['step']},{row['loss']}\n") for row in rows) <= TAIL


def test_validations_are_looked_for_further_back(tmp_path):
    """Where they stand more than TAIL apart, and no further than five of them, or than MOST."""
    path = tmp_path / "metrics.csv"
    for every, known in ((20_000, 5), (150_000, 1)):
        rows = (f"{k},{k / 7},{0.5 if k % every == 0 else ''}\n" for k in range(400_000))
        path.write_text("step,loss,val/solution_valid\n" + "".join(rows))
        found = tail(path)
        assert len(numbers(found, "val/solution_valid")) >= known
        assert TAIL < sum(len(",".join(row.values())) + 1 for row in found) <= MOST
        assert found[-1]["step"] == "399999"


def test_one_table_where_nobody_reads_on(study):
    piped = f"{sys.executable} -m tracelab.watch --once {study[0]} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", piped], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("3 runs: ")
    done = subprocess.run(
        [*WATCH, str(study[0])], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 5  # no terminal: once


def heeds_ctrl_c():
    """What a shell starts in the background ignores Ctrl-C, and so do its children: these do not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_it_and_leaves_the_table(study):
    ours, theirs = pty.openpty()
    environment = {**ENVIRONMENT, "TERM": "xterm", "COLUMNS": "60"}
    command = [*WATCH, str(study[0])]
    with subprocess.Popen(
        command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=heeds_ctrl_c
    ) as process:
        try:
            seen = b""
            while b"3 runs" not in seen:
                seen += os.read(ours, 4096)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
    os.set_blocking(ours, False)
    seen += os.read(ours, 65536)
    assert seen.count(b"3 runs") >= 2  # once more, below the prompt
    assert b"Traceback" not in seen


def test_a_folder_that_is_none_is_named(tmp_path):
    done = subprocess.run(
        [*WATCH, str(tmp_path / "no")], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"{tmp_path / 'no'} is no folder" in done.stderr
