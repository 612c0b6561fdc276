"""Stored problems, read from files or drawn by another task: they are solved and written if they fit."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from tracelab.core.codec import Codec
from tracelab.core.ragged import Ragged
from tracelab.core.types import Examples
from tracelab.search.completion import check_counts
from tracelab.tasks.shared.variants import Varied


class Storing(Varied):
    """A task that solves and writes stored problems. Compiled code does not ask whether they fit: it is asked
    here.
    """

    @property
    @abstractmethod
    def codec(self) -> Codec:
        """The vocabulary and the format's tables."""

    @property
    def _fits(self) -> Mapping[str, int]:
        """What the first integers of a stored problem count, and the most of each that can be written."""
        return {}

    @abstractmethod
    def _solved(self, problems: Ragged) -> Examples:
        """Stored problems that fit, with their searches."""

    @abstractmethod
    def _prompt_rows(self, problems: Ragged) -> Ragged:
        """The rows of prompts of problems that fit."""

    def check_written(self, problems: Ragged) -> None:
        """ValueError unless the vocabulary can write these stored problems."""
        check_counts(self._fits, problems)

    def check_solved(self, problems: Ragged) -> None:
        """ValueError unless the task has such problems: not all that can be written can be solved."""
        self.check_written(problems)

    def solved(self, problems: Ragged) -> Examples:
        """Stored problems with their searches, ties broken by what a problem is.

        ValueError if one is beyond the task's vocabulary or knobs, or has no search that fits.
        """
        self.check_solved(problems)
        return self._solved(problems)

    def prompts(self, examples: Examples) -> Ragged:
        """Prompt tokens. ValueError if a problem is beyond the task's vocabulary."""
        self.check_written(examples.problem)
        return self.codec.encode(self.codec.prompt, self._prompt_rows(examples.problem))
