"""Model FLOPs in closed form, what devices can do at best, and figures of speed."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.helpers.engine import CONTEXT, VOCABULARY, sequences, tiny
from tracelab.batches.padding import Counts, count
from tracelab.models.gpt import GPT
from tracelab.training.throughput import Throughput, peak_flops


def test_flops_in_closed_form():
    L, W, H, KV, D, M, V, T = 3, 64, 8, 2, 8, 96, 50, 17
    model = GPT(V, 32, layers=L, width=W, heads=H, kv_heads=KV, mlp=M, qkv_bias=True, qk_norm=True)
    matrices = L * (W * (H + 2 * KV) * D + H * D * W + 3 * W * M) + V * W
    attention = L * H * D * 6 * T * (T + 1)  # T (T + 1) / 2 pairs, 2 products, 2 + 4 operations
    assert model.flops(T, T * (T + 1) // 2) == 6 * matrices * T + attention


def test_flops_of_matrices_are_what_torch_counts():
    model, T = tiny(qk_norm=False), 32
    ids = torch.randint(VOCABULARY, (1, T))
    with FlopCounterMode(display=False) as counter:
        model(ids).sum().backward()
    squares = 12 * 2 * 4 * 8 * T * T  # scores over T x T, causal or not
    assert counter.get_total_flops() == model.flops(T, 0) + squares


def test_pairs_are_of_documents_not_of_rows():
    data = sequences(7)
    pairs = sum(sum(range(1, len(row))) for row in data.tokens)
    assert count(data).pairs == pairs
    assert pairs < 7 * CONTEXT**2


@pytest.mark.parametrize(
    ("device", "tera"),
    [
        ("NVIDIA H200", 989.4),
        ("NVIDIA H200 NVL", 835.5),
        ("NVIDIA H100 80GB HBM3", 989.4),
        ("NVIDIA H100 PCIe", 756.5),
        ("NVIDIA GH200 480GB", 989.4),
        ("NVIDIA A100-SXM4-80GB", 312.0),
        ("NVIDIA L40S", 362.0),
        ("NVIDIA L4", 121.0),
    ],
)
def test_peaks(device, tera):
    assert peak_flops(device) == pytest.approx(tera * 1e12)


MIG = "NVIDIA H100 80GB HBM3 MIG 1g.10gb"  # a slice has less than the chip


@pytest.mark.parametrize(
    "device", ["NVIDIA GeForce RTX 4090", "NVIDIA L40", "Tesla V100-SXM2-16GB", "A1000", MIG]
)
def test_no_peak_of_an_unknown_device(device):
    assert peak_flops(device) is None


def test_figures_since_the_last_time():
    model, through = tiny(), Throughput(peak=1e9)
    through.add(Counts(100, 60, 10, 500, 40), 1 / 60)
    through.add(Counts(200, 90, 20, 700, 50), 3 / 60)
    figures = through.figures(model, waited=0.5)
    assert figures["tokens_per_second"] == pytest.approx(75)
    assert figures["data_wait_ms"] == pytest.approx(250)
    assert figures["mfu"] == pytest.approx(model.flops(270, 1200) / 4 / 1e9)
    through.add(Counts(50, 5, 1, 100, 0), 1 / 60)
    again = through.figures(model, waited=0.7)
    assert again["tokens_per_second"] == pytest.approx(50)
    assert again["data_wait_ms"] == pytest.approx(200)
    through.peak = None
    through.add(Counts(50, 5, 1, 100, 0), 1 / 60)
    assert "mfu" not in through.figures(model, waited=0.7)
