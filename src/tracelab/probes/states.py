"""Is the solver's state in the model? Linear probes for it, at each layer, where steps begin and end.

    python -m tracelab.probe states run=runs/...

What the state is, the task says (`Task.solver_state`): which cells are open, which variables assigned, which
facts known. It is that of the search which stands in the text, or of the problem's true search after as many
steps; these differ where a model was trained on other problems' traces.

Sources: Li et al. 2023 (arXiv 2210.13382) for probes of a state that a model was never shown; Hewitt and
Liang 2019 (arXiv 1909.03368) for control tasks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tracelab.analysis.states import FILE, KINDS, best, of_file
from tracelab.core import rng
from tracelab.core.knobs import one_of
from tracelab.core.settings import Count, Seed
from tracelab.core.types import Examples, Quantity, Task
from tracelab.data.frozen import references
from tracelab.decoding.sampling import generate
from tracelab.evaluation.judging import knobs_of, labels, trained_model
from tracelab.models.base import Model
from tracelab.models.places import check_places
from tracelab.probes.base import Shown
from tracelab.probes.linear import halves, most_varied, of_problems, scored
from tracelab.probes.moments import AT, Moments, activations, clock, moments_of, quantities
from tracelab.runs import sets
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run
from tracelab.runs.tables import cell

TRACES = ("own", "reference")
SEARCHES = ("text", "problem")
ENOUGH = 256  # problems
HEADINGS = (
    "quantity",
    "trace",
    "search",
    "at",
    "majority",
    "clock",
    "embed",
    "best place",
    "score",
    "selectivity",
    "kinds known",
)


@dataclass(frozen=True)
class States:
    """Linear probes for the solver's state. split: a test set (None: the first); problems: of it (None: as
    many as the run was evaluated on, up to ENOUGH).

    traces: those that stand in the text, the model's own and the reference solver's; searches: whose state
    is asked for, that of the text's search and that of the problem's (with the reference they are one).
    steps: of each trace, drawn at random; places: in the model (None: the stream after each layer), see
    `models.places`; entities: of each quantity that are probed, at most, those whose labels vary most.
    """

    split: str | None = None
    problems: Count | None = None
    traces: Sequence[str] = TRACES
    searches: Sequence[str] = SEARCHES
    steps: Count = 12
    places: Sequence[str] | None = None
    entities: Count = 8
    seed: Seed = 0

    file = FILE

    def __post_init__(self) -> None:
        for knob, chosen, known in (
            ("traces", self.traces, TRACES),
            ("searches", self.searches, SEARCHES),
        ):
            if not chosen:
                raise ValueError(f"probe.{knob}=[] asks for nothing: take some of {', '.join(known)}")
            for name in chosen:
                one_of(f"probe.{knob}", name, known)

    def __call__(self, run: Run) -> pa.Table:
        """A row per tested problem, trace, search, quantity, at and place; see `scores` and `Scores`.

        ValueError if the task does not say what its solver knows.
        """
        record, experiment = run.read_json("run.json"), run.settings
        sampling = replace(experiment.eval, problems=self.problems or min(experiment.eval.problems, ENOUGH))
        tests = sets.test_sets(replace(experiment, eval=sampling), build_task(experiment.task))
        split = self.split or next(iter(tests))
        one_of("probe.split", split, tuple(tests))
        task, examples = tests[split]
        model = trained_model(run, task, sampling.checkpoint, record["context"])
        check_places(model, self.places or ())
        options = {"max_new": sampling.limit(record), "batch_size": sampling.batch_size}
        about = {**labels(run), "split": split, "asked": knobs_of(steps=self.steps, entities=self.entities)}
        rows = [row for name in self.traces for row in self.rows(model, task, examples, name, options)]
        if not rows:
            raise ValueError(
                f"{run.folder}: no quantity of these traces varies: ask with more probe.problems; of a run "
                "that writes no traces, take probe.traces=[reference]"
            )
        fixed = {name: pa.array([value] * len(rows)) for name, value in about.items()}
        table = pa.Table.from_pylist(rows)
        return pa.table({**fixed, **{name: table[name] for name in table.column_names}})

    def shown(self, path: Path) -> Shown:
        """The best layer for each quantity, beside what needs no model."""
        rows = []
        for row in best(of_file(path)).iter_rows(named=True):
            plain = (_figure(row, name) for name in ("majority", "clock", "embed"))
            found = (_figure(row, name, ends=True) for name in ("score", "selectivity"))
            about = (row[name] for name in ("quantity", "trace", "search", "at"))
            share = cell("known", {"value": row["known"], "low": None, "high": None})
            rows.append([*about, *plain, row["place"], *found, share])
        caption = (
            "accuracy in per cent, of numbers R²; 95 % intervals over problems; kinds known: of steps, the "
        )
        caption += "share of moments whose kind was trained on, of which selectivity is"
        return Shown(HEADINGS, rows, caption)

    def rows(
        self, model: Model, task: Task, examples: Examples, trace: str, options: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """The table's rows of one kind of trace, but for what all share. options: of `generate`."""
        if not hasattr(task, "solver_state"):
            raise ValueError(f"task={task.name} has no solver_state, which says what its solver knows")
        prompts = model.opened(task.prompts(examples))
        reference = references(task, examples)
        texts = reference
        if trace == "own":
            texts = generate(model, prompts, stop=task.codec.stop, **options).tokens
        moments = moments_of(task, prompts, texts, self.steps, self.seed, model.context)
        if not len(moments.text):
            return
        stream = [f"blocks.{i}" for i in range(len(model.blocks))]
        seen = activations(model, prompts.joined(texts), moments, ["embed", *(self.places or stream)])
        seen = {"clock": clock(moments.taken), **seen}
        for search in self.searches:
            if search == "problem" and trace == "reference" and "text" in self.searches:
                continue
            traces = moments.traces if search == "text" else list(examples.trace)
            for name, quantity in quantities(task, examples, traces, moments).items():
                about = {"trace": trace, "search": search, "quantity": name, "number": quantity.number}
                yield from self._probed(examples, moments, seen, quantity, about)

    def _probed(
        self,
        examples: Examples,
        moments: Moments,
        seen: dict[str, Any],
        quantity: Quantity,
        about: dict[str, Any],
    ) -> Iterator[dict[str, Any]]:
        """A row for each tested problem at each place, of one quantity."""
        train = halves(examples.identity[moments.text], rng.rng(self.seed, "test", 0, "probed"))
        chosen = most_varied(quantity.values, quantity.number, train, self.entities)
        for k, at in enumerate(AT):
            here = np.flatnonzero(moments.at == k)
            values, text = quantity.values[here][:, chosen], moments.text[here]
            for place, x in seen.items():
                random = rng.rng(self.seed, "test", k, "control")
                mine = values, quantity.number, train[here], moments.kind[here], random
                for i, sums in of_problems(scored(x[here], *mine), text):
                    key = {"problem_key": examples.identity[i], "index": examples.index[i]}
                    where = {"at": at, "place": place, "kinds": KINDS, "entities": len(chosen)}
                    yield {**key, **about, **where, **sums}


def _figure(row: dict[str, Any], name: str, ends: bool = False) -> str:
    """A figure of `scores` as text: in per cent, but for R². ends: with its interval?"""
    low, high = (row[f"{name}_{end}"] if ends else None for end in ("low", "high"))
    return cell(name, {"value": row[name], "low": low, "high": high, "share": not row["number"]})
