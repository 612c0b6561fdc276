"""A line of the doctor's screen: what was found, how good that is, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, NOTE, BAD = "ok", "note", "BAD"


@dataclass(frozen=True)
class Finding:
    """A line of the screen. mend: what to do about it, if there is something."""

    about: str
    text: str
    state: str = GOOD
    mend: str = ""

    def __str__(self) -> str:
        line = f"{self.state:<5}{self.about:<12}{self.text}"
        return f"{line}\n{'':17}→ {self.mend}" if self.mend else line
