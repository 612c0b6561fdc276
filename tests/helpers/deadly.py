"""Mazes of which one worker dies: whoever draws the DEADLY-th piece is killed in the middle of it."""

import os
import signal
from dataclasses import dataclass

from tracelab.tasks.maze import Maze

DEADLY = 10
LINE = 11  # bytes


@dataclass(frozen=True)
class Deadly(Maze):
    """Mazes, drawn as all are. log: gets each piece's process, in lines; owner: whom nothing happens to."""

    log: str = ""
    owner: int = 0

    def generate(self, keys, split):
        """As mazes are drawn, until the deadly piece comes; it comes once."""
        if os.getpid() == self.owner:
            return super().generate(keys, split)
        with open(self.log, "ab") as file:
            file.write(f"{os.getpid():{LINE - 1}}\n".encode())
            file.flush()
            piece = file.tell() // LINE
        if piece == DEADLY:
            super().generate(keys[: len(keys) // 2], split)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().generate(keys, split)
