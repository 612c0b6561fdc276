"""How the verifiers were checked: what docs/verdicts.md says is what the recorded checks found."""

import re

import pytest

from tests.helpers.task_checks import NAMES, RESULTS
from tracelab.core.files import read_json
from tracelab.core.paths import CLONE

SECTION = (CLONE / "docs" / "verdicts.md").read_text(encoding="utf-8").partition("verifiers are checked")[2]
WORDS = ("Ten", "Eleven", "Twelve", "Thirteen", "Fourteen")
FULL = 100_000


def test_every_task_but_mazes_passed_three_checks_at_full_size():
    tasks = read_json(RESULTS)["tasks"]
    assert set(tasks) == set(NAMES)
    assert f"{WORDS[len(tasks) - 10]} other tasks passed the same checks at {FULL:,} each" in SECTION
    for name, found in tasks.items():
        traces, mutants, garbage = found["correct traces"], found["one-token mutants"], found["garbage"]
        assert (traces["traces"], traces["rejected"]) == (FULL, 0), name
        assert (garbage["sequences"], garbage["raised"]) == (FULL, 0), name
        assert mutants["rejected"] + mutants["accepted_and_proved_valid"] == mutants["mutants"] == FULL, name
    judged = [
        [found[name]["judged_by_the_oracle"] / FULL for found in tasks.values()]
        for name in ("one-token mutants", "garbage")
    ]
    assert "every mutation that was accepted, a twentieth of the others, and two fifths of the" in SECTION
    for shares, share in zip(judged, (0.05, 0.4), strict=True):
        assert all(abs(value - share) < 0.04 for value in shares), shares
    most = max(found["one-token mutants"]["accepted_and_proved_valid"] for found in tasks.values())
    assert f"At most {most} of {FULL:,} mutations of a task were accepted" in SECTION


def test_mazes_passed_theirs():
    found = read_json(RESULTS.with_name("verifier.json"))
    assert (found["correct traces"]["traces"], found["correct traces"]["rejected"]) == (FULL, 0)
    mutants = found["one-token mutants"]
    assert mutants["rejected"] + mutants["of_these_original_up_to_the_stop"] == mutants["mutants"] == FULL
    alike = mutants["of_these_original_up_to_the_stop"]
    assert f"{mutants['rejected']:,} are rejected. The other {alike} differ" in SECTION
    hostile = found["adversarial sequences"]
    assert (hostile["sequences"], hostile["raised"]) == (FULL, 0)
    assert hostile["disagreements_with_the_oracle"] == 0
    costs = found["optimal costs"]
    assert (costs["problems"], costs["wrong_costs"]) == (10_000, 0)


def test_hostile_sequences_and_files_raised_nothing():
    found = read_json(RESULTS.with_name("hostile.json"))
    assert set(found["tasks"]) == {*NAMES, "maze"}
    for name, task in found["tasks"].items():
        assert (task["sequences"], task["raised"], task["other_than_the_oracle"]) == (FULL, 0, 0), name
    (total,) = re.findall(r"([\d,]+) sequences that nobody meant well", SECTION)
    assert int(total.replace(",", "")) == FULL * len(found["tasks"])
    assert found["file"]["lines"] == FULL
    assert found["file"]["raised"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_some_mutants_and_some_garbage_were_judged_by_the_oracle(name):
    found = read_json(RESULTS)["tasks"][name]
    assert found["one-token mutants"]["judged_by_the_oracle"] >= 5200
    assert found["garbage"]["judged_by_the_oracle"] > 30_000
