"""What latents are for: does the answer need them, what do they say, and what if they were others?

    python -m tracelab.probe latents run=runs/...

Four questions, a file each: answers forced behind some of the latents (`forcing`), the problem's trace read
off them (`readings`), a trace found in them without it (`chaining`), answers behind others in their place
(`thoughts`). Source: Dilgren and Wiegreffe 2026 (arXiv 2604.04902).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tracelab.analysis.latents import CONTROL, FILE, QUESTIONS, of_file
from tracelab.core import rng
from tracelab.core.knobs import one_of
from tracelab.core.settings import Count, Positive, Seed
from tracelab.core.types import Examples
from tracelab.evaluation.judging import knobs_of
from tracelab.probes.base import Shown
from tracelab.probes.chaining import CHAINED, Versions, chains, versions_of
from tracelab.probes.forcing import Answers, Forced, Forcing, forced
from tracelab.probes.readings import PARTS, alike, decoded, expected
from tracelab.probes.tested import Tested, tested
from tracelab.probes.thoughts import Thoughts, imposed, others, readings, replaced, thoughts_of
from tracelab.runs.folder import Run
from tracelab.runs.tables import cell

HEADINGS = ("question", "of", "counted", "answers", "share", "above control")


class Counted(NamedTuple):
    """What was counted of n problems: `true` of `of`, (n,) each. See `analysis.latents`."""

    question: str
    what: str
    counted: str
    true: NDArray[Any]
    of: NDArray[Any]


@dataclass(frozen=True)
class Latents:
    """Questions about latents. ask: some of QUESTIONS; split: a test set (None: the first); problems: of it
    (None: as many as the run was evaluated on).

    top: words that are read at each place; controls: other problems' traces that are looked for; changes: of
    each number of a prompt, less than there are numbers; noise: of latents' size.
    """

    ask: Sequence[str] = QUESTIONS
    split: str | None = None
    problems: Count | None = None
    top: Count = 10
    controls: Count = 5
    changes: Count = 3
    noise: Positive = 1.0
    seed: Seed = 0

    file = FILE

    def __post_init__(self) -> None:
        for name in self.ask:
            one_of("probe.ask", name, QUESTIONS)

    def __call__(self, run: Run) -> pa.Table:
        """A row per tested problem and thing that is counted; see `Counted`. ValueError without latents, or
        if the task is asked nothing.
        """
        asked = tested(run, None if self.split is None else [self.split], self.problems)
        if not asked.model.lead:
            raise ValueError(
                f"run={run.folder} has no latents: take a run of trace=latent, but not of trace.feedback=none"
            )
        ((split, (task, examples)),) = asked.tests.items()
        self.check(task)
        own = forced(asked.model, task, examples, asked.sampling, asked.max_new)
        knobs = {name: getattr(self, name) for name in ("top", "controls", "changes", "noise")}
        about = {**asked.about, "split": split, "asked": knobs_of(**knobs)}
        n, parts = len(examples), []
        for one in self.counts(asked, task, examples, own):
            fixed = {**about, "question": one.question, "what": one.what, "counted": one.counted}
            columns: dict[str, Any] = {name: pa.array([value] * n) for name, value in fixed.items()}
            columns |= {"index": examples.index, "problem_key": examples.identity, "right": own.valid[-1]}
            numbers = {"true": one.true, "of": one.of}
            columns |= {name: np.asarray(value, np.float64) for name, value in numbers.items()}
            parts.append(pa.table(columns))
        if not parts:
            raise ValueError(f"probe.ask={[*self.ask]}: nothing of that is asked of task={task.name}")
        return pa.concat_tables(parts)

    def check(self, task: Any) -> None:
        """ValueError if the task's numbers can't be changed so often."""
        if "found" in self.ask and task.name in CHAINED and self.changes >= task.modulus:
            most = task.modulus - 1
            raise ValueError(
                f"probe.changes={self.changes}: a number modulo {task.modulus} can be changed into {most} "
                f"others, so no step could stand: take probe.changes={most}"
            )

    def shown(self, path: Path) -> Shown:
        """Each share, and how far it lies above its control."""
        rows = []
        for row in of_file(path).iter_rows(named=True):
            shares = (
                cell("", {"value": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]})
                for name in ("share", "above")
            )
            rows.append([*(row[name] for name in ("question", "what", "counted", "answers")), *shares])
        return Shown(HEADINGS, rows, "per cent, 95 % intervals over problems")

    def counts(self, asked: Tested, task: Any, examples: Examples, own: Forced) -> Iterator[Counted]:
        """All that is asked for, of one test set. own: answers behind 0 to K of the model's latents."""
        if "needed" in self.ask:
            yield from of_forced(own)
        thoughts = thoughts_of(asked.model, task.prompts(examples))
        if "read" in self.ask and task.name in PARTS:
            yield from self.of_readings(asked, task, examples, thoughts)
        if "found" in self.ask and task.name in CHAINED:
            yield from self.of_chains(asked, task, examples, own.answers[-1])
        if "replaced" in self.ask:
            force = Forcing(asked.model, task, examples, asked.sampling, asked.max_new)
            yield from self.of_replaced(force, thoughts, own.answers[-1])

    def of_readings(
        self, asked: Tested, task: Any, examples: Examples, thoughts: Thoughts
    ) -> Iterator[Counted]:
        """How much of each problem's trace is read off its latents; and of others', of steps that stand in
        its prompt as far, and of whole traces beside their prompts.
        """
        words, prompts = readings(asked.model, thoughts.states, self.top), task.prompts(examples)
        others_ = alike(examples.trace.lengths, self.controls, self.seed)
        own = decoded(task, list(examples.trace), words, prompts)
        whole, of = np.zeros(len(examples)), (others_ >= 0).sum(axis=1)
        for column in others_.T:
            there = np.flatnonzero(column >= 0)
            traces = [examples.trace[int(donor)] for donor in column[there]]
            found = decoded(task, traces, words[there], prompts.take(column[there]))
            whole[there] += [read.step == read.steps for read in found]
        theirs = expected(task, examples.trace, others_, words, prompts)
        all_read = np.array([read.step == read.steps for read in own])
        for what, counts, wholes in (
            ("gold", np.array(own, np.float64), (all_read, np.ones(len(own)))),
            (CONTROL, theirs, (whole, of)),
        ):
            steps, with_operands, result, step, inside = counts.T
            yield Counted("read", what, "result", result, steps)
            yield Counted("read", what, "step", step, steps)
            yield Counted("read", what, "step, operands in latents", inside, with_operands)
            yield Counted("read", what, "whole trace", *wholes)

    def of_chains(self, asked: Tested, task: Any, examples: Examples, own: Answers) -> Iterator[Counted]:
        """Traces that are found without the problem's, in its own latents and in another problem's."""
        options = {"changes": self.changes, "top": self.top, "seed": self.seed}
        versions = versions_of(asked.model, task, task.prompts(examples), **options)
        answers = [_answer(task, row) for row in own.tokens]
        donors = others(len(examples), rng.rng(self.seed, "test", 0, "other latents"))
        swapped: list[Versions] = [
            mine.read_as(versions[donor]) for mine, donor in zip(versions, donors, strict=True)
        ]
        for what, these in (("own", versions), (CONTROL, swapped)):
            for way, found in chains(task, examples, these, answers, self.changes).items():
                yield Counted("found", what, way, found, np.ones(len(examples)))

    def of_replaced(self, force: Forcing, thoughts: Thoughts, own: Answers) -> Iterator[Counted]:
        """Answers behind others in the place of the latents."""
        one = np.ones(len(own.valid))
        yield Counted("replaced", "own", "solution valid", own.valid, one)
        for name, inputs in replaced(thoughts.inputs, self.seed, self.noise):
            with imposed(force.model, inputs) as lead:
                answers = force(lead)
            yield Counted("replaced", name, "solution valid", answers.valid, one)
            yield Counted("replaced", name, "answer changed", ~answers.same(own), one)


def of_forced(found: Forced) -> Iterator[Counted]:
    """Answers behind k latents, and which share of them it takes to agree with the answer behind all."""
    latents = len(found.answers) - 1
    one = np.ones(found.valid.shape[1])
    for k in range(latents + 1):
        yield Counted("needed", f"behind {k}", "solution valid", found.valid[k], one)
        yield Counted("needed", f"behind {k}", "answer as behind all", found.agrees[k], one)
    yield Counted("needed", "first to agree", "share of the latents", found.first, latents * one)
    yield Counted("needed", "agreeing from there on", "share of the latents", found.stable, latents * one)


def _answer(task: Any, completion: NDArray[np.int32]) -> int | None:
    """The number that a completion answers, if it does."""
    solution = task.codec.read_completion(completion)[1]
    return int(solution[0][1]) if len(solution) else None
