"""The comparison on a GPU runs: at toy sizes, here."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from tracelab.core.paths import ROOT
from tracelab.models.kernels import ON_GPUS

PEERS = ("transformers", "accelerate")
RESULTS = ROOT / "bench" / "results"


@pytest.mark.skipif(not all(map(find_spec, PEERS)), reason="the peers are not installed")
def test_smoke(tmp_path):
    output = tmp_path / "gpu.json"
    command = [sys.executable, ROOT / "bench" / "gpu.py", "--smoke", "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(output.read_text())
    assert len(result["sides"]) == 7
    assert all(figures["tokens_per_second"] > 0 for figures in result["sides"].values())
    assert len(result["ratios"]) == 3
    assert f"Ratios are {result['ratios_are']}" in done.stdout
    assert result["sides"]["sample base"]["slow"] == []
    ours = result["sides"]["train base 8k"]
    assert ours["model_tflops"] > 0
    on_gpu = torch.cuda.is_available()
    assert ours["attention"] in (ON_GPUS if on_gpu else ("plain",))
    assert on_gpu or ours["mfu"] is None  # no known device
    assert result["machine"]["versions"]["torch"]
    assert "train base 8k" in done.stdout


@pytest.mark.slow
def test_the_check_of_a_gpu_runs(tmp_path):
    """At toy sizes, where there is none: attention, lines, losses and resumption are as they must be."""
    output = tmp_path / "check.json"
    command = [sys.executable, ROOT / "bench" / "gpu_check.py", "--smoke", "--output", output]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    stages = json.loads(output.read_text())["stages"]
    assert len(stages) == 8
    assert not {name: said["failed"] for name, said in stages.items() if "failed" in said}
    assert stages["train base"]["kernels_ms"]


def at_most(number):
    """`2.5e-6`, as the page writes it."""
    return f"{number:.1e}".replace("e-0", "e-")


def test_the_page_has_the_figures_of_the_gpu():
    """Speeds, ratios and how far attention, losses and weights were off."""
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8").partition("## On a GPU")[2]
    read = {name: json.loads((RESULTS / f"{name}.json").read_text()) for name in ("gpu", "gpu_check")}
    stages, sides = read["gpu_check"]["stages"], read["gpu"]["sides"]
    assert f"{stages['ceilings']['tflops']:.0f} TFLOP/s" in page
    assert f"copies {stages['ceilings']['copy_gb']:,.0f} GB/s" in page
    for name in ("train base", "train small"):
        ours = stages[name]
        assert f"`{name.split()[1]}` ({ours['parameters'] / 1e6:.0f} M)" in page
        assert f"{ours['tokens_per_second']:,.0f} ({100 * ours['mfu']:.1f} % MFU)" in page
    assert all(f"{side['tokens_per_second']:,.0f}" in page for side in sides.values())
    assert all(f"| {ratio:.2f} |" in page for ratio in read["gpu"]["ratios"].values())
    off = stages["attention"]
    single, half = (max(x for name, x in off.items() if kind in name) for kind in ("float32", "bfloat16"))
    assert f"(float32 to {at_most(single)}, bfloat16 to {100 * half:.1f} % of the largest number)" in page
    assert stages["sampling"]["as_on_a_cpu"] == 1.0
    assert f"the same {stages['sampling']['lines']} lines" in page
    kinds = [found for found in stages["learning"].values() if isinstance(found, dict)]
    losses, weights = (max(kind[name] for kind in kinds) for name in ("cpu_off", "resumed_off"))
    assert f"losses are a CPU's to {losses:.0e}, ".replace("e-0", "e-") in page
    assert f"a resumed run's weights are the whole run's to {at_most(weights)}" in page
    assert not any(kind["waits"] for kind in kinds)
    took = 1000 * 8 * 8192 / stages["train base"]["tokens_per_second"]  # a step's rows
    profiled = stages["train base"]["kernels_ms"].items()  # over four steps
    (backward,) = (ms / 4 for name, ms in profiled if "flex_attention_backward" in name)
    assert f"attention in heads of 64 takes {backward:.0f} ms of a step's {took:.0f}." in page
    assert f"HF takes {1000 * 1024 / sides['hf_sample base']['tokens_per_second']:.0f}." in page
