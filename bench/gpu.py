"""What one GPU makes of it, in under nine minutes: MFU, and ratios to Hugging Face at the same shapes.

    python bench/gpu.py            # every side in its own process; the JSON grows with each
    python bench/gpu.py --smoke    # the same at toy sizes, anywhere, in one process: does it run?

train: our learner under Lightning on packed rows, AdamW, compiled; time to compile is not counted. hf_train:
HF Trainer on the same rows (positions restart, so its attention is within documents, too), fused AdamW;
hf_compiled: the same with torch_compile. sample, hf_sample: new tokens per second at 1,024 prompts, greedy,
none stops early, bfloat16.
MFU counts the arithmetic that training takes, with causal attention within documents counted once
(tracelab.models.gpt.GPT.flops), against the device's peak (tracelab.training.throughput).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from common import RESULTS, peers
from gpu_models import REAL, SMOKE, Sizes
from gpu_sampling import hf_sample, sample
from gpu_training import hf_compiled, hf_train, train

from tracelab.runs.machine import machine

LIMIT = 9 * 60  # seconds in all
SIDES: dict[str, tuple[Any, str, int]] = {  # side -> what runs, the model, tokens of a row
    "train base 8k": (train, "base", 8192),
    "hf_train base 8k": (hf_train, "base", 8192),
    "sample base": (sample, "base", 0),
    "hf_sample base": (hf_sample, "base", 0),
    "train qwen2_380m 8k": (train, "qwen2_380m", 8192),
    "train base 4k": (train, "base", 4096),
    "hf_compiled base 8k": (hf_compiled, "base", 8192),  # last: it compiles longest
}
COUNTED = (
    "ours / peer, tokens per second. train: steps after compilation. sample: a whole second call on equal "
    "prompts, reading them, recording graphs and fetching lines included; compilation is not"
)
PEERS = {  # whose speed is divided by whose
    "train base 8k": ("hf_train base 8k", "hf_compiled base 8k"),
    "sample base": ("hf_sample base",),
}


def run_side(side: str, smoke: bool) -> dict[str, Any]:
    function, name, row = SIDES[side]
    warnings.filterwarnings("ignore")
    figures: dict[str, Any] = function("toy", 256, SMOKE) if smoke else function(name, row, REAL)
    return figures


def in_own_process(side: str, seconds: float) -> dict[str, Any]:
    """A side's figures, or why there are none."""
    command = [sys.executable, __file__, "--side", side]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=max(seconds, 1.0))
    except subprocess.TimeoutExpired:
        return {"failed": "out of time"}
    if done.returncode:
        return {"failed": done.stderr[-2000:]}
    return json.loads(done.stdout.splitlines()[-1])


def ratios(results: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Ours to the peers', where both ran."""
    speed = {side: f["tokens_per_second"] for side, f in results.items() if "failed" not in f}
    pairs = [(side, peer) for side, of in PEERS.items() for peer in of if {side, peer} <= speed.keys()]
    return {f"{side} / {peer}": speed[side] / speed[peer] for side, peer in pairs}


def write(path: Path, results: dict[str, dict[str, Any]], sizes: Sizes, seconds: float) -> None:
    content = {"sizes": vars(sizes), "sides": results, "ratios": ratios(results), "seconds": seconds}
    content |= {"ratios_are": COUNTED, "machine": machine(), "peers": peers()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def line(side: str, figures: dict[str, Any]) -> str:
    if "failed" in figures:
        return f"{side:22s} failed: {figures['failed'][-300:]}"
    mfu = "" if figures.get("mfu") is None else f"{figures['mfu']:8.1%} MFU"
    return f"{side:22s} {figures['tokens_per_second']:14,.0f} tokens/s {mfu}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--side", choices=SIDES, help="run one side and print its figures")
    parser.add_argument("--smoke", action="store_true", help="toy sizes, any machine")
    parser.add_argument("--output", type=Path, default=RESULTS / "gpu.json")
    options = parser.parse_args()
    if options.side:
        print(json.dumps(run_side(options.side, options.smoke)))
        return
    if options.smoke and options.output == RESULTS / "gpu.json":
        parser.error("that would take the place of a GPU's record: name another file, --output FILE")
    if not options.smoke and not torch.cuda.is_available():
        raise SystemExit("There is no GPU here; --smoke --output FILE tries the same at toy sizes")
    began, results = time.monotonic(), {}
    for side in SIDES:
        left = LIMIT - (time.monotonic() - began)
        results[side] = run_side(side, smoke=True) if options.smoke else in_own_process(side, left)
        print(line(side, results[side]), flush=True)
        write(options.output, results, SMOKE if options.smoke else REAL, time.monotonic() - began)
    for pair, ratio in ratios(results).items():
        print(f"{pair:44s} {ratio:8.2f}")
    print(f"Ratios are {COUNTED}.")
    print(f"Written: {options.output}")


if __name__ == "__main__":
    main()
