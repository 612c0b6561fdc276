"""Running and finished runs in the terminal, while they go on. It reads their folders and nothing else.

python -m tracelab.watch runs/study
"""

from tracelab.watch.command import main

__all__ = ["main"]
