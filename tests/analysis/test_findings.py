"""Findings and verdicts on simulated studies whose truth is known."""

import numpy as np
import polars as pl
import pytest

from tracelab.analysis import findings
from tracelab.analysis.cells import FAR, Ranked, TaskOutcomes, drop_of_ranks
from tracelab.analysis.estimates import compare
from tracelab.analysis.measures import lowest_quarter
from tracelab.analysis.variance import Spread, of_ratios, spread
from tracelab.analysis.verdicts import (
    LEAST_SEEDS,
    MIXED,
    OPEN,
    REFUTED,
    REPLICATED,
    above,
    all_of,
    below,
    difference,
    no_less,
    not_raised,
    over_tasks,
)
from tracelab.report.sections.findings import section
from tracelab.report.study import Study
from tracelab.tasks.maze import Maze

PROBLEMS, SEEDS = 300, 6
FEW = 60  # problems, where no verdict is asked for
# Accuracy in distribution and far, and validity given a right solution, of each arm.
CLAIMED = {
    ("correct", "", None): (0.75, 0.3, 0.6),
    ("solution_only", "", None): (0.5, 0.1, 0.0),
    ("swapped", "match=none", None): (0.9, 0.6, 0.0),
    ("correct", "", "grpo"): (1.0, 0.5, 0.55),
    ("corrupted", "rate=0.1,kind=mixed", None): (0.9, 0.3, 0.5),
    ("corrupted", "rate=1,kind=mixed", None): (0.5, 0.3, 0.0),  # as trace.rate=1 was typed
    ("shuffled", "share=0.1", None): (0.9, 0.3, 0.0),
}
OPPOSITE = {
    ("correct", "", None): (0.9, 0.8, 1.0),
    ("solution_only", "", None): (0.9, 0.8, 0.0),
    ("swapped", "match=none", None): (0.5, 0.4, 0.0),
    ("correct", "", "grpo"): (0.9, 0.8, 1.0),
    ("corrupted", "rate=0.1,kind=mixed", None): (0.4, 0.3, 0.5),
    ("corrupted", "rate=1.0,kind=mixed", None): (0.4, 0.3, 0.0),
    ("shuffled", "share=0.1", None): (0.4, 0.3, 0.5),
}


def study(arms, claims_hold, seeds=SEEDS, seed=0, problems=PROBLEMS):
    """Outcomes of simulated runs, on one test set in distribution and two far ones."""
    draw, parts = np.random.default_rng(seed), []
    size = {split: draw.integers(10, 100, problems) for split in ("near", "far_1", "far_2")}
    keys = {split: np.arange(problems, dtype=np.uint64) + 1000 * k for k, split in enumerate(size)}
    for (treatment, options, algorithm), (near, far, valid) in arms.items():
        arm = " ".join(filter(None, (treatment, options, algorithm)))
        for s in range(seeds):
            for split, sizes in size.items():
                right = draw.random(problems) < (near if split == "near" else far)
                wish = np.full(problems, valid)
                if claims_hold and split == "near" and valid:  # shorter traces are more often valid
                    wish = np.clip(valid + 0.3 * (sizes < 40) - 0.3 * (sizes > 70), 0, 1)
                strict = (draw.random(problems) < wish) & (
                    right | (draw.random(problems) < 0.9 * claims_hold)
                )
                follows = split == "near" or not claims_hold
                parts.append(
                    pl.DataFrame(
                        {
                            "arm": arm,
                            "treatment": treatment,
                            "treatment_options": options,
                            "algorithm": pl.Series([algorithm] * problems, dtype=pl.String),
                            "run": f"{arm}-{s}",
                            "seed": s if algorithm is None else 0,  # of post-training, not of what was before
                            "source": pl.Series([algorithm and f"correct-{s}"] * problems, dtype=pl.String),
                            "split": split,
                            "index": np.arange(problems),
                            "problem_key": keys[split],
                            "solution_valid": right,
                            "trace_strict": strict,
                            "trace_local": strict,
                            "trace_strict_at": np.full(problems, 5 if algorithm and claims_hold else 1),
                            "trace_steps": np.full(problems, 10),
                            "reference_steps": sizes,
                            "expansions": sizes,
                            "completion_tokens": 4 * sizes if follows else draw.integers(10, 400, problems),
                            "truncated": False,
                        }
                    )
                )
    return pl.concat(parts).lazy()


@pytest.fixture(scope="module")
def claimed():
    return findings.measurements({"maze": study(CLAIMED, True)})


def test_a_task_takes_part_where_two_arms_learn():
    """In the median of their seeds; and not where one of them is not there."""
    assert findings.takes_part(study(OPPOSITE, True).lazy())
    assert not findings.takes_part(
        study({**OPPOSITE, ("solution_only", "", None): (0.4, 0.9, 0.0)}, True).lazy()
    )
    alone = {arm: rates for arm, rates in OPPOSITE.items() if arm[0] != "solution_only"}
    assert not findings.takes_part(study(alone, True).lazy())


def test_whether_a_task_takes_part_is_said_by_five_seeds_of_both_arms():
    """One whose arms have not all run is no task in which they learn nothing."""
    whole = study(OPPOSITE, True).lazy()
    assert findings.can_take_part(whole)
    missing = pl.col("treatment") != "solution_only"
    assert not findings.can_take_part(whole.filter(missing))
    assert not findings.can_take_part(whole.filter(missing | (pl.col("seed") < LEAST_SEEDS - 1)))
    assert findings.can_take_part(whole.filter(missing | (pl.col("seed") < LEAST_SEEDS)))


def test_what_is_claimed_and_true_is_replicated(claimed):
    found = {row["finding"]: row["verdict"] for row in findings.verdicts(claimed).iter_rows(named=True)}
    assert found == dict.fromkeys("abcdefghij", REPLICATED)


def test_what_is_claimed_and_false_is_refuted():
    two = [study(OPPOSITE, False, seed=seed) for seed in range(2)]
    tasks = {name: two[k % 2] for k, name in enumerate(TASKS)}
    found = findings.verdicts(findings.measurements(tasks))
    assert set(found.filter(task="all")["finding"]) == set("abcdefghij")
    four = findings.measurements(dict.fromkeys(list(tasks)[:4], two[0]))
    assert set(findings.verdicts(four)["task"]) == set(list(tasks)[:4]), "nothing of all before all have run"
    held = {row["finding"]: row["verdict"] for row in found.filter(task="all").iter_rows(named=True)}
    assert held == dict.fromkeys("abcdefghij", REFUTED)


TASKS = ("maze", "graph_path", "countdown", "sat", "arithmetic")


def of_tasks(found, without=(), tasks=TASKS):
    """Measurements of one task as those of several, without some (task, finding)."""
    parts = [found.with_columns(task=pl.lit(task)) for task in tasks]
    gone = pl.concat_str("task", pl.lit(" "), "finding").is_in([" ".join(pair) for pair in without])
    return pl.concat(parts).filter(~gone)


def over_all(found, ran=()):
    """Finding -> its verdict over tasks."""
    return dict(findings.verdicts(found, ran).filter(task="all").select("finding", "verdict").iter_rows())


def test_a_verdict_over_tasks_is_on_those_that_can_speak(claimed):
    """Once five have run: of expansions three know, one takes no part, and no arm is still to run."""
    whole = dict.fromkeys("abcdefghij", REPLICATED)
    three = [("sat", "e"), ("arithmetic", "e")]
    assert over_all(of_tasks(claimed, three)) == whole
    four = of_tasks(claimed, three[:1], TASKS[:4])
    assert over_all(four) == {}
    assert over_all(four, TASKS) == whole
    assert set(over_all(of_tasks(claimed, [("maze", "e"), *three]))) == set("abcdfghij"), "two are too few"
    assert set(over_all(of_tasks(claimed, [("sat", "j"), ("sat", "d")]))) == set("abcefghi")
    assert over_all(of_tasks(claimed, tasks=TASKS[:2]), TASKS) == {}


def test_no_task_that_takes_part_has_no_verdict():
    assert findings.verdicts(findings.measurements({}), TASKS).is_empty()


def test_measurements_are_those_of_the_table(claimed):
    a = claimed.filter(part="a")
    assert a["split"].to_list() == ["near", FAR, "far_1", "far_2"]
    assert a["primary"].to_list() == [True, False, False, False]
    near, far, one, two = a["value"]
    assert near == pytest.approx(0.25, abs=0.05)
    assert far == pytest.approx((one + two) / 2)
    rows = study(CLAIMED, True).filter(pl.col("arm") == "correct", pl.col("split") != "near").collect()
    right = rows.filter("solution_valid")
    b = claimed.filter(part="b", split=FAR)
    assert b["value"][0] == pytest.approx(1 - right["trace_strict"].mean())
    tested = claimed.filter(pl.col("p").is_not_null())
    assert (tested["p_holm"] >= tested["p"] - 1e-12).all()
    assert set(tested["part"]) == {"a", "c2", "d1", "e", "f", "g", "i2"}  # elsewhere the interval decides


class Made(Study):
    """A study of simulated outcomes."""

    def task(self):
        return Maze(size=5)


def test_the_report_shows_each_part_with_its_verdict(tmp_path):
    outcomes = study(CLAIMED, True, problems=FEW)
    claimed = findings.measurements({"maze": outcomes})
    assert len(set(claimed["verdict"])) > 1
    made = Made(pl.DataFrame(), outcomes, (), None, tmp_path / "page.html")
    made.data.mkdir()
    page = section(made)
    assert all(part.claim in page for part in findings.PARTS.values())
    assert "judged here of maze alone: p is corrected for no other task" in page
    assert page.count('<th scope="col">p</th>') == page.count('<th scope="col">p (Holm)</th>') == 1
    (b,) = claimed.filter(part="b", primary=True).to_dicts()
    (j2,) = claimed.filter(part="j2", primary=True).to_dicts()
    assert j2["low"] < 0 == j2["value"]
    assert f"<td>0.0 <small>[0.0, {100 * j2['high']:.1f}]</small></td>" in page
    assert f"<td>{100 * b['value']:.1f} <small>" in page, "a share has no sign"
    assert page.count("<td>replicated</td>") == (claimed["verdict"] == REPLICATED).sum()
    written = pl.read_csv(made.data / "findings.csv")
    assert written["value"].to_list() == pytest.approx(claimed["value"].to_list())
    poor = study({**CLAIMED, ("solution_only", "", None): (0.3, 0.1, 0.0)}, True, problems=FEW)
    page = section(Made(pl.DataFrame(), poor, (), None, tmp_path / "page.html"))
    assert "No verdict is given" in page
    assert not any(f"<td>{verdict}</td>" in page for verdict in (REPLICATED, REFUTED, OPEN))
    other = study({("correct", "x=1", None): (0.5, 0.5, 0.5)}, True, problems=FEW)
    several = pl.concat([outcomes, other])
    page = section(Made(pl.DataFrame(), several, (), None, tmp_path / "page.html"))
    assert "No finding can be judged: several arms are trace=correct" in page


def relabelled(table, **columns):
    """The post-trained rows of a table with other columns, and the rest as it was."""
    table = table.collect()
    mine = table.filter(pl.col("algorithm").is_not_null()).with_columns(**columns)
    return pl.concat([table.filter(pl.col("algorithm").is_null()), mine.select(table.columns)]).lazy()


def test_post_training_is_compared_with_what_it_went_on_from():
    """Whatever its own seed is; and five that went on from one run are one."""
    table = study(CLAIMED, True, problems=FEW)
    own = table.filter(pl.col("arm") == "correct").select(
        *("seed", "split", "index"), before=pl.col("solution_valid").cast(pl.Float64)
    )
    after = table.filter(algorithm="grpo").with_columns(
        seed=pl.col("source").str.strip_prefix("correct-").cast(pl.Int64)
    )
    gain = (
        after.join(own, on=["seed", "split", "index"])
        .group_by("split")
        .agg((pl.col("solution_valid").cast(pl.Float64) - pl.col("before")).mean())
    )
    found = findings.measurements({"maze": table}).filter(part="d1")
    assert set(found["seeds"]) == {SEEDS}
    assert dict(found.select("split", "value").iter_rows())["near"] == pytest.approx(
        dict(gain.collect().iter_rows())["near"]
    )
    of_one = relabelled(table, source=pl.lit("correct-0"))
    found = findings.measurements({"maze": of_one}).filter(part="d1")
    assert set(found["seeds"]) == {1}
    assert set(found["verdict"]) == {OPEN}
    gone = findings.measurements({"maze": relabelled(table, source=pl.lit("elsewhere"))})
    assert not {"d1", "d2", "g"} & set(gone["part"])
    some = relabelled(table, source=pl.col("source").str.replace("-5", "-9"))
    with pytest.warns(UserWarning, match="^correct grpo-5: compared with nothing"):
        found = findings.measurements({"maze": some}).filter(part="d1")
    assert set(found["seeds"]) == {SEEDS - 1}
    other = relabelled(table, source=pl.lit("solution_only-0")).collect()
    several = pl.concat([table.collect(), other.filter(algorithm="grpo").with_columns(run=pl.lit("new"))])
    with pytest.raises(ValueError, match="went on from several arms: correct, solution_only"):
        findings.measurements({"maze": several.lazy()})


@pytest.mark.parametrize(
    ("size", "lowest"),
    [
        ([5, 1, 3, 2, 8, 7, 6, 4], [0, 1, 0, 1, 0, 0, 0, 0]),
        ([1, 2, 2, 2, 2, 3, 3, 3], [1, 0.25, 0.25, 0.25, 0.25, 0, 0, 0]),
        ([4] * 8, [0.25] * 8),
    ],
)
def test_a_quarter_of_sizes_that_tie(size, lowest):
    assert lowest_quarter(np.array(size, np.float64), np.ones(8)).tolist() == lowest


def test_a_quarter_of_what_counts_unequally():
    """The first three count as much as the other six: of 12 a quarter is 3."""
    counts = np.array([2.0] * 3 + [1.0] * 6)
    sizes = np.array([1.0, 5, 5, 2, 3, 3, 4, 5, 5])
    assert lowest_quarter(sizes, counts).tolist() == [1, 0, 0, 1, 0, 0, 0, 0, 0]
    thirds = np.array([0.1, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3])  # 0.1 + 0.2 + 0.3 is not 0.6
    assert lowest_quarter(np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 8]), thirds)[3] == 0


def test_lengths_that_are_all_alike_have_no_short_ones():
    alike = study(CLAIMED, True, problems=FEW).with_columns(
        reference_steps=pl.when(pl.col("split") == "far_1").then(8).otherwise(pl.col("reference_steps"))
    )
    found = findings.measurements({"maze": alike}).filter(part="f")
    assert found["split"].to_list() == ["near", FAR, "far_2"]


def test_problems_that_are_all_as_complex_have_no_correlation():
    """A far set of such problems is left out of the mean, where it counted as lengths that follow nothing."""
    table = study(CLAIMED, True, problems=FEW)

    def alike(split):
        size = pl.when(pl.col("split") == split).then(8).otherwise(pl.col("expansions"))
        return findings.measurements({"maze": table.with_columns(expansions=size)}).filter(part="e")

    found = alike("far_1")
    assert found["split"].to_list() == [FAR, "far_2"]
    far, alone = (found.drop("primary", "split", "p_holm", "verdict").row(k) for k in (0, 1))
    assert far == pytest.approx(alone)
    assert alike("near").is_empty()


def test_seeds_without_a_case_are_none():
    """Five seeds, of which two solve nothing."""
    table = study(CLAIMED, True, problems=FEW).with_columns(
        solution_valid=pl.col("solution_valid") & ((pl.col("seed") > 1) | (pl.col("arm") != "correct"))
    )
    found = findings.measurements({"maze": table})
    assert set(found.filter(part="b")["seeds"]) == {SEEDS - 2}
    assert set(found.filter(part="b")["verdict"]) == {OPEN}


def test_a_share_of_no_cases_is_open():
    """Nothing is right far away, no trace valid anywhere, and of long problems none is right."""
    right = pl.col("solution_valid") & (pl.col("split") == "near") & (pl.col("reference_steps") < 70)
    table = study(CLAIMED, True, problems=FEW).with_columns(solution_valid=right, trace_local=False)
    found = findings.measurements({"maze": table})
    for part in "bfh":
        row = found.filter(part=part, primary=True).row(0, named=True)
        assert {row[name] for name in ("value", "low", "high", "p", "p_holm")} == {None}
        assert (row["seeds"], row["verdict"]) == (0, OPEN)
    given = dict(findings.verdicts(found).select("finding", "verdict").iter_rows())
    assert {given[letter] for letter in "bfh"} == {OPEN}


def test_a_share_of_nothing_seen_is_not_nothing(claimed):
    """No valid trace among 300 problems of 6 seeds."""
    found = claimed.filter(part="j2", primary=True)
    assert found["value"][0] == 0
    assert 0.005 < found["high"][0] < 0.01


def test_a_problem_that_was_drawn_twice_is_one():
    """Every problem twice: no interval is narrower than of the problems once."""
    once = study(CLAIMED, True, problems=FEW).collect()
    twice = pl.concat([once, once.with_columns(pl.col("index") + FEW)])
    one, two = (findings.measurements({"maze": table.lazy()}) for table in (once, twice))
    assert two["value"].to_list() == pytest.approx(one["value"].to_list(), abs=1e-9)
    widths = [(frame["high"] - frame["low"]).to_numpy() for frame in (one, two)]
    assert (widths[1] > 0.9 * widths[0]).all()


def test_arms_judged_on_other_problems_are_refused():
    moved = study(CLAIMED, True, problems=FEW).with_columns(
        pl.when(pl.col("treatment") == "swapped")
        .then(pl.col("problem_key") + 7)
        .otherwise(pl.col("problem_key"))
        .alias("problem_key")
    )
    with pytest.raises(ValueError, match="'swapped match=none' and 'correct' were judged on different"):
        findings.measurements({"maze": moved})


def test_what_is_null_is_no_other_problem():
    """Of a metric that is not known of all problems it is said so."""
    unknown = study(CLAIMED, True, problems=FEW).with_columns(
        pl.when(pl.col("index") > 2).then("solution_valid").alias("solution_valid")
    )
    plain = unknown.filter(pl.col("algorithm").is_null())
    with pytest.raises(
        ValueError, match=r"solution_valid is null for 18 of the problems of near.* 'correct'"
    ):
        compare(plain.filter(treatment="correct"), "solution_valid", "near")
    with pytest.raises(ValueError, match=r'col\("solution_valid"\) is null for .* of the problems of near'):
        findings.measurements({"maze": plain})
    with pytest.raises(ValueError, match="what is compared is null for 18 of the problems of near"):
        next(TaskOutcomes(unknown).gains(pl.col("solution_valid")))


def test_few_seeds_settle_nothing():
    two = {key: value for key, value in CLAIMED.items() if key[0] in ("correct", "solution_only")}
    found = findings.measurements({"maze": study(two, True, seeds=4, problems=FEW)})
    assert set(found["verdict"]) == {OPEN}


def test_arms_that_are_not_there_have_no_rows_and_two_settings_are_refused():
    few = {key: value for key, value in CLAIMED.items() if key[0] != "swapped" and key[2] is None}
    found = findings.measurements({"maze": study(few, True, problems=FEW)})
    assert not {"c1", "c2", "d1", "d2", "g"} & set(found["part"])
    assert "c" not in set(findings.verdicts(found)["finding"])
    two = study({**few, ("correct", "width=64", None): (0.9, 0.3, 0.6)}, True, problems=FEW)
    with pytest.raises(ValueError, match="several arms are trace=correct"):
        findings.measurements({"maze": two})


@pytest.mark.parametrize("true", [0.0, 0.1])
def test_a_difference_that_is_not_there_is_seldom_replicated(true):
    """Nor is one of exactly the margin refuted in more than some 2.5 %."""
    draw, verdicts = np.random.default_rng(1), []
    for _ in range(400):
        level = 0.5 + draw.normal(0, 0.05, (2, 8, 1)) + draw.normal(0, 0.2, (1, 1, 100))
        level[0] += true
        arms = draw.random((2, 8, 100)) < level
        found = spread([arm.astype(float) for arm in arms], (1, -1))
        verdicts.append(difference(found, found.p))
    wrong = REPLICATED if true == 0 else REFUTED
    assert verdicts.count(wrong) / len(verdicts) < 0.05


def test_rules_at_their_bounds():
    def sure(value):
        return Spread(value, 1e-6, 10.0)

    assert [difference(sure(v), 0.001) for v in (0.2, 0.05, -0.2)] == [REPLICATED, REFUTED, REFUTED]
    assert difference(sure(0.2), 0.2) == OPEN
    assert [no_less(sure(v), 1) for v in (0.3, -0.05, -0.2)] == [REPLICATED, REPLICATED, REFUTED]
    assert [not_raised(sure(v), 1) for v in (-0.3, 0.05, 0.2)] == [REPLICATED, REPLICATED, REFUTED]
    assert [above(0.1)(sure(v), 1) for v in (0.2, 0.05)] == [REPLICATED, REFUTED]
    assert [below(0.9)(sure(v), 1) for v in (0.8, 0.95)] == [REPLICATED, REFUTED]
    unsure = Spread(0.0, 0.5, 10.0)
    assert {rule(unsure, 1.0) for rule in (difference, no_less, not_raised, above(0.1), below(0.1))} == {OPEN}


def test_parts_and_tasks_are_put_together():
    assert all_of([REPLICATED, REPLICATED]) == REPLICATED
    assert all_of([REPLICATED, OPEN]) == OPEN
    assert all_of([REPLICATED, REFUTED]) == REFUTED
    yes, no, unsure = REPLICATED, REFUTED, OPEN
    assert over_tasks([yes] * 4 + [unsure]) == yes
    assert over_tasks([yes] * 4 + [no]) == MIXED
    assert over_tasks([no] * 3 + [yes] * 2) == no
    assert over_tasks([unsure] * 5) == unsure
    assert over_tasks([yes]) == yes
    assert over_tasks([yes] * 3) == yes
    assert over_tasks([yes] * 2 + [unsure]) == MIXED, "four of five are three of three"
    assert over_tasks([yes] * 3 + [unsure]) == MIXED, "and four of four"
    assert over_tasks([no] * 2 + [yes]) == no
    assert over_tasks([no] * 2 + [yes] * 2) == MIXED, "three of five are three of four"


@pytest.mark.parametrize("seeds", [5, 10])
def test_intervals_of_ratios_cover(seeds):
    draw, inside = np.random.default_rng(2), 0
    for _ in range(300):
        easy = np.clip(0.6 + draw.normal(0, 0.2, 150), 0, 1)
        by_seed = draw.normal(0, 0.05, (seeds, 1))
        whole = draw.random((seeds, 150)) < np.clip(easy + by_seed, 0, 1)
        part = whole & (draw.random((seeds, 150)) < 0.3)
        parts = [(1.0, part.astype(float), whole.astype(float))]
        low, high = of_ratios(parts, np.arange(150)).interval()
        inside += low <= 0.3 <= high
    assert 0.92 <= inside / 300 <= 0.99


@pytest.mark.parametrize("of_seeds", [0.0, 0.2])
def test_a_drop_of_ranks_covers(of_seeds):
    """Correlations of a normal pair: Spearman's is 6 / pi * arcsin(r / 2). And the error is not too large."""
    draw, found = np.random.default_rng(3), []
    for _ in range(60):
        sets = []
        for true in (0.6, 0.3):
            by_seed = np.clip(true + draw.normal(0, of_seeds * (true > 0.5), (5, 1)), -0.9, 0.9)
            r, size = 2 * np.sin(np.pi / 6 * by_seed), draw.normal(size=100)
            lengths = r * size + (1 - r**2) ** 0.5 * draw.normal(size=(5, 100))
            sets.append(Ranked(size, lengths, np.arange(100, dtype=np.uint64)))
        found.append(drop_of_ranks(sets[0], sets[1:]))
    ends = [each.interval() for each in found]
    assert sum(low <= 0.3 <= high for low, high in ends) >= 53
    true_error = np.std([each.value for each in found])
    assert np.mean([each.error**2 for each in found]) ** 0.5 == pytest.approx(true_error, rel=0.25)


def test_lengths_that_never_vary_follow_nothing():
    """A seed that always writes as much counts as a correlation of 0."""
    draw = np.random.default_rng(4)
    size, problems = draw.normal(size=200), np.arange(200, dtype=np.uint64)
    follows = np.stack([size, size, np.full(200, 7.0), size])
    near, far = Ranked(size, follows, problems), Ranked(size, np.ones((4, 200)), problems)
    found = drop_of_ranks(near, [far])
    assert found.value == pytest.approx(0.75)
    assert found.error == pytest.approx(0.25), "seeds alone differ: their standard deviation / sqrt(seeds)"
    assert found.freedom == pytest.approx(3)
