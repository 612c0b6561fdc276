"""Figures of a run, in the style of `tracelab.plots`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tracelab.plots import BLUE, FIELDS, GREEN, GREY, ORANGE, PURPLE, RED, SKY, figure, write_csv

LOOKS = ((BLUE, "o"), (GREEN, "^"), (RED, "s"), (ORANGE, "D"), (PURPLE, "v"), (SKY, "P"), (GREY, "X"))


def accuracy_and_validity(path: Path, metrics: Mapping[str, Any], title: str) -> None:
    """The shares that metrics want drawn, per test set, with 95 % intervals; nothing if there are none.

    metrics: test set -> name -> estimate, as in metrics.json.
    """
    names = list(metrics)
    every = {k: e for estimates in metrics.values() for k, e in estimates.items()}
    drawn = {k: e["label"] or k for k, e in every.items() if e["drawn"] and e["share"]}
    if not drawn:
        return
    data = []
    with figure(path, 5.6, 0.8 + 0.42 * len(names)) as (_, ax):
        for k, (metric, label) in enumerate(drawn.items()):
            colour, marker = LOOKS[k % len(LOOKS)]
            has = [i for i, name in enumerate(names) if metrics[name].get(metric, {}).get("low") is not None]
            estimates = [metrics[names[i]][metric] for i in has]
            shares, low, high = (np.array([e[f] for e in estimates]) for f in ("value", "low", "high"))
            y = np.array(has) + 0.2 * (k - (len(drawn) - 1) / 2)
            error = np.maximum([shares - low, high - shares], 0)
            ax.errorbar(
                shares, y, xerr=error, fmt=marker, ms=4.5, color=colour, capsize=2, lw=1.2, label=label
            )
            data += [
                (names[i], metric, e["value"], e["low"], e["high"], e["n"])
                for i, e in zip(has, estimates, strict=True)
            ]
        counts = {e["n"] for estimates in metrics.values() for k, e in estimates.items() if k in drawn}
        ax.set_yticks(np.arange(len(names)), [n.replace("_", " ") for n in names])
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        n = "–".join(str(c) for c in sorted({min(counts), max(counts)}))
        ax.set(xlim=(-0.02, 1.02), xlabel=f"share of completions (n = {n} per test set, 95 % intervals)")
        ax.set_title(title, loc="left", fontsize=9)
        ax.legend(
            loc="upper center", bbox_to_anchor=(0.45, -0.62 / (0.8 + 0.42 * len(names)) - 0.02), ncols=3
        )
    write_csv(path, ("test set", "metric", "value", "low", "high", "n"), data)


def examples(path: Path, task: Any, picks: Sequence[Mapping[str, Any]]) -> None:
    """Completions on their problems: the search in its order, the solution, the first bad step."""
    with figure(path, 3.3 * len(picks), 3.9, columns=len(picks)) as (_, axes):
        for ax, pick in zip(np.atleast_1d(axes), picks, strict=True):
            trace, solution = task.codec.read_completion(np.asarray(pick["completion"]))
            at = pick["trace_strict_at"]
            task.plot(ax, np.asarray(pick["problem"]), trace, solution, at)
            verdict = "valid" if pick["solution_valid"] else pick["solution_reason"].replace("_", " ")
            trace_verdict = (
                "strictly valid"
                if pick["trace_strict"]
                else f"{pick['trace_strict_reason'].replace('_', ' ')} {where_of(at, pick['trace_steps'])}"
            )
            ax.set_xlabel(task.picture_legend, fontsize=6.5, loc="left")
            ax.set_title(f"solution: {verdict}\ntrace: {trace_verdict}", fontsize=8, loc="left")


def where_of(at: int, steps: int) -> str:
    """The place of a trace's first bad step, in words; steps are counted from 0, as in `trace_strict_at`."""
    if at < steps:
        return f"at step {at}, the last is {steps - 1}"
    return f"after step {steps - 1}, the last" if steps else "without a step"


def picks_of(table: Any, split: str, count: int = 3) -> list[dict[str, Any]]:
    """Outcomes that differ in their verdicts, common combinations first; of each the longer searches."""
    rows = table.filter(np.asarray(table["split"].to_pylist()) == split)
    pairs = list(zip(rows["solution_valid"].to_pylist(), rows["trace_strict"].to_pylist(), strict=True))
    by_kind: dict[Any, list[int]] = {}
    for i in np.argsort(-rows["reference_steps"].to_numpy(), kind="stable"):
        by_kind.setdefault(pairs[i], []).append(int(i))
    kinds = sorted(by_kind, key=lambda kind: -len(by_kind[kind]))
    longer = {kind: of_kind[len(of_kind) // 5 :] for kind, of_kind in by_kind.items()}  # not the longest
    chosen = [longer[kind][0] for kind in kinds][:count]
    chosen += longer[kinds[0]][1 : 1 + count - len(chosen)]
    return [row for i in chosen for row in rows.slice(i, 1).to_pylist()]


def passes(path: Path, before: Mapping[str, Any], after: Mapping[str, Any], title: str) -> None:
    """pass@k and maj@k before and after post-training: does it widen what is solved, or only sharpen?"""
    data = []
    with figure(path, 5.0, 3.2) as (_, ax):
        for when, estimates, colour in (("before", before, GREY), ("after", after, BLUE)):
            for kind, style in (("pass", "-"), ("maj", ":")):
                chosen = {int(k.split("@")[1]): e for k, e in estimates.items() if k.startswith(f"{kind}@")}
                if not chosen:
                    continue
                ks, values = list(chosen), [e["value"] for e in chosen.values()]
                low, high = ([e[f] for e in chosen.values()] for f in ("low", "high"))
                ax.plot(ks, values, style, color=colour, marker="o", ms=3, label=f"{kind}@k, {when}")
                ax.fill_between(ks, low, high, color=colour, alpha=0.12, lw=0)
                names = [f"{kind}@{k}" for k in ks]
                data += [(when, name, *(estimates[name][f] for f in FIELDS)) for name in names]
        ax.set_xscale("log", base=2)
        ax.set(xlabel="k samples", ylabel="share of problems (95 %)", ylim=(-0.02, 1.02))
        ax.set_title(title, loc="left", fontsize=8)
        ax.legend(loc="lower right")
    write_csv(path, ("when", "metric", "value", "low", "high", "n"), data)
