"""What a post-training changed in the MLPs, as sparse features: found, described, taken away again, judged.

    found = of_runs(Run.open("runs/sft"), Run.open("runs/grpo"), asked)

Transcoders beside the MLPs of the model before are trained to make it the model after (`diffing`), on
completions that the model after writes to problems of the validation split. What is found is judged on test
problems. Where before and after are one model, nothing is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tracelab.analysis.diff import ADAPTED, AFTER, BEFORE, RANDOM, START, TOP, name_of
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.evaluation.judging import knobs_of, outcomes
from tracelab.models.base import Model
from tracelab.probes.activations import Written, readable
from tracelab.probes.diffing import Pair, divergences, fit
from tracelab.probes.finding import reader_of, written_of
from tracelab.probes.firing import features
from tracelab.probes.settings import Fitting
from tracelab.probes.tested import Tested, tested
from tracelab.probes.transcoders import Transcoders, adapted, beside, without
from tracelab.runs.build import build_task
from tracelab.runs.entry import say
from tracelab.runs.folder import Run
from tracelab.runs.settings import Sampling

MLP = ("gate_up.", "down.")  # parameters of one
ENDS = 20  # steps at the beginning and the end of the fitting, whose mean loss is noted


@dataclass(frozen=True)
class Asked:
    """What is asked for: conf/diff.yaml says what each is."""

    backbone: str
    features: int
    fit: Sampling
    fitting: Fitting
    removed: tuple[int, ...]
    least: float
    seed: int

    def text(self) -> str:
        """What makes the adapted model and its features."""
        own = {"backbone": self.backbone, "features": self.features, "least": self.least}
        return knobs_of(self.fit, **own, **vars(self.fitting))


@dataclass(frozen=True)
class Found:
    """Outcomes of each model, a row per living feature, and what else there is to say."""

    outcomes: pa.Table
    features: pa.Table
    summary: dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """A model that is judged. removed: features that are taken away; context: what makes it one."""

    name: str
    model: Model
    removed: Sequence[tuple[int, int]] = ()
    transcoders: Transcoders = ()

    def context(self) -> AbstractContextManager[Any]:
        """While it lasts, the model is this one."""
        if not self.transcoders:
            return nullcontext()
        stack = ExitStack()
        stack.enter_context(without(self.transcoders, self.removed))
        stack.enter_context(adapted(self.model, self.transcoders))
        return stack


def of_runs(
    before: Run, after: Run, asked: Asked, splits: list[str] | None = None, problems: int | None = None
) -> Found:
    """Fit, describe and judge. splits: test sets (None: the first); problems: of each.

    ValueError if the runs have other shapes or words, or think in latents.
    """
    task = build_task(after.settings.task)
    model_before = reader_of(before, after, task, "before")
    known = tested(after, splits, problems)
    if model_before.lead or known.model.lead:
        raise ValueError(f"{after.folder} thinks in latents, which are no words to compare: take other runs")
    pair = Pair(hybrid(model_before, known.model) if asked.backbone == "after" else model_before, known.model)
    written = written_of(after, task, known.model, asked.fit, asked.fit.max_new or known.max_new)
    texts = readable(written, model_before.context)
    transcoders = beside(pair.before, asked.features, asked.seed)
    loss = fit(pair, transcoders, texts, asked.fitting, asked.seed)
    first = [Variant(BEFORE, model_before), Variant(AFTER, known.model)]
    known.about["asked"] = asked.text()
    tables = [judged(variant, known) for variant in first]
    held_out = readable(read_again(tables[1], known), model_before.context)
    rows = largest_first(features(pair.before, transcoders, held_out, task, asked.least))
    more = list(variants(pair.before, transcoders, rows, asked))
    tables += [judged(variant, known) for variant in more]
    others = {name_of(v.name, len(v.removed)): (v.model, v.context) for v in [*first, *more]}
    nats = divergences(known.model, held_out, others)
    summary = {
        "before": str(before.folder),
        "after": str(after.folder),
        "backbone": asked.backbone,
        "features": {"of": len(transcoders) * asked.features, "living": len(rows), "least": asked.least},
        "texts": {"fitted": len(texts.completions), "held_out": len(held_out.completions)},
        "fitting": vars(asked.fitting) | {"seed": asked.seed},
        "loss": {name: {"first": mean(v[:ENDS]), "last": mean(v[-ENDS:])} for name, v in loss.items()},
        "nats": nats,
        "nats_recovered": recovered(nats),
    }
    return Found(pa.concat_tables(tables, promote_options="permissive"), table(rows, known.about), summary)


def hybrid(before: Model, after: Model) -> Model:
    """The model after with the MLPs of the model before, as the published adapters begin."""
    mixed, theirs = deepcopy(before), after.state_dict()
    outside = {name: w for name, w in theirs.items() if not any(part in name for part in MLP)}
    mixed.load_state_dict(outside, strict=False)
    return mixed


def largest_first(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Living features, as of `firing.features`: those that add most, whatever their MLPs give, first."""
    return sorted(rows, key=lambda row: -row["added"] * row["mlp_share"])


def variants(
    model: Model, transcoders: Transcoders, rows: Sequence[Mapping[str, Any]], asked: Asked
) -> Iterator[Variant]:
    """The adapted model, and without features: those that add most, and as many that are drawn by chance."""
    if asked.backbone == "after":
        yield Variant(START, model)
    yield Variant(ADAPTED, model, (), transcoders)
    living = [(row["layer"], row["feature"]) for row in rows]
    chance = rng.rng(asked.seed, "test", 0, "features").permutation(len(living)).tolist()
    for count in sorted({min(count, len(living)) for count in asked.removed} - {0}):
        yield Variant(TOP, model, living[:count], transcoders)
        yield Variant(RANDOM, model, [living[k] for k in chance[:count]], transcoders)


def judged(variant: Variant, known: Tested) -> pa.Table:
    """The outcomes of one model on each test set, as in outcomes.parquet, and which model it is."""
    about = {**known.about, "variant": variant.name, "removed": len(variant.removed)}
    say(name_of(variant.name, len(variant.removed)))
    with variant.context():
        return outcomes(variant.model, known.tests, known.sampling, known.max_new, about)[0]


def read_again(judged: pa.Table, known: Tested) -> Written:
    """What a model wrote to the first test set, to be read by others; a problem's samples are all there."""
    split, (task, examples) = next(iter(known.tests.items()))
    mine = judged.filter(pa.compute.equal(judged["split"], split))
    repeated = examples.take(np.repeat(np.arange(len(examples)), known.sampling.samples))
    return Written.of(task, repeated, Ragged.of(mine["completion"].to_pylist()), known.model.lead)


def recovered(nats: Mapping[str, float]) -> float | None:
    """The share of the divergence that the adapted model no longer has; None where there is none."""
    return 1 - nats[ADAPTED] / nats[BEFORE] if nats[BEFORE] > 1e-6 else None


def mean(values: Sequence[float]) -> float:
    """The mean of numbers, of which there are some."""
    return sum(values) / len(values)


def table(rows: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> pa.Table:
    """A row per living feature, as of `firing.features`; the columns are there where there is none."""
    kinds = {
        "layer": pa.int64(),
        "feature": pa.int64(),
        "added": pa.float64(),
        "mlp_share": pa.float64(),
        "fires": pa.float64(),
        "kind": pa.string(),
        "kind_added": pa.float64(),
        "kind_tokens": pa.float64(),
        "place": pa.int64(),
        "place_added": pa.float64(),
        "place_tokens": pa.float64(),
        "word": pa.string(),
        "word_added": pa.float64(),
        "word_tokens": pa.float64(),
        "read": pa.list_(pa.float64()),
        "bias": pa.float64(),
        "written": pa.list_(pa.float64()),
    }
    found = pa.Table.from_pylist(list(rows), schema=pa.schema(kinds.items()))
    fixed = {name: pa.array([str(value)] * len(rows), pa.string()) for name, value in about.items()}
    return pa.table({**fixed, **{name: found[name] for name in found.column_names}})
