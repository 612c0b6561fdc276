"""Logistic curves are found where they are known; so is which of two came first, and where there is none."""

import numpy as np
import polars as pl
import pytest

from tracelab.analysis import kinetics
from tracelab.analysis.kinetics import fit, logistic

TOKENS = np.geomspace(2e4, 5e6, 30)
KNOWN = [(3e5, 2.0, 0.9), (1e5, 4.0, 1.0), (5e5, -3.0, 0.8)]  # midpoint, slope, ceiling


def curves(shares, n=10**6, run="a", seed=0, tokens=TOKENS):
    """As of `learning_curves`, by hand. shares: metric -> values."""
    rows = [
        (run, "x", seed, k, int(t), t / 1e5, metric, float(value), n)
        for metric, values in shares.items()
        for k, (t, value) in enumerate(zip(tokens, values, strict=True))
    ]
    names = ["run", "arm", "seed", "step", "tokens", "minutes", "metric", "value", "n"]
    return pl.DataFrame(rows, schema=names, orient="row")


@pytest.mark.parametrize("known", KNOWN)
def test_a_curve_without_noise_is_found(known):
    (row,) = kinetics.fits(curves({"solution_valid": logistic(TOKENS, *known)})).iter_rows(named=True)
    for name, value in zip(kinetics.NAMES, known, strict=True):
        assert row[name] == pytest.approx(value, rel=1e-3)
        assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"] <= max(1.0, row[name] * 1.1)
    assert row["r2"] > 0.999
    assert row["why"] is None


def test_intervals_cover():
    """Of 100 curves of 128 problems each, at a nominal 95 %."""
    draw, known, hits = np.random.default_rng(0), (3e5, 2.0, 0.9), np.zeros(3)
    for _ in range(100):
        value = draw.binomial(128, logistic(TOKENS, *known)) / 128
        row = kinetics._row(fit(TOKENS, value, np.full(30, 128.0)))
        hits += [row[f"{k}_low"] <= v <= row[f"{k}_high"] for k, v in zip(kinetics.NAMES, known, strict=True)]
    assert (hits / 100 > 0.89).all()
    assert (hits / 100 < 1).all()


def test_where_there_is_no_curve_it_is_said_why():
    shares = {
        "flat": np.tile([24.0, 27.0], 15) / 64,
        "never": np.zeros(30),
        "late": logistic(TOKENS, 1.2e7, 2.0, 1.0),
    }
    found = kinetics.fits(curves(shares, n=64), list(shares))
    assert found["midpoint"].null_count() == 3
    chance = "it does not change by more than chance"
    assert found["why"].to_list() == [chance, chance, "its midpoint lies outside of what was watched"]
    few = {"flat": logistic(TOKENS[:4], 1e5, 2.0, 1.0)}
    assert kinetics.fits(curves(few, tokens=TOKENS[:4]))["why"].item() == "4 validations, and it takes 5"


def test_a_ceiling_of_less_than_a_thousandth_is_no_failure():
    """8 of 10,000 at the end: what is fitted is the lowest ceiling that there is."""
    value = np.where(np.arange(30) < 15, 0.0, 8e-4)
    found = fit(TOKENS, value, np.full(30, 1e4))
    assert found.parameters[2] == pytest.approx(1e-3, rel=0.1)


def test_which_came_first():
    """A doubling and a half between midpoints; and a trace that is lost again."""
    later = logistic(TOKENS, 2e5 * 2**1.5, 3.0, 0.9)
    runs = [
        curves({"solution_valid": logistic(TOKENS, 2e5, 3.0, 1.0), "trace_strict": later}),
        curves(
            {
                "solution_valid": logistic(TOKENS, 4e5, 3.0, 1.0),
                "trace_strict": logistic(TOKENS, 4e5 * 2**0.5, 2.0, 0.7),
            },
            run="b",
            seed=1,
        ),
        curves(
            {
                "solution_valid": logistic(TOKENS, 2e5, 3.0, 1.0),
                "trace_strict": logistic(TOKENS, 8e5, -3.0, 0.9),
            },
            run="c",
            seed=2,
        ),
    ]
    fits = kinetics.fits(pl.concat(runs))
    assert kinetics.over_seeds(fits, "midpoint").select("metric", "seeds").rows() == [
        ("solution_valid", 3),
        ("trace_strict", 3),
    ]
    found = kinetics.phases(fits)
    assert found["phase"].to_list() == ["not yet", "not yet", "no longer"]
    assert found["delay"].to_list() == pytest.approx([1.5, 0.5, 2.0], abs=1e-2)
    assert (found["low"] < found["delay"]).all()
    assert (found["delay"] < found["high"]).all()
    mean = kinetics.over_seeds(found.filter(phase="not yet"), "delay")
    assert mean["value"].item() == pytest.approx(1.0, abs=1e-2)
    assert mean["high"].item() - mean["value"].item() == pytest.approx(
        12.706 * 0.5, rel=0.02
    )  # t, one degree
    midpoint = kinetics.over_seeds(found.filter(phase="not yet"), "midpoint")["value"].item()
    assert midpoint == pytest.approx(2e5 * 2**0.5, rel=1e-3)
    traces = kinetics.over_seeds(found, "midpoint_trace")["value"].item()
    assert traces == pytest.approx(np.cbrt(8 * 2e5**2 * 8e5), rel=1e-3), "the geometric mean, as of answers"
    alone = kinetics.over_seeds(found.filter(phase="no longer"), "delay")
    assert alone.select("low", "high", "seeds").rows() == [(None, None, 1)]
