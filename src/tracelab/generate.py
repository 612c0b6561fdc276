"""Write a data set without training: Arrow, Parquet, the published JSONL of text, or a folder of splits.

python -m tracelab.generate task=maze trace=swapped count=50000 output=mazes.arrow
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tracelab.core.settings import Count, Part, Place, Seed, Threads, settings
from tracelab.runs.entry import entry, say

if TYPE_CHECKING:
    from pathlib import Path

    from tracelab.core.types import Task
    from tracelab.data.workers import Workers
    from tracelab.traces.base import Treatment


@settings
class DataSet:
    """The knobs of this command: conf/generate.yaml says what each is."""

    task: Part
    trace: Part
    count: Count
    split: str
    seed: Seed
    output: Place
    workers: Threads | None
    backend: str
    address: str | None


def check(asked: DataSet) -> tuple[Task, Treatment, Workers]:
    """What is asked for, built. ValueError names what cannot be had, before anything is drawn."""
    from pathlib import Path

    from tracelab.data import card, folders
    from tracelab.data.splits import stream_of
    from tracelab.data.workers import Workers
    from tracelab.runs.build import build_task
    from tracelab.runs.treatments import build_treatment

    output = Path(asked.output)
    if folder_of(output) is None and output.suffix not in (".arrow", ".jsonl", ".parquet"):
        raise ValueError(f"output={output} must end in .arrow, .jsonl or .parquet, or name a folder")
    if folder_of(output) is not None and output.is_file():
        raise ValueError(f"output={output} is a file, and names a folder of splits: choose another name")
    task, treatment = build_task(asked.task), build_treatment(asked.trace)
    stream = stream_of(task, asked.split)
    if folder_of(output) is not None and stream.task is not task:
        raise ValueError(
            f"output={output} would be a folder, whose splits are of one task, and split={asked.split} is of "
            "another: let output end in .arrow, .jsonl or .parquet"
        )
    treatment.check(stream.task)
    if treatment.thinks is not None:
        raise ValueError("trace=latent has latents, which are no words: no file can hold them (training can)")
    if (folder := folder_of(output)) is not None:
        made = {**card.made_of(task, treatment), "words": list(task.codec.vocabulary)}
        folders.check_same(folder, made, asked.split)
    check_place(folder_of(output) or output.parent, output)
    return task, treatment, Workers(asked.workers, asked.backend, asked.address)


def check_place(folder: Path, output: Path) -> None:
    """ValueError if the output's folder cannot be written to or made. It is not made yet."""
    from tempfile import TemporaryFile

    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise ValueError(
            f"output={output} cannot be written ({there}: {error.strerror}): choose another place"
        ) from error


def folder_of(output: Path) -> Path | None:
    """The folder of splits that is asked for; None where it is a file."""
    return output if output.is_dir() or not output.suffix else None


@entry("generate", DataSet)
def main(asked: DataSet) -> None:
    """Generate, treat, certify, write."""
    from pathlib import Path

    from tracelab.core.files import whole, write_json
    from tracelab.core.waiting import waiting
    from tracelab.data import card, folders, frozen, jsonl, splits, store
    from tracelab.data.compiling import compile_ahead
    from tracelab.runs.test_sets import possible

    asked = replace(asked, task=possible(asked.task))
    base, treatment, workers = check(asked)
    task, split, stream = splits.stream_of(base, asked.split)
    output = Path(asked.output)
    folder = folder_of(output)
    if folder is not None:
        output = folder / f"{asked.split}.parquet"
    compile_ahead(asked.task, asked.trace)
    examples = frozen.problems(
        task, seed=asked.seed, split=split, count=asked.count, name=stream, workers=workers
    )
    sequences, treated = frozen.arm(task, treatment, examples, asked.seed, split)
    certified = card.data_card(task, treatment, {asked.split: card.Arm(examples, sequences, treated)})
    certified["kept"] = card.kept(base, {asked.split: asked.seed})
    certified["words"] = list(task.codec.vocabulary)
    if folder is not None:
        folders.check_same(folder, certified, asked.split)  # another command may have written meanwhile
    beside = output.with_suffix(".card.json") if folder else output.with_name(f"{output.name}.card.json")
    with waiting("Writing"), whole(beside) as kept:  # the set and its card, or neither
        write_json(kept, certified)
        columns = frozen.columns(examples, sequences, treated)
        if output.suffix == ".jsonl":
            jsonl.write_jsonl(output, task, sequences)
        elif output.suffix == ".parquet":
            folders.save(output, task, columns, sequences)
        else:
            store.save(output, columns)
    if folder is not None:
        folders.describe(folder)
    say(card.text(certified))
    print("\n".join(map(str, [output, beside, *([folder / folders.README] if folder else [])])))


if __name__ == "__main__":
    main()
