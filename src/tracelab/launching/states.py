"""How SLURM's jobs do: as its accounting says, or its queue, where a cluster keeps no accounts.

watch(submitted)      # what submitit.SlurmExecutor has submitted
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from typing import Any

from submitit.core.core import Job as Submitted
from submitit.slurm.slurm import SlurmInfoWatcher

HEADER = "JobID|State|NodeList\n"
QUEUE = ("squeue", "--me", "--states=all", "--array", "--noheader", "--format=%i|%T|%N")
EVERY = 120  # seconds, at most: the queue forgets jobs some minutes after their end (SLURM's MinJobAge)
FORGOTTEN = "no longer in the queue"
ENDED = (
    "CANCELLED",  # by whom
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "OUT_OF_MEMORY",
    "REVOKED",
    "TIMEOUT",
)
# So accounts call a job, too, that SLURM has put back into the queue (JobRequeue, PreemptMode), which knows.
PERHAPS_ENDED = ("BOOT_FAIL", "NODE_FAIL", "PREEMPTED")


class Watcher(SlurmInfoWatcher):
    """Asks for the states of jobs, now and then."""

    def is_done(self, job_id: str, mode: str = "standard") -> bool:
        """Has a job ended? One that is suspended, or whose node starts up, has not."""
        state = self.get_state(job_id, mode)
        return state.startswith(ENDED) or state.endswith(FORGOTTEN)

    def update(self) -> None:
        """Ask for the state of each job that is not known to have ended."""
        asked = self._registered - self._finished
        if not asked:
            return
        self._num_calls += 1
        self._last_status_check = time.time()
        whole = self.read_info(said(self._make_command() or ()) or "")  # of arrays, with what has ended
        found = {job: whole[job] for job in asked & whole.keys()}
        known = {job for job, each in found.items() if not each["State"].startswith(PERHAPS_ENDED)}
        unknown = asked - known  # without accounts, all; else what was cancelled before it began, too
        if unknown and (answer := said(QUEUE)) is not None:
            queue = self.read_info(HEADER + answer)
            found |= {job: queue.get(job) or gone(found.get(job)) for job in unknown}
        self._info_dict |= found
        self._finished |= {job for job in asked if self.is_done(job, mode="cache")}


def gone(before: dict[str, str] | None) -> dict[str, str]:
    """What is known of a job that the queue has forgotten. before: what accounts say of it."""
    return {"State": f"{before['State']}, {FORGOTTEN}" if before else FORGOTTEN}


def watch(submitted: Sequence[Submitted[Any]]) -> None:
    """Ask SLURM, from now on, how these jobs do in a way that every cluster answers."""
    watcher = Watcher(delay_s=EVERY)
    for job in submitted:
        job.watcher = watcher
        watcher.register_job(job.job_id)


def said(command: Sequence[str]) -> str | None:
    """What a command answers; None where it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else None
