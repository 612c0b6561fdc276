"""docs/performance.md: its tables are made of the records, and its prose has their figures."""

import json

import pytest

from tests.helpers.bench import script
from tracelab.core.paths import CLONE

PAGE = (CLONE / "docs" / "performance.md").read_text(encoding="utf-8")
PROSE = " ".join(PAGE.split())
RECORDS = CLONE / "bench" / "results"


def recorded(name):
    return json.loads((RECORDS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page():
    with script("performance") as module:
        yield module


def test_each_table_is_made_from_the_records(page):
    made = "\n".join(page.lines_of(RECORDS))
    assert len(made) > 3000
    assert (
        PAGE.partition("<!-- tables -->\n")[2].partition("<!-- end of tables -->")[0].strip() == made.strip()
    )


def test_ends_of_rounds_and_what_is_not_measured_are_told(page):
    result = {"runs": {"maze:generate": [3000.0, 2000.0, 1000.0], "maze:verify": [4.0, 4.0, 5.0]}}
    said, _, _, _, row, _ = page.tasks(result)
    assert "the most is 112 % above the least (median of 2 sides), 200 % at most (`maze:generate`)" in said
    assert "Not measured: arithmetic, " in said
    assert " maze," not in said
    assert row == "| maze | 2,000 | 1,000–3,000 | 4 | 4–5 |"


def test_how_far_rounds_lie_apart_in_prose(page):
    said = page.spread(recorded("tasks")["runs"])
    middle, most = said.split(" % above")[0].split()[-1], said.split(" % at most")[0].split()[-1]
    assert f"the most of three is {middle} % above the least in the median, and {most} % at most" in PROSE
    ours = recorded("training")["runs"]["ours"]
    assert f"are {100 * (max(ours) / min(ours) - 1):.0f} % apart" in PROSE
    assert "of {:,.0f} and {:,.0f}".format(*ours).replace("of", "were") in PROSE
    assert "runs" in recorded("suite") or "The rounds of the first table were not kept" in PROSE


def test_another_processors_ratios_in_prose():
    loop, grouped = (
        row["ratio"]
        for peer in ("plain_loop", "hf_grouped")
        for row in recorded("avx2/training")["rows"]
        if (row["ours"], row["peer"]) == ("ours", peer)
    )
    told = f"ours is {loop:.2f} of the plain loop and {grouped:.2f} of the HF Trainer with grouped lengths"
    assert told in PROSE


def test_whose_process_a_gpus_speeds_are_of():
    """What one record has of another's is said to be of that one."""
    sides, stages = recorded("gpu")["sides"], recorded("gpu_check")["stages"]
    pairs = {"train base 8k": "train base", "sample base": "sample base"}
    copied = [a for a, b in pairs.items() if sides[a]["tokens_per_second"] == stages[b]["tokens_per_second"]]
    assert all(f"'{side}'" in recorded("gpu")["conditions"] for side in copied)
    assert ("of gpu_check.json, copied" in recorded("gpu")["conditions"]) == bool(copied)
    assert ("Our speeds are those of `bench/gpu_check.py`" in PROSE) == bool(copied)
