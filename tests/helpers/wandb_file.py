"""What a W&B run has written offline: the records of a .wandb file, a log in LevelDB's format."""

import json

from wandb.proto.wandb_internal_pb2 import Record

BLOCK, HEAD, MAGIC = 2**15, 7, b":W&B"
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(path):
    """The records of a file, in order."""
    data, at, part = path.read_bytes(), HEAD, b""
    assert data.startswith(MAGIC)
    while at + HEAD <= len(data):
        if BLOCK - at % BLOCK < HEAD:  # too little for a head: filled with zeros
            at += BLOCK - at % BLOCK
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        part += data[at + HEAD : at + HEAD + length]
        at += HEAD + length
        if kind in (FULL, LAST):
            yield Record.FromString(part)
            part = b""


def rows(path):
    """What was logged: a dictionary a call."""
    for record in records(path):
        if record.WhichOneof("record_type") == "history":
            yield values(record.history.item)


def summary(path):
    """The summary at the end."""
    found = {}
    for record in records(path):
        if record.WhichOneof("record_type") == "summary":
            found |= values(record.summary.update)
    return found


def artifacts(path):
    """Names of the files of each artifact."""
    found = []
    for record in records(path):
        if record.WhichOneof("record_type") == "request" and record.request.HasField("log_artifact"):
            found.append(
                sorted(entry.path for entry in record.request.log_artifact.artifact.manifest.contents)
            )
        elif record.WhichOneof("record_type") == "artifact":
            found.append(sorted(entry.path for entry in record.artifact.manifest.contents))
    return found


def values(items):
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
