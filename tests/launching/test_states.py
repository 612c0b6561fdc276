"""States of SLURM's jobs, by what its programs answer; tests/runs/test_slurm.py asks a SLURM that runs."""

import os

import pytest

from tracelab.launching.states import FORGOTTEN, HEADER, Watcher

JOBS = ("7_0", "7_1", "7_2", "7_3")


@pytest.fixture
def answers(tmp_path, monkeypatch):
    """A function: from now on accounts and queue answer so. Job -> state each; None: the program fails."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def answer(**states):
        for program, known in states.items():
            lines = "".join(f"{job}|{state}|node\n" for job, state in (known or {}).items())
            head = HEADER if program == "sacct" else ""
            fails = int(known is None)
            (tmp_path / program).write_text(f"#!/bin/sh\nprintf '{head}{lines}'\nexit {fails}\n")
            (tmp_path / program).chmod(0o755)

    return answer


@pytest.fixture
def watcher():
    """What asks for the states of JOBS."""
    found = Watcher()
    for job in JOBS:
        found.register_job(job)
    return found


def ended(watcher):
    watcher.update()
    return {job: watcher.get_state(job, "cache") for job in JOBS if watcher.is_done(job, "cache")}


@pytest.mark.parametrize("state", ["PREEMPTED", "NODE_FAIL", "BOOT_FAIL"])
def test_a_job_that_lost_its_node_has_ended_unless_it_is_queued_again(answers, watcher, state):
    """Accounts call it so either way, and by and by PENDING where it was put back."""
    accounts = dict(zip(JOBS, (state, state, "RUNNING", "CANCELLED by 1000"), strict=True))
    answers(sacct=accounts, squeue={"7_1": "PENDING", "7_2": "RUNNING"})
    cancelled = {"7_0": f"{state}, {FORGOTTEN}", "7_3": "CANCELLED by 1000"}
    assert ended(watcher) == cancelled
    answers(sacct=accounts | {"7_1": "RUNNING"}, squeue={"7_1": "RUNNING"})
    assert ended(watcher) == cancelled
    answers(sacct=accounts | {"7_1": "COMPLETED", "7_2": state}, squeue=None)
    assert ended(watcher) == cancelled | {"7_1": "COMPLETED"}, "the queue did not answer"
    answers(squeue={"7_2": "COMPLETING"})
    assert ended(watcher).keys() == {"7_0", "7_1", "7_3"}
    answers(squeue={})
    assert ended(watcher)["7_2"] == f"{state}, {FORGOTTEN}"


def test_without_accounts_the_queue_is_asked(answers, watcher):
    answers(sacct=None, squeue=dict(zip(JOBS, ("PREEMPTED", "TIMEOUT", "SUSPENDED", "PENDING"), strict=True)))
    assert ended(watcher) == {"7_1": "TIMEOUT"}
    answers(squeue={"7_2": "RUNNING"})
    assert ended(watcher) == {"7_0": FORGOTTEN, "7_1": "TIMEOUT", "7_3": FORGOTTEN}
