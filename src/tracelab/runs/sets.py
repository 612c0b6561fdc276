"""The data of an experiment: training stream, validation and test sets, data card.

data = prepare(experiment)
sequences = data.chunk(0)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tracelab.core.codec import Sequences
from tracelab.core.types import Examples, Task
from tracelab.data import card, from_files, frozen, splits
from tracelab.data.compiling import compile_ahead
from tracelab.data.pieces import Chunks, Endless, Frozen
from tracelab.data.survey import survey
from tracelab.runs import ordering
from tracelab.runs.build import build_task
from tracelab.runs.explaining import explained
from tracelab.runs.levels import at_levels
from tracelab.runs.ranking import ranked, twins_of
from tracelab.runs.room import context_for, longest_completion, room_for
from tracelab.runs.settings import Experiment
from tracelab.runs.treatments import build_treatment
from tracelab.traces.base import Treatment, Turn
from tracelab.traces.correct import Correct
from tracelab.traces.latent import Latent
from tracelab.traces.solution_only import SolutionOnly

TestSets = splits.TestSets
Treated = Callable[[Examples, str], card.Arm]
Turns = ordering.Turns


def test_sets(experiment: Experiment, task: Task, against: Mapping[str, Examples] | None = None) -> TestSets:
    """The test sets, the same for all arms and seeds; disjoint from `against`, or ValueError."""
    tested = experiment.eval
    return splits.test_sets(task, tested.seed, tested.problems, against, experiment.data.drawn_by)


def chosen(tests: TestSets, names: Sequence[str] | None) -> dict[str, tuple[Task, Examples]]:
    """The test sets of these names; None: the first. ValueError if there is no such test set."""
    wanted = list(names or list(tests)[:1])
    if unknown := [name for name in wanted if name not in tests]:
        named = ", ".join(unknown)
        raise ValueError(f"splits={wanted}: there is no test set {named}; choose from {', '.join(tests)}")
    return {name: tests[name] for name in wanted}


@dataclass(frozen=True)
class Sets:
    """What a model is trained and validated on.

    chunk: k -> the k-th chunk of training sequences (of a frozen set: one of its pieces). turns: where what
    is trained on changes, the chunks of each `Turn`.
    """

    vocabulary: tuple[str, ...]
    chunk: Callable[[int], Sequences]
    turns: Turns
    val: Sequences


@dataclass(frozen=True)
class Data(Sets):
    """And what it is tested on and described by.

    train: the first piece, which the card describes; context: the longest sequence that the model must take;
    max_new: tokens that a completion may have.
    """

    train: Sequences
    tests: TestSets
    card: dict[str, Any]
    summary: str
    context: int
    max_new: int


def prepare(experiment: Experiment, context: int = 0, max_new: int = 0) -> Data:
    """Generate (or load) and treat the data of an experiment. ValueError if splits share problems.

    context, max_new: of a run that goes on, as they were worked out when it began.
    """
    task, treatment = build_task(experiment.task), build_treatment(experiment.trace)
    compile_ahead(experiment.task, experiment.trace)
    chunks = training_problems(experiment, task)
    arm = arms(experiment, task, treatment, chunks)
    train = arm(chunks[0], "train")
    val = arm(problems(experiment, task, "val", experiment.data.val_size), "val")
    known = {"train": train.examples, "val": val.examples}
    splits.assert_disjoint(known)
    tests = test_sets(experiment, task, known)
    told = as_told(experiment, treatment)
    the_card = card.data_card(task, told, {"train": train, "val": val})
    the_card["loss"] = asdict(experiment.loss)
    drawn = ("val",) if experiment.data.files is not None else ("train", "val")
    the_card["kept"] = card.kept(task, dict.fromkeys(drawn, experiment.seed), experiment.eval.seed)
    the_card["test sets"] = {name: len(examples) for name, (_, examples) in tests.items()}
    summary = card.text({**the_card, "splits": {"train": the_card["splits"]["train"]}})
    if isinstance(chunks, from_files.Files):
        the_card["read"] = ordering.told(experiment, chunks)
        summary += "\n" + from_files.summary(the_card["read"])
    longest = train.sequences.longest
    held_out = {"val": val.examples} | {name: examples for name, (_, examples) in tests.items()}
    if len(chunks) > 1:
        the_card["whole training set"] = whole = surveyed(experiment, held_out)
        longest = whole["longest"]
        summary += "\n  the first of {pieces} pieces; all {problems:,} problems were judged".format(**whole)
    teacher = experiment.data.teacher
    if teacher is not None:
        levels = zip(map(str, teacher.values), at_levels(experiment)[:-1], strict=False)
        earlier = {value: surveyed(level, held_out) for value, level in levels}
        the_card |= {"teacher": asdict(teacher), "levels": earlier}
        longest = max(longest, *(level["longest"] for level in earlier.values()))
        judged = (f"{teacher.knob}={value}: {level['problems']:,}" for value, level in earlier.items())
        summary += f"\n  problems of earlier values, all judged: {', '.join(judged)}"
    max_new = experiment.eval.max_new or max_new or room_for(longest_completion(tests), task, train)
    turns, latents = turns_of(experiment, task, treatment, chunks), latents_of(treatment)
    if turns:  # of a treatment none has longer sequences than the first, but for latents
        lengths = [] if teacher else [turns[0][1](k).longest for k in range(len(chunks))]
        longest = max([longest, *lengths]) + latents
    if experiment.data.online:
        longest *= 2  # later chunks may exceed
    needed = context_for(longest, val.sequences, tests, latents + max_new)
    context = experiment.model.get("context") or max(needed, context)
    chunk = training_chunks(chunks, train.sequences, arm)
    sequences = chunk, turns, val.sequences, train.sequences
    return Data(task.codec.vocabulary, *sequences, tests, the_card, summary, context, max_new)


def surveyed(experiment: Experiment, held_out: Mapping[str, Examples]) -> dict[str, Any]:
    """What `survey` says of all that an experiment trains on; ValueError if it refuses any of it."""
    task, treatment = build_task(experiment.task), build_treatment(experiment.trace)
    chunks = training_problems(experiment, task)
    arm = arms(experiment, task, treatment, chunks)
    return survey(task, treatment, (arm(chunks[piece], "train") for piece in range(len(chunks))), held_out)


def prepared(experiment: Experiment) -> Sets:
    """What `prepare` has prepared before, for training alone: nothing is judged again."""
    task, treatment = build_task(experiment.task), build_treatment(experiment.trace)
    chunks = training_problems(experiment, task)
    arm = arms(experiment, task, treatment, chunks)
    chunk = training_chunks(chunks, arm(chunks[0], "train").sequences, arm)
    val = arm(problems(experiment, task, "val", experiment.data.val_size), "val")
    turns = turns_of(experiment, task, treatment, chunks)
    return Sets(task.codec.vocabulary, chunk, turns, val.sequences)


def arms(experiment: Experiment, task: Task, treatment: Treatment, chunks: Chunks) -> Treated:
    """A function (problems, split) -> these treated; what is trained on may have been read so."""

    def treated(examples: Examples, split: str) -> card.Arm:
        if isinstance(chunks, from_files.Files) and split == "train":
            return from_files.arm(chunks, task)
        sequences, done = frozen.arm(task, treatment, examples, experiment.seed, split)
        if experiment.loss.of_latents and split == "train":
            assert isinstance(treatment, Latent), "checked before anything is drawn"
            taught = bool(experiment.loss.distillation_weight)
            sequences = explained(task, treatment, examples, done, sequences, taught)
        if experiment.loss.ranking_weight and split == "train":
            damage = twins_of(experiment.loss)
            sequences = ranked(task, examples, done, sequences, damage, experiment.seed)
        return card.Arm(examples, sequences, done)

    return treated


def turns_of(experiment: Experiment, task: Task, treatment: Treatment, chunks: Chunks) -> Turns:
    """What is trained on in turn, and the chunks of each: files, where these have an order, and the levels
    of a teacher.
    """
    if isinstance(chunks, from_files.Files):
        return ordering.turns_of(experiment, treatment, chunks)
    if experiment.data.teacher is not None:
        return tuple((Turn(0.0, treatment, anew=False), level(each)) for each in at_levels(experiment))

    def chunks_of(turn: Turn) -> Callable[[int], Sequences]:
        arm = arms(experiment, task, turn.treatment, chunks)
        return lambda k: arm(chunks[chunks.piece(k)], "train").sequences

    return tuple((turn, chunks_of(turn)) for turn in treatment.in_turn())


def level(experiment: Experiment) -> Callable[[int], Sequences]:
    """The chunks of training sequences of an experiment whose task is at one level."""
    task, treatment = build_task(experiment.task), build_treatment(experiment.trace)
    chunks = training_problems(experiment, task)
    arm = arms(experiment, task, treatment, chunks)
    return training_chunks(chunks, arm(chunks[0], "train").sequences, arm)


def latents_of(treatment: Treatment) -> int:
    """How many latents a model of this arm reads behind each prompt."""
    return 0 if treatment.thinks is None else treatment.thinks.number


def as_told(experiment: Experiment, treatment: Treatment) -> Treatment:
    """The treatment as the card is to call it: of files nothing is promised.

    ValueError if it cannot be had of files.
    """
    files = experiment.data.files
    if files is None:
        return treatment
    if type(treatment) not in (Correct, SolutionOnly):
        raise ValueError(
            f"trace={experiment.names.trace} is made of the solver's own traces, and data.files come with "
            "theirs: take trace=correct to train on them as they are, trace=solution_only to leave them out"
        )
    return from_files.AsRead(files, isinstance(treatment, Correct))


def problems(experiment: Experiment, task: Task, split: str, count: int) -> Examples:
    """A frozen set of problems of the experiment's seed."""
    data = experiment.data
    return frozen.problems(
        task,
        seed=experiment.seed,
        split=split,
        count=count,
        distinct=data.distinct,
        workers=data.drawn_by,
    )


def held_out(experiment: Experiment, count: int) -> tuple[Task, Examples, Sequences]:
    """The first so many problems of the validation set, and what the set teaches for them."""
    task, treatment = build_task(experiment.task), build_treatment(experiment.trace)
    size = experiment.data.val_size
    examples = problems(experiment, task, "val", size).take(np.arange(min(count, size)))
    return task, examples, frozen.arm(task, treatment, examples, experiment.seed, "val")[0]


def training_problems(experiment: Experiment, task: Task) -> Chunks:
    """The problems that an experiment trains on: of files, a frozen set, or an endless stream."""
    data = experiment.data
    if data.files is not None:
        if data.online:
            raise ValueError("data.online=true draws problems, data.files has them: leave one of them out")
        told = as_told(experiment, build_treatment(experiment.trace))
        traces = isinstance(told, from_files.AsRead) and told.traces
        files = from_files.read_files(data.files, task, traces=traces, distinct=data.distinct)
        _check_unchanged(files, data.checksums or [])
        return files
    if data.online:
        return Endless(task, experiment.seed, "train", data.train_size)
    return Frozen(task, experiment.seed, "train", data.train_size, data.distinct, data.drawn_by)


def _check_unchanged(files: from_files.Files, checksums: Sequence[str]) -> None:
    """ValueError names a file whose content is not what it was when the run started."""
    for file, was in zip(files.about["files"], checksums, strict=False):
        if not file["sha256"].startswith(was):
            raise ValueError(
                f"data.files={file['path']} is not what this run was begun with (its checksum was {was}...): "
                "put that file back, or take another run_dir"
            )


def training_chunks(chunks: Chunks, first: Sequences, arm: Treated) -> Callable[[int], Sequences]:
    """A function k -> the k-th chunk of training sequences; those of a set of one piece stay in memory."""
    if len(chunks) == 1 and not isinstance(chunks, Endless):
        return lambda k: first
    return lambda k: arm(chunks[chunks.piece(k)], "train").sequences
