"""docs/treatments.md: what a row quotes of a treatment, or of its card, is the code's."""

import re

import numpy as np

from tracelab.core import rng
from tracelab.core.codec import FILLER
from tracelab.core.paths import CLONE, PACKAGE
from tracelab.traces.dropped import LEVELS, Dropped
from tracelab.traces.swapped import derangement, matching

PAGE = (CLONE / "docs" / "treatments.md").read_text(encoding="utf-8")
KEY = rng.keys(0, "train", 0, 1, "swap")
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.M))


def test_filler_is_one_word():
    written = FILLER.replace("|", r"\|")  # in a table
    assert f"one that means nothing, `{written}`, again and again" in ROWS["filler"]


def test_levels_of_dropping():
    levels = ROWS["dropped"].partition("draws a level: ")[2].partition(". ")[0].split("; ")
    assert LEVELS == ("nothing", "closes", "costs", "creates", "everything")
    told = ("nothing", "closings", "costs", "creations", "everything")
    assert all(word in level for word, level in zip(told, levels, strict=True))
    assert f"(`trace.creates`, {Dropped().creates})" in ROWS["dropped"]
    assert (
        f"`trace.levels` has the {('', 'one', 'two', 'three', 'four', 'five')[len(LEVELS)]}"
        in ROWS["dropped"]
    )


def test_what_the_card_says_of_damage_is_quoted_as_it_is():
    (line,) = [line for line in PAGE.splitlines() if line.startswith("- `corrupted`")]
    (quoted,) = re.findall(r"unless the card counts traces `([^`]+)`", line)
    assert quoted in (PACKAGE / "data" / "card.py").read_text(encoding="utf-8")


def test_which_problems_may_keep_a_trace_of_their_own():
    """One that makes up more than half of the data, and no other."""
    (line,) = (line for line in PAGE.splitlines() if line.startswith("- `swapped`"))
    assert "unless it makes up more than half of them" in line
    for copies, keeps in ((4, False), (5, True)):
        identity = np.array([0] * copies + [*range(1, 9 - copies)], np.uint64)
        for donor in (derangement(identity, KEY.copy()), matching(np.arange(8.0), identity, KEY.copy())):
            assert (identity[donor] == identity).any() == keeps
