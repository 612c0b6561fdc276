"""A set of many pieces looked at as a whole, once, before training: what its card says of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tracelab.core.types import Examples, Task
from tracelab.data.card import Arm, describe, rate_of
from tracelab.data.splits import assert_disjoint
from tracelab.traces.base import Treatment


def survey(
    task: Task, treatment: Treatment, arms: Iterable[Arm], held_out: Mapping[str, Examples]
) -> dict[str, Any]:
    """Judge every trace of a training set that comes in pieces, of which one at a time is in memory.

    -> pieces, problems, tokens, longest (tokens of a sequence), rates of the verdicts, strict_reasons.
    ValueError if a piece shares a problem with a held-out set or breaks the treatment's promise.
    """
    totals: Counter[str] = Counter()
    passed: Counter[tuple[str, str]] = Counter()
    reasons: Counter[str] = Counter()
    longest = 0
    for arm in arms:
        for name, examples in held_out.items():
            assert_disjoint({"train": arm.examples, name: examples})
        part = describe(task, treatment, arm, "train")
        totals.update(pieces=1, problems=part["problems"], tokens=len(arm.sequences.tokens.values))
        reasons.update(part["strict_reasons"])
        for of in ("solution", "trace"):
            passed.update({(of, name): rate["successes"] for name, rate in part[of].items()})
        longest = max(longest, arm.sequences.longest)
    rates: dict[str, dict[str, Any]] = {"solution": {}, "trace": {}}
    for (of, name), successes in passed.items():
        rates[of][name] = rate_of(successes, totals["problems"])
    return {**totals, "longest": longest, **rates, "strict_reasons": dict(reasons)}
