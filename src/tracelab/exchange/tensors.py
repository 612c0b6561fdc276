"""The safetensors format, written and read: eight bytes with the header's length, the header, the numbers.

The format is so small that the library of that name is no requirement. The tests hold both together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tracelab.core.files import UTF8, whole

TYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
LENGTH, ALIGNED = 8, 8  # bytes


def write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write float32 tensors, whole or not at all."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, tensor in tensors.items():
        end = at + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode(UTF8)
    text += b" " * (-len(text) % ALIGNED)
    with whole(path) as partial, partial.open("wb") as file:
        file.write(len(text).to_bytes(LENGTH, "little") + text)
        for tensor in tensors.values():
            file.write(tensor.contiguous().numpy().astype("<f4", copy=False).tobytes())


def read(path: Path) -> dict[str, Tensor]:
    """A file's tensors as float32. ValueError if it is damaged, or holds numbers of another type."""
    content = path.read_bytes()
    start = LENGTH + int.from_bytes(content[:LENGTH], "little")
    try:
        header = json.loads(content[LENGTH:start])
    except ValueError as error:
        raise ValueError(f"{path} is damaged, or no safetensors file: export or download it anew") from error
    header.pop("__metadata__", None)
    if len(content) != start + max((about["data_offsets"][1] for about in header.values()), default=0):
        raise ValueError(f"{path} is not whole: export or download it anew")
    return {name: _tensor(path, name, about, content, start) for name, about in header.items()}


def _tensor(path: Path, name: str, about: dict[str, Any], content: bytes, start: int) -> Tensor:
    kind, shape, (a, b) = about["dtype"], about["shape"], about["data_offsets"]
    if kind not in TYPES:
        raise ValueError(f"{path}: {name} is of type {kind}; save the model in one of {', '.join(TYPES)}")
    numbers = torch.frombuffer(bytearray(content[start + a : start + b]), dtype=TYPES[kind])
    return numbers.reshape(shape).float()
