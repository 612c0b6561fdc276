"""docs/results/prediction.md and the code that judges by it say the same."""

import re

from tracelab.analysis.findings import PARTS
from tracelab.analysis.measures import FEWEST
from tracelab.analysis.verdicts import ALPHA, LEAST_SEEDS, LEAST_TASKS, MAJORITY, MARGIN, MOST, RANK_MARGIN
from tracelab.core.paths import CLONE, CONF

PAGE = (CLONE / "docs" / "results" / "prediction.md").read_text(encoding="utf-8").replace("**", "")
ROWS = {row[2]: row for row in PAGE.splitlines() if re.match(r"\| [a-z] \|", row)}


def test_every_finding_of_the_page_is_measured_and_no_other():
    assert set(ROWS) == {part[0] for part in PARTS}
    for name, part in PARTS.items():
        row = ROWS[name[0]]
        assert len(name) == 1 or name in row
        assert ("far" in row) or not part.far


def test_its_thresholds_are_the_codes():
    assert f"{100 * MARGIN:.0f} points of accuracy or validity, and {RANK_MARGIN} of a rank" in PAGE
    assert f"corrected p < {ALPHA}" in PAGE
    assert "fewer than five seeds" in PAGE
    assert LEAST_SEEDS == 5
    assert f"fewer than {FEWEST} right solutions" in ROWS["b"]
    assert f"fewer than {FEWEST} right solutions" in ROWS["f"]
    assert f"fewer than {FEWEST} such traces" in ROWS["h"]
    assert "at least four of five tasks" in PAGE
    assert "in at least three" in PAGE
    assert (round(5 * MOST), round(5 * MAJORITY)) == (4, 3)
    assert "They have to be at least three" in PAGE
    assert LEAST_TASKS == 3


def test_its_arms_are_those_of_conf():
    arms = {path.stem for path in CONF.glob("arm/*.yaml")}
    planned = PAGE[PAGE.index("Arms, in the order") : PAGE.index("All seeds of the first four")]
    for arm, words in {
        "correct": "`correct`",
        "solution_only": "`solution_only`",
        "swapped": "`swapped`",
        "corrupted_100": "`corrupted` (rate 1)",
        "swapped_length": "`swapped match=length`",
        "corrupted_010": "0.1",
        "corrupted_050": "0.5",
        "corrupted_025": "0.25",
        "filler": "`filler`",
        "shuffled": "`shuffled` whole",
        "shuffled_010": "`shuffled` (the first tenth)",
        "redundant": "`redundant` (30 % useless but valid detours)",
    }.items():
        assert words in planned
        arms.remove(arm)
    assert not arms
