"""Students by construction: what a treatment asks of a trained model, answered by a rule."""

import numpy as np

from tracelab.core.ragged import Ragged
from tracelab.traces._asking import Asking


class Rising:
    """Finds a token unlikely if its number is below that of the token before it; proposes words[0]."""

    def check(self, task):
        """It knows all words."""

    def logprobs(self, prompts, completions):
        assert len(prompts) == len(completions)
        return Ragged(-falls(completions).astype(float), completions.offsets)

    def rewrite(self, prompts, opens, proposed, threshold, words):
        own = falls(proposed)
        return Ragged(np.where(own, words[0], proposed.values).astype(np.int32), proposed.offsets), Ragged(
            own, proposed.offsets
        )


class Silent:
    """Is not to be asked anything."""

    def check(self, task):
        """It knows all words."""


def falls(rows):
    """Of each token of all rows: is its number below that of the one before it in its row?"""
    falling = np.diff(rows.values, prepend=0) < 0
    falling[rows.offsets[:-1]] = False
    return falling


def asking_none(treatment):
    """A treatment as it is; one that needs a student has `Rising`."""
    return treatment.given(Rising()) if isinstance(treatment, Asking) and treatment.lacks else treatment
