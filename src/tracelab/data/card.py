"""The data card: what a treated data set is, in the verifier's own words.

The verdicts are on what the model is trained on: the completions' tokens, judged as a model's would be.
A treatment's promise is enforced: `correct` must be strictly valid throughout, `swapped` a
derangement, `redundant` locally valid; `corrupted` must not be valid anywhere, and where damage can't be had
the card says so.

    python -m tracelab.generate task=maze trace=corrupted
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tracelab.core.codec import Sequences
from tracelab.core.stats import wilson
from tracelab.core.terminal import counted, figure
from tracelab.core.types import Examples, Task, Verdicts
from tracelab.core.waiting import waiting
from tracelab.data import frozen, splits
from tracelab.data.store import description
from tracelab.data.verbatim import verbatim
from tracelab.traces.base import Treated, Treatment, refuse_invalid

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
HISTOGRAM_BINS = 12
_KEPT = "draws kept"


class Arm(NamedTuple):
    """One split of a treated data set."""

    examples: Examples
    sequences: Sequences
    treated: Treated


def data_card(task: Task, treatment: Treatment, arms: Mapping[str, Arm]) -> dict[str, Any]:
    """The card of an arm's splits, ready for JSON. ValueError if the treatment's promise is broken."""
    card = {
        **made_of(task, treatment),
        "promise": treatment.promise,
        "dose": treatment.dose,
        "vocabulary": len(task.codec.vocabulary),
        "splits": {split: describe(task, treatment, Arm(*arm), split) for split, arm in arms.items()},
    }
    whole: dict[str, Any] = json.loads(json.dumps(card, default=list))
    return whole


def made_of(task: Task, treatment: Treatment) -> dict[str, Any]:
    """The task and the treatment, as a card names them."""
    said = {"task": description(task), "treatment": description(treatment)}
    made: dict[str, Any] = json.loads(json.dumps(said, default=list))
    return made


def kept(task: Task, seeds: Mapping[str, int], tests: int | None = None) -> dict[str, Any]:
    """The share of draws that are kept, by split and test set, of a task that draws anew problems whose
    search is too long. Empty for others. seeds: by split (see `splits.stream_of`); tests: the seed of the
    test sets, if any.
    """
    streams = {split: (seed, splits.stream_of(task, split)) for split, seed in seeds.items()}
    if tests is not None:
        own = getattr(task, "in_distribution", task.name)
        streams[own] = tests, splits.stream_of(task, "test")
        streams |= {name: (tests, stream) for name, stream in splits.far(task).items()}
    flags = {name: frozen.kept(s.task, seed, s.split, s.name) for name, (seed, s) in streams.items()}
    return {name: _rate(kept) for name, kept in flags.items() if kept is not None}


def text(card: Mapping[str, Any]) -> str:
    """The card for people, a few lines a split."""
    kind = {key: card[key]["class"].rsplit(".", 1)[1] for key in ("task", "treatment")}
    knobs = ", ".join(f"{k}={v}" for k, v in card["treatment"].items() if k != "class")
    lines = [f"{kind['task']}, {kind['treatment']}({knobs}), {card['vocabulary']} words"]
    for split, s in card["splits"].items():
        lines += [
            "",
            f"{split}: {counted(s['problems'], 'problem')}, {s['distinct']:,} distinct, {s['drawn']:,} drawn",
        ]
        if (share := card.get("kept", {}).get(split)) is not None:
            lines.append(f"  {_KEPT:<22}{_percent(share)}: the others are too long, or not for this format")
        for part, d in s["tokens"].items():
            lines.append(f"  {part:<22}{d['mean']:9.1f} tokens on average, {figure(d['max'])} at most")
        for name, r in {**s["solution"], **{f"trace {k}": v for k, v in s["trace"].items()}}.items():
            lines.append(f"  {name:<22}{_percent(r)}")
        lines += [f"  {name:<22} {value}" for name, value in _remarks(s)]
    rest = {name: share for name, share in card.get("kept", {}).items() if name not in card["splits"]}
    lines += ["", *(f"{name}: {_KEPT} {_percent(share)}" for name, share in rest.items())] if rest else []
    return "\n".join(lines)


def _percent(share: Mapping[str, Any]) -> str:
    low, high = share["interval"]
    return f"{100 * share['rate']:8.2f} %  [{100 * low:.2f}, {100 * high:.2f}]"


def _remarks(split: Mapping[str, Any]) -> list[tuple[str, str]]:
    remarks = []
    if "damage" in split:
        d = split["damage"]
        remarks.append(("steps damaged", f"{d['got']:.4f} of all (asked for: {d['asked']:g})"))
        if "verbatim" in d:
            where = "of the reference's, as they are, somewhere in the trace"
            remarks.append(("steps that still stand", f"{d['verbatim']:.4f} {where}"))
        remarks.append(
            ("still valid", f"{counted(d['not_invalidated'], 'trace')} that damage could not make invalid")
        )
    if "added" in split:
        d = split["added"]
        remarks.append(("steps added", f"{d['got']:.4f} of all (asked for: {d['asked']:g})"))
    remarks += [(name, f"{value:9.4f}") for name, value in split.get("measured", {}).items()]
    for measure, d in split.get("donors", {}).get("distance", {}).items():
        remarks.append(
            (f"donor's {measure}", f"differs by {d['mean']:.3g} on average, {figure(d['max'])} at most")
        )
    return remarks


def describe(task: Task, treatment: Treatment, arm: Arm, split: str) -> dict[str, Any]:
    """A split's part of the card. ValueError if the treatment's promise is broken."""
    examples, sequences, treated = arm
    lengths = sequences.tokens.lengths
    completions = sequences.tokens.between(sequences.prompt, lengths - sequences.prompt)
    with waiting(f"Judging traces ({split})"):
        verdicts = task.judge(examples, completions)
    part = {
        "problems": len(examples),
        "distinct": len(np.unique(examples.identity)),
        "drawn": int(examples.index.max()) + 1,  # repetitions in a small space are not kept
        "tokens": {
            "prompt": _distribution(sequences.prompt),
            "trace": _distribution(sequences.trace),
            "solution": _distribution(lengths - sequences.prompt - sequences.trace),
            "whole": _distribution(lengths),
        },
        "complexity": {name: _distribution(v) | _histogram(v) for name, v in examples.complexity.items()},
        **_verdict_rates(task, verdicts),
    }
    strict = verdicts.trace_ok[:, task.levels.index("strict")]
    assert (strict == treated.residual_valid).all(), "tokens and steps are judged alike"
    if treatment.dose is not None:
        part["damage"] = _damage(float(getattr(treatment, treatment.dose)), arm, int(strict.sum()))
    if treatment.adds is not None:
        part["added"] = _added(float(getattr(treatment, treatment.adds)), treated)
    if treated.measured:
        part["measured"] = dict(treated.measured)
    if (treated.donor >= 0).any():
        part["donors"] = _donors(arm)
    _enforce(task, treatment, arm, verdicts, split)
    return part


def _verdict_rates(task: Task, verdicts: Verdicts) -> dict[str, Any]:
    """Rates of every verdict, with intervals, and why traces fail the strict one."""
    strict = task.levels.index("strict")
    codes, counts = np.unique(verdicts.trace_reason[:, strict], return_counts=True)
    return {
        "solution": {
            "solution valid": _rate(verdicts.solution_valid),
            "solution optimal": _rate(verdicts.solution_optimal),
        },
        "trace": {level: _rate(verdicts.trace_ok[:, i]) for i, level in enumerate(task.levels)},
        "strict_reasons": {task.reasons[c]: int(k) for c, k in zip(codes, counts, strict=True)},
    }


def _damage(asked: float, arm: Arm, still_valid: int) -> dict[str, Any]:
    """Steps damaged, as a share of the reference's steps, in all and by trace; and labelled rows, if any."""
    steps, labels = arm.examples.trace.lengths, arm.treated.damaged
    labelled: dict[str, Any] = {}
    if labels is not None:
        labelled = {"labelled_rows": int(labels.values.sum()), "rows": len(labels.values)}
    if arm.treated.rows is not None:
        labelled["verbatim"] = verbatim(arm.examples.trace, arm.treated.rows)
    return {
        "asked": asked,
        "got": float(arm.treated.damage.sum() / max(steps.sum(), 1)),
        "per_trace": _distribution(arm.treated.damage / np.maximum(steps, 1)),
        **labelled,
        "not_invalidated": still_valid,
    }


def _added(asked: float, treated: Treated) -> dict[str, Any]:
    """Steps added, as a share of the treated traces' steps, in all and by trace."""
    assert treated.rows is not None, "what adds steps works on steps"
    steps = treated.rows.lengths
    return {
        "asked": asked,
        "got": float(treated.damage.sum() / max(steps.sum(), 1)),
        "per_trace": _distribution(treated.damage / np.maximum(steps, 1)),
    }


def _donors(arm: Arm) -> dict[str, Any]:
    """How far donors are from their receivers, how many problems are their own donor, and how many different
    pairs of a problem and its donor's there are: near n, unless one donor goes with all copies of a problem.
    """
    examples, donor = arm.examples, arm.treated.donor
    measures = {"trace steps": examples.trace.lengths, **examples.complexity}
    return {
        "each_once": len(np.unique(donor)) == len(donor),
        "self_donors": int((donor == np.arange(len(donor))).sum()),
        "same_problem": int((examples.identity[donor] == examples.identity).sum()),
        "pairs": len(np.unique(np.stack([examples.identity, examples.identity[donor]]), axis=1).T),
        "distance": {name: _distribution(np.abs(v - v[donor])) for name, v in measures.items()},
    }


def _enforce(task: Task, treatment: Treatment, arm: Arm, verdicts: Verdicts, split: str) -> None:
    """ValueError or, where it may be the problems' fault, a warning if the promise is broken."""
    n, donor = len(arm.examples), arm.treated.donor
    valid = int(verdicts.trace_ok[:, task.levels.index("strict")].sum())
    if treatment.promise in ("valid", "local"):
        level = "strict" if treatment.promise == "valid" else "local"
        refuse_invalid(task, arm.examples, verdicts, split, level)
    if treatment.promise == "deranged":
        assert (np.sort(donor) == np.arange(n)).all(), "each trace stands once"
        identity = arm.examples.identity
        fits = 2 * np.unique(identity, return_counts=True)[1].max() <= n  # else one must meet itself
        assert not fits or (identity[donor] != identity).all(), "no problem keeps its trace"
        assert (donor != np.arange(n)).all(), "nor does a copy of it get back its own"
    if treatment.promise == "invalid" and valid:
        warnings.warn(
            f"{valid} of {n} {split} traces are still strictly valid after treatment: raise "
            "trace.rate, choose another trace.kind, or take larger problems",
            stacklevel=2,
        )


def _rate(flags: ArrayLike) -> dict[str, Any]:
    flags = np.asarray(flags)
    return rate_of(int(flags.sum()), len(flags))


def rate_of(k: int, n: int) -> dict[str, Any]:
    """A share with its Wilson 95 % interval."""
    low, high = wilson(k, n)
    return {"rate": k / n, "interval": [float(low), float(high)], "successes": k, "n": n}


def _distribution(values: ArrayLike) -> dict[str, Any]:
    values = np.asarray(values, np.float64)
    quantiles = {f"{q:g}": float(v) for q, v in zip(QUANTILES, np.quantile(values, QUANTILES), strict=True)}
    return {
        "mean": float(values.mean()),
        "min": float(values.min()),
        "max": float(values.max()),
        "quantiles": quantiles,
    }


def _histogram(values: ArrayLike) -> dict[str, Any]:
    """Counts in up to HISTOGRAM_BINS bins; whole numbers get bins of a whole width."""
    values = np.asarray(values)
    bins: Any = HISTOGRAM_BINS
    if np.issubdtype(values.dtype, np.integer):
        width = (int(values.max()) - int(values.min())) // HISTOGRAM_BINS + 1
        bins = np.arange(values.min(), values.max() + width + 1, width)
    counts, edges = np.histogram(values, bins)
    return {"histogram": {"edges": edges.tolist(), "counts": counts.tolist()}}
