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

from tracelab.analysis.estimates import as_columns
from tracelab.analysis.stability import ANSWERED, per_problem
from tracelab.core.stats import share

Floats = NDArray[np.float64]
BINS = 10
CURVE = ("low", "high", "confidence_mean", "accuracy", "accuracy_low", "accuracy_high", "n")
SURE = 0.9  # confidence from which an answer counts as given with confidence


def calibrations(
    table: pl.LazyFrame, by: Sequence[str] = ("arm", "split"), threshold: float = SURE, bins: int = BINS
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """-> (curves, summary), each with the groups and `confidence`: probability, and with samples vote.

    curves: see `calibration`. summary: ece, brier, mean (of the confidence), accuracy; sure_wrong, with _low
    and _high (95 %): of all, the share that are wrong answers with a confidence of at least the threshold;
    answered: the share that are answers; threshold, n.
    """
    curves, rows = [], []
    for labels, confidence, correct, answered, problems in _confidences(table, by):
        curve, ece, brier = calibration(confidence, correct, problems, bins)
        curves.append(curve.select(*(pl.lit(v).alias(k) for k, v in labels.items()), *curve.columns))
        figures = {
            "ece": ece,
            "brier": brier,
            "mean": float(confidence.mean()),
            "accuracy": float(correct.mean()),
            "answered": float(answered.mean()),
        }
        ends = as_columns("sure_wrong", share((confidence >= threshold) * (answered - correct), problems))
        rows.append(labels | figures | ends | {"threshold": threshold, "n": len(correct)})
    return pl.concat(curves), pl.DataFrame(rows, infer_schema_length=None)


def _confidences(
    table: pl.LazyFrame, by: Sequence[str]
) -> Iterator[tuple[dict[str, Any], Floats, Floats, Floats, NDArray[Any]]]:
    """-> labels; confidences, chances to be right, to be an answer, and whose each is, of each group."""
    names = [*by, "problem_key", "mean_logprob", "solution_valid", "sample"]
    frame = (
        table.select(*names, ANSWERED.alias("answered")).collect(engine="streaming").sort(*by, "problem_key")
    )
    for key, part in frame.group_by(list(by), maintain_order=True):
        probability = part["mean_logprob"].cast(pl.Float64).exp().clip(0, 1).to_numpy()
        labels = dict(zip(by, key, strict=True)) | {"confidence": "probability"}
        yield (
            labels,
            probability,
            part["solution_valid"].cast(pl.Float64).to_numpy(),
            part["answered"].cast(pl.Float64).to_numpy(),
            part["problem_key"].to_numpy(),
        )
    if not (frame["sample"] > 0).any():
        return
    for key, part in per_problem(table, by=by).group_by(list(by), maintain_order=True):
        labels = dict(zip(by, key, strict=True)) | {"confidence": "vote"}
        votes = ("vote", "vote_correct", "vote_answered", "problem_key")
        vote, chance, answered, problems = (part[name].to_numpy() for name in votes)
        yield labels, vote, chance, answered, problems


def calibration(
    confidence: Floats, correct: NDArray[Any], problems: NDArray[Any] | None = None, bins: int = BINS
) -> tuple[pl.DataFrame, float, float]:
    """Is what is said with confidence c right with frequency c? -> (curve, ECE, Brier score).

    confidence: (n,) in [0, 1]; correct: (n,) verdicts, or chances to be right where a tie is broken by lot;
    problems: (n,), whose each one is (None: all differ). The curve has a row per bin that is not empty: low,
    high (its ends), confidence_mean, accuracy with interval, n. ECE: the mean over all of
    |accuracy - confidence| of their bin. Brier: the (expected) mean of (confidence - correct)².
    """
    if len(confidence) != len(correct) or len(confidence) == 0:
        raise ValueError("calibration needs as many verdicts as confidences, and one at least")
    if confidence.min() < 0 or confidence.max() > 1:
        raise ValueError(f"confidences lie from 0 to 1, not {confidence.min():.3g} to {confidence.max():.3g}")
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    whose, rows = np.arange(len(place)) if problems is None else problems, []
    for k in np.unique(place):
        inside = place == k
        right = share(correct[inside], whose[inside])
        rows.append((k / bins, (k + 1) / bins, confidence[inside].mean(), *right, inside.sum()))
    curve = pl.DataFrame(rows, CURVE, orient="row")
    gap = (curve["accuracy"] - curve["confidence_mean"]).abs()
    brier = float(np.mean(correct * (1 - confidence) ** 2 + (1 - correct) * confidence**2))
    return curve, float((gap * curve["n"]).sum() / len(place)), brier
