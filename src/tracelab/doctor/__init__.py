"""What this machine is, and whether tracelab can train on it: one screen.

python -m tracelab.doctor

Each finding is good, a note, or bad; what is bad says how to mend it. Exit status 1: training could not run.
"""

from tracelab.doctor.screen import main

__all__ = ["main"]
