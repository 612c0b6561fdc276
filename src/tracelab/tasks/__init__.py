"""Mounts the top-level `tasks/` folder, so that `tasks/maze.py` is `tracelab.tasks.maze`."""

from tracelab.paths import TASKS

if str(TASKS) not in __path__:
    __path__.append(str(TASKS))
