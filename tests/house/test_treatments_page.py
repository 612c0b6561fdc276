"""docs/treatments.md: what a row quotes of a treatment, or of its card, is the code's."""

import re

from tracelab.core.codec import FILLER
from tracelab.core.paths import CLONE, PACKAGE
from tracelab.traces.dropped import LEVELS, Dropped

PAGE = (CLONE / "docs" / "treatments.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.M))


def test_filler_is_one_word():
    written = FILLER.replace("|", r"\|")  # in a table
    assert f"one that means nothing, `{written}`, again and again" in ROWS["filler"]


def test_levels_of_dropping():
    levels = re.findall(
        r"nothing|closings|costs|creations|everything", ROWS["dropped"].partition("it loses ")[2]
    )
    assert [level[:5] for level in levels[: len(LEVELS)]] == ["nothi", "closi", "costs", "creat", "every"]
    assert f"(`trace.creates`, {Dropped().creates})" in ROWS["dropped"]
    assert (
        f"`trace.levels` has the {('', 'one', 'two', 'three', 'four', 'five')[len(LEVELS)]}"
        in ROWS["dropped"]
    )


def test_what_the_card_says_of_damage_is_quoted_as_it_is():
    (line,) = [line for line in PAGE.splitlines() if line.startswith("- `corrupted`")]
    (quoted,) = re.findall(r"unless the card counts traces `([^`]+)`", line)
    assert quoted in (PACKAGE / "data" / "card.py").read_text(encoding="utf-8")
