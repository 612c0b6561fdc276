"""Is a model right when it is sure? Calibration curve, ECE and Brier score of two confidences.

probability: of a completion, the geometric mean of its tokens' probabilities. vote: of a problem's
commonest solution, the share of samples that give it (where there are several). Sources: Guo et al. 2017 (ECE
in bins of equal width), Brier 1950.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tracelab.analysis.stability import per_problem
from tracelab.core.stats import clustered

Floats = NDArray[np.float64]
BINS = 10
SURE = 0.9  # confidence from which an answer counts as given with confidence


def calibrations(
    table: pl.LazyFrame, by: Sequence[str] = ("arm", "split"), threshold: float = SURE, bins: int = BINS
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """-> (curves, summary), each with the groups and `confidence`: probability, and with samples vote.

    curves: see `calibration`. summary: ece, brier, mean (of the confidence), accuracy, and of all answers the
    share that are wrong with a confidence of at least the threshold: sure_wrong, with _low and _high (95 %);
    threshold, n.
    """
    curves, rows = [], []
    for labels, confidence, correct, problems in _confidences(table, by):
        curve, ece, brier = calibration(confidence, correct, problems, bins)
        curves.append(curve.select(*(pl.lit(v).alias(k) for k, v in labels.items()), *curve.columns))
        wrong = (confidence >= threshold) & ~correct
        _, place = np.unique(problems, return_inverse=True)
        low, high = clustered(*_per_problem(place, wrong))
        figures = {
            "ece": ece,
            "brier": brier,
            "mean": float(confidence.mean()),
            "accuracy": float(correct.mean()),
        }
        ends = {"sure_wrong": float(wrong.mean()), "sure_wrong_low": low, "sure_wrong_high": high}
        rows.append(labels | figures | ends | {"threshold": threshold, "n": len(correct)})
    return pl.concat(curves), pl.DataFrame(rows)


def _confidences(
    table: pl.LazyFrame, by: Sequence[str]
) -> Iterator[tuple[dict[str, Any], Floats, NDArray[np.bool_], NDArray[Any]]]:
    """-> labels; confidences, verdicts and whose each is, of each group."""
    names = [*by, "problem_key", "mean_logprob", "solution_valid", "sample"]
    frame = table.select(names).collect(engine="streaming").sort(*by, "problem_key")
    for key, part in frame.group_by(list(by), maintain_order=True):
        probability = part["mean_logprob"].cast(pl.Float64).exp().clip(0, 1).to_numpy()
        labels = dict(zip(by, key, strict=True)) | {"confidence": "probability"}
        yield labels, probability, part["solution_valid"].to_numpy(), part["problem_key"].to_numpy()
    if not (frame["sample"] > 0).any():
        return
    votes = per_problem(table, by=list(dict.fromkeys([*by, "seed", "split"])))
    for key, part in votes.group_by(list(by), maintain_order=True):
        labels = dict(zip(by, key, strict=True)) | {"confidence": "vote"}
        yield labels, part["vote"].to_numpy(), part["vote_correct"].to_numpy(), part["index"].to_numpy()


def calibration(
    confidence: Floats, correct: NDArray[np.bool_], problems: NDArray[Any] | None = None, bins: int = BINS
) -> tuple[pl.DataFrame, float, float]:
    """Is what is said with confidence c right with frequency c? -> (curve, ECE, Brier score).

    confidence: (n,) in [0, 1]; correct: (n,); problems: (n,), whose each one is (None: all differ). The curve
    has a row per bin that is not empty: low, high (its ends), confidence_mean, accuracy with interval, n.
    ECE: the mean over all of |accuracy - confidence| of their bin. Brier: the mean of
    (confidence - correct)².
    """
    if len(confidence) != len(correct) or len(confidence) == 0:
        raise ValueError("calibration needs as many verdicts as confidences, and one at least")
    if confidence.min() < 0 or confidence.max() > 1:
        raise ValueError(f"confidences lie from 0 to 1, not {confidence.min():.3g} to {confidence.max():.3g}")
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    n = np.bincount(place, minlength=bins)
    sure = np.bincount(place, confidence, bins) / np.maximum(n, 1)
    right = np.bincount(place, correct, bins)
    _, problem = np.unique(np.arange(len(place)) if problems is None else problems, return_inverse=True)
    ends = np.array([clustered(*_per_problem(problem[place == k], correct[place == k])) for k in range(bins)])
    curve = pl.DataFrame(
        {
            "low": np.arange(bins) / bins,
            "high": np.arange(1, bins + 1) / bins,
            "confidence_mean": sure,
            "accuracy": right / np.maximum(n, 1),
            "accuracy_low": ends[:, 0],
            "accuracy_high": ends[:, 1],
            "n": n,
        }
    ).filter(pl.col("n") > 0)
    gap = np.abs(right / np.maximum(n, 1) - sure)
    brier = float(np.mean((confidence - correct) ** 2))
    return curve, float((gap * n).sum() / n.sum()), brier


def _per_problem(problem: NDArray[np.int64], correct: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any]]:
    """-> how many are correct, of how many."""
    return np.bincount(problem, correct), np.bincount(problem)
