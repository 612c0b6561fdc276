"""Post-training that goes on from post-training: seeds are those of the trainings from scratch."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.analysis.test_findings import CLAIMED, FEW, study
from tracelab.analysis import findings
from tracelab.analysis.cells import TaskOutcomes
from tracelab.analysis.estimates import begun, compare, matrices

N = 30
DRAW = np.random.default_rng(0)


def outcomes(*runs):
    """runs: (name, arm, seed, the run before it)."""
    return pl.concat(
        pl.DataFrame(
            {
                "run": name,
                "arm": arm,
                "treatment": "correct",
                "treatment_options": "",
                "seed": seed,
                "algorithm": pl.Series([None if source is None else "grpo"] * N, dtype=pl.String),
                "source": pl.Series([source] * N, dtype=pl.String),
                "split": "near",
                "index": range(N),
                "problem_key": range(N),
                "right": DRAW.random(N) < 0.5,
            }
        )
        for name, arm, seed, source in runs
    ).lazy()


def test_runs_that_go_back_to_one_training_are_one_seed():
    """Three second rounds of three first rounds of one training."""
    table = outcomes(
        ("a", "a", 7, None),
        *((f"b{k}", "b", k, "a") for k in range(3)),
        *((f"c{k}", "c", k, f"b{k}") for k in range(3)),
    )
    assert {arm: frame.columns[2:] for arm, frame in matrices(table, "right", "near").items()} == {
        arm: ["7"] for arm in "abc"
    }
    gains = {arm: cells.on("near") for arm, _, cells in TaskOutcomes(table).gains(pl.col("right"))}
    assert {arm: len(values) for arm, values in gains.items()} == {"b": 1, "c": 1}
    means = table.group_by("arm").agg(pl.col("right").mean()).sort("arm").collect()["right"].to_numpy()
    assert [gains[arm].mean() for arm in "bc"] == pytest.approx(np.diff(means))


def test_runs_of_one_number_that_go_back_to_several_trainings_are_several_seeds():
    """Each round has the seed 0, as where it was given for the first ones alone."""
    table = outcomes(
        *((f"a{k}", "a", k, None) for k in range(3)),
        *((f"b{k}", "b", 0, f"a{k}") for k in range(3)),
        *((f"c{k}", "c", 0, f"b{k}") for k in range(3)),
    )
    assert compare(table, "right", "near")["seeds"].to_list() == [3, 3, 3]


def test_what_lies_before_the_runs_that_are_known_tells_them_apart():
    """And a run that is taken for its own source does not go on for ever."""
    runs = pl.DataFrame(
        {"run": ["b", "c", "d"], "seed": [1, 2, 3], "source": ["gone", "b", "d"]},
    )
    assert begun(runs).rows() == [("b", "gone", 1), ("c", "gone", 1), ("d", "d", 3)]


def test_post_trained_runs_that_lie_apart_are_compared_with_their_own_starts():
    """Half-trained starts are no arm of the study: nothing else is of them."""
    table = study(CLAIMED, True, problems=FEW)
    arms = table.filter(pl.col("algorithm").is_null())
    apart = study(CLAIMED, True, seed=1, problems=FEW).filter(pl.col("arm").str.starts_with("correct"))
    found = findings.measurements({"maze": arms, "sat": arms}, {"maze": apart})
    later = pl.col("finding").is_in(findings.SEVERAL)
    assert set(found.filter(later)["task"]) == {"maze"}
    alone = findings.measurements({"maze": apart}).filter(later)
    assert len(alone) > 3
    assert_frame_equal(found.filter(later), alone)
    assert_frame_equal(found.filter(~later), findings.measurements({"maze": arms, "sat": arms}))
    together = pl.concat([arms, apart.with_columns(pl.col("arm").str.replace("^correct$", "correct, half"))])
    with pytest.raises(ValueError, match="several arms are trace=correct"):
        findings.measurements({"maze": together})
