"""The GPU's code on a pretended GPU: no tensor is left behind, nothing waits, and few graphs are compiled."""

import json
import shutil
import subprocess
import sys

import pytest
import torch

from tracelab.core.paths import CLONE

pytestmark = [
    pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++: the device is a few lines of C++"),
    pytest.mark.skipif(torch.version.cuda is not None, reason="is for torch's builds without CUDA"),
]


@pytest.fixture(scope="module")
def found():
    """Figures of all checks."""
    command = [sys.executable, "-m", "tests.helpers.pretended"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=CLONE, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    figures = json.loads(done.stdout.splitlines()[-1])
    assert not {name: said["failed"] for name, said in figures.items() if "failed" in said}
    return figures


def test_what_is_left_on_the_host_is_noticed(found):
    assert "found at least two devices, cuda:0 and cpu" in found["mixed"]["error"]


@pytest.mark.parametrize("kernel", ["plain", "varlen"])
def test_a_packed_loss_forward_and_backward(found, kernel):
    assert found[kernel]["copies"] == {}
    assert found[kernel]["gradients"] == ["cuda:0 torch.float32"]


def test_flex_attention_is_one_kernel_where_the_model_is_not_compiled(found):
    """Uncompiled, torch warns, it makes all scores: gigabytes a layer."""
    assert found["flex_alone"]["warnings"] == []
    assert found["flex_alone"]["graphs"] == 1
    assert found["flex_alone"]["gradients"] == ["cuda:0 torch.float32"]


def test_logits_are_made_at_once_where_a_gpu_has_room(found):
    """A batch of 65,536 tokens of the published mazes is one chunk; on CPUs chunks are as they were."""
    mazes, large, cpu = found["chunks"]["chunks"]
    assert mazes > 65_536
    assert large == cpu == 8192


@pytest.mark.parametrize("kernel", ["flex_compiled", "varlen_compiled"])
def test_one_graph_whatever_is_packed(found, kernel):
    """Other documents, and more of them."""
    assert found[kernel]["graphs"] == [1, 0, 0]
    assert found[kernel]["gradients"] == ["cuda:0 torch.float32"]


def test_one_graph_for_padded_batches_of_all_shapes(found):
    assert found["policy"]["graphs"] == [1, 0, 0]


def test_blocks_that_are_compiled_one_by_one_share_a_graph(found):
    assert found["blocks"]["graphs"] == [1, 0]


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_nothing_waits_between_lines_of_the_log(found, optimizer):
    """The first step moves one number: after a line, the largest norm begins anew."""
    first, then = found[optimizer]["copies"]
    assert first == {"learner.configure_gradient_clipping cpu to cuda": 1}
    assert then == {}


@pytest.mark.parametrize("way", ["sampling", "greedy"])
def test_decoding_in_slots(found, way):
    """Prompts are admitted by one copy, a step makes none, and rows are moved together by one."""
    assert found[way]["admission"] == {"continuous._tensors cpu to cuda": 1}
    assert found[way]["steps"] == {}
    assert found[way]["rows"] == 6
    assert found[way]["shrinking"] == {"continuous._tensors cpu to cuda": 1}


def test_prompts_are_read_by_the_kernel_for_the_format(found):
    assert found["sampling"]["kernel"] == "plain"
    assert found["greedy"]["kernel"] == "varlen"  # 16 bits


def test_an_update_waits_once_for_its_norm(found):
    assert found["update"]["copies"] == {"updates._update waits": 1}
