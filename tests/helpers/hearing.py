"""What processes do that hear a signal; without imports that take seconds, for those that are spawned."""

import os
import signal


def hear() -> None:
    """The warning of SLURM, as all processes of a job do, though it is meant for the first."""
    os.kill(os.getpid(), signal.SIGUSR2)
