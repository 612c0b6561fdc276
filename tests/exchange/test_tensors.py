"""Our writer and reader of safetensors against the library of that name."""

import pytest
import torch

from tracelab.exchange import tensors

MADE = {"a": torch.randn(3, 4), "b.c": torch.randn(5, 3).T}


def test_the_library_reads_what_is_written(tmp_path):
    library = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    tensors.write(tmp_path / "x", MADE)
    found = library.load_file(tmp_path / "x")
    assert found.keys() == MADE.keys()
    assert all(torch.equal(found[name], MADE[name]) for name in MADE)


@pytest.mark.parametrize("kind", tensors.TYPES.values(), ids=str)
def test_what_the_library_writes_is_read(tmp_path, kind):
    library = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")
    narrow = {name: tensor.to(kind).contiguous() for name, tensor in MADE.items()}
    library.save_file(narrow, tmp_path / "x")
    found = tensors.read(tmp_path / "x")
    assert all(torch.equal(found[name], narrow[name].float()) for name in MADE)


def test_what_is_damaged_or_of_another_type_is_refused(tmp_path):
    path = tmp_path / "x"
    tensors.write(path, MADE)
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    with pytest.raises(ValueError, match="is not whole"):
        tensors.read(path)
    path.write_bytes(whole[:20])
    with pytest.raises(ValueError, match="damaged"):
        tensors.read(path)
    path.write_bytes(whole.replace(b'"F32"', b'"I32"'))
    with pytest.raises(ValueError, match="a is of type I32; save the model in one of F32, F16, BF16"):
        tensors.read(path)
