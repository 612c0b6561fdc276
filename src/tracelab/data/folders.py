"""Data sets for others' tools: Parquet with words and numbers, alone or in a folder that explains itself.

save(Path("mazes/train.parquet"), task, columns, sequences)
describe(Path("mazes"))              # README.md, as Hugging Face's `datasets` reads it

datasets.load_dataset("mazes"); polars.read_parquet("mazes/train.parquet")
duckdb.sql("select prompt, completion from 'mazes/train.parquet'")
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import yaml

from tracelab.core.codec import Sequences
from tracelab.core.files import read_json, whole, write_text
from tracelab.core.types import SPLITS, Task
from tracelab.data.card import text
from tracelab.data.store import Columns, table_of

README = "README.md"
ROWS = 10_000  # that are written at a time
SAME = ("task", "treatment", "words")  # what the cards of a folder's splits share
NAMES = {"double": "float64", "float": "float32"}  # of types that Hugging Face calls otherwise


def save(path: Path, task: Task, columns: Columns, sequences: Sequences) -> None:
    """Write a set as Parquet, whole or not at all: its columns, and prompts and completions in words."""
    table, words = table_of(columns), task.codec.words_of
    texts = [
        (words(tokens[:prompt]), words(tokens[prompt:]))
        for tokens, prompt in zip(sequences.tokens, sequences.prompt, strict=True)
    ]
    for place, name in enumerate(("prompt", "completion")):
        table = table.add_column(place, name, pa.array([pair[place] for pair in texts], pa.string()))
    schema = pa.schema([(field.name, _narrow(field.type)) for field in table.schema])
    with whole(path) as partial, _writer(partial, schema) as writer:
        for start in range(0, len(table), ROWS):
            writer.write_table(table.slice(start, ROWS).cast(schema))


def check_same(folder: Path, card: Mapping[str, Any], written: str) -> None:
    """ValueError if the folder holds splits of another data set. written: the split that is to be.

    A split without a card is of a command that was killed between the two.
    """
    for split in splits_in(folder):
        other = read_json(folder / f"{split}.card.json")
        if other is None and split == written:
            continue
        if other is None:
            raise ValueError(
                f"{folder} holds {split}.parquet without its card, so nobody can tell what it is: give the "
                "command that wrote it once more, or delete it"
            )
        if differ := [part for part in SAME if other.get(part) != card[part]]:
            raise ValueError(
                f"{folder} holds a split {split} of another {' and '.join(differ)}: choose another folder"
            )


def splits_in(folder: Path) -> list[str]:
    """Names of the splits that a folder holds."""
    return [split for split in SPLITS if (folder / f"{split}.parquet").is_file()]


def describe(folder: Path) -> None:
    """Write the README of a folder: its splits, the types of its columns, its data cards."""
    splits = splits_in(folder)
    files = [{"split": name, "path": f"{name}.parquet"} for name in splits]
    features = [_feature(field) for field in pa.parquet.read_schema(folder / f"{splits[0]}.parquet")]
    head = {
        "configs": [{"config_name": "default", "data_files": files}],
        "dataset_info": {"features": features},
    }
    cards = [read_json(folder / f"{name}.card.json") for name in splits]
    body = "\n\n".join(text(one) for one in cards)
    front = yaml.safe_dump(head, sort_keys=False)
    write_text(folder / README, f"---\n{front}---\n\n# {folder.name}\n\n{ABOUT}\n```\n{body}\n```\n")


ABOUT = """Problems with treated traces, drawn by tracelab. `prompt` and `completion` are words. `tokens` are
the ids of both, the first `prompt_length` of them the prompt's; an id is a word's place in `words` of the
cards beside this file. `problem`, `trace` and `solution` are the task's own integers: the reference solver's.
"""


def _writer(path: Path, schema: pa.Schema) -> pa.parquet.ParquetWriter:
    return pa.parquet.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)


def _narrow(kind: pa.DataType) -> pa.DataType:
    """A type whose lists are plain ones, which every reader of Parquet knows."""
    if pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(_narrow(kind.value_type))
    return kind


def _feature(field: pa.Field) -> dict[str, Any]:
    """A column as the head of a README on Hugging Face names it."""
    return {"name": field.name, **_typed(field.type)}


def _typed(kind: pa.DataType) -> dict[str, Any]:
    if not pa.types.is_list(kind):
        return {"dtype": NAMES.get(str(kind), str(kind))}
    inner = _typed(kind.value_type)
    return {"list": inner.get("dtype", inner)}
