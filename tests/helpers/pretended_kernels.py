"""Do the kernels that torch would generate on an H100 compile, and are they as good as they were?

    python -m tests.helpers.pretended_kernels                  # `make check-kernels`: a quarter of an hour
    python -m tests.helpers.pretended_kernels "small varlen"   # of some programs alone
    python -m tests.helpers.pretended_kernels --update         # what is found is what they are compared with

Programs: the packed loss of `small`, `base` and `qwen2_380m`, forward and backward, by both kernels of
attention; and a step of decoding. Each kernel is compiled for sm_90. One that does not compile, or has more
than 256 bytes of stack a thread (registers that spill), is a fault. So is a program whose layers read and
write 5 % more than bench/results/gpu_kernels.json says, or 5 % less: something is not counted, or --update is
due. Products and attention are not in these bytes. It takes no GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.helpers import pretended
from tracelab.core.paths import CLONE

RESULTS = CLONE / "bench" / "results" / "gpu_kernels.json"
TRITON = Path(sys.prefix) / "kernels"  # where the Makefile puts it, out of the way of what else is installed
STACK = 256  # bytes a thread
MORE = 1.05  # of the bytes that a layer read and wrote; or as many times less
ROWS, LENGTH = 8, 8192  # of a batch: 65,536 tokens
SLOTS, ROOM, WIDTH = 1024, 1024, 512  # of decoding: rows, places of each, places that are looked at
LAYERS = 2  # and one, so that a layer is the difference


def loss_of(model: str, attention: str, layers: int) -> list[str]:
    """The programs of a packed loss: forward, backward."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    from tests.helpers.pretended_checks import WEIGHTS, on_gpu, packed, reduced
    from tests.helpers.pretended_h100 import HaltedError, generated
    from tracelab.training.losses import packed_loss

    with generated() as sources, FakeTensorMode():
        net = on_gpu(shaped(model, layers))
        net.kernel = attention
        loss = torch.compile(packed_loss, dynamic=False, fullgraph=True)
        batch = packed(rows=ROWS, length=LENGTH)
        try:
            with reduced():
                loss(net, WEIGHTS, *batch[:4])
        except HaltedError:
            return list(sources)
    raise RuntimeError("nothing was compiled")


def step_of(model: str, temperature: float, layers: int) -> list[str]:
    """The program of a step of decoding."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    from tests.helpers.pretended_checks import GPU, on_gpu
    from tests.helpers.pretended_h100 import HaltedError, generated
    from tracelab.decoding.slots import Slots
    from tracelab.decoding.stepping import Rows, Steps, Wish

    with generated() as sources, FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        net = on_gpu(shaped(model, layers), torch.bfloat16)
        slots = Slots.empty(net, SLOTS, ROOM)
        rows = Rows.idle(SLOTS, 300, GPU)
        steps = Steps(net, slots, rows, Wish.of(3, temperature, GPU), compiled=True)
        steps.records = False
        try:
            steps.run(SLOTS, WIDTH, 1)
        except HaltedError:
            return list(sources)
    raise RuntimeError("nothing was compiled")


def shaped(name: str, layers: int) -> Any:
    """A model of the configs, of so many layers, for the published mazes."""
    from hydra.utils import instantiate

    from tracelab.runs.entry import compose
    from tracelab.training.settings import Training

    part = compose(Training, "train", f"model={name}", f"model.layers={layers}").model
    return instantiate(part, vocab_size=944, context=LENGTH, _convert_="all")


PROGRAMS: dict[str, Callable[[int], list[str]]] = {
    **{
        f"{model} {attention}": lambda layers, model=model, attention=attention: loss_of(
            model, attention, layers
        )
        for model in ("small", "base", "qwen2_380m")
        for attention in ("varlen", "flex")
    },
    "base step": lambda layers: step_of("base", 0.7, layers),
    "base step greedy": lambda layers: step_of("base", 0.0, layers),
}


def moved(source: str) -> float:
    """GB that a program's kernels read and write, those of attention left out."""
    from tests.helpers.pretended_h100 import kernels_of

    return sum(
        each.gigabytes * each.calls for each in kernels_of(source) if "flex_attention" not in each.name
    )


def examined(program: Callable[[int], list[str]]) -> dict[str, Any]:
    """What is found of a program: GB a layer, forward and backward; kernels, and the worst of them."""
    from tests.helpers.pretended_h100 import compiled, kernels_of

    one, sources = program(LAYERS - 1), program(LAYERS)
    layer = [round(moved(two) - moved(first), 4) for first, two in zip(one, sources, strict=True)]
    kernels = {each.code: each for source in sources for each in kernels_of(source)}
    stack, registers, failed = 0, 0, {}
    for each in kernels.values():
        try:
            for used in compiled(each):
                stack, registers = max(stack, used["stack"]), max(registers, used["registers"])
        except Exception as error:
            failed[each.name] = f"{type(error).__name__}: {str(error)[:500]}"
    return {
        "gigabytes_a_layer": layer,
        "kernels": len(kernels),
        "stack": stack,
        "registers": registers,
        "failed": failed,
    }


def faults(found: dict[str, Any]) -> list[str]:
    """What is wrong with a program."""
    said = [f"{name} does not compile: {error}" for name, error in found["failed"].items()]
    if found["stack"] > STACK:
        said.append(f"a kernel has {found['stack']} bytes of stack a thread, more than {STACK}")
    if found["kernels"] == 0 or min(found["gigabytes_a_layer"], default=0) <= 0:
        said.append("no kernel was found in what torch generates, or none says what it reads and writes")
    return said


def changed(found: dict[str, Any], before: dict[str, Any] | None) -> list[str]:
    """How a program is other than it was."""
    if before is None:
        return ["it is not in the results: --update"]
    now, then = found["gigabytes_a_layer"], before["gigabytes_a_layer"]
    alike = [old / MORE <= new <= MORE * old for new, old in zip(now, then, strict=False)]
    if len(now) == len(then) and all(alike):
        return []
    return [f"a layer reads and writes {now} GB, and did {then}"]


def main() -> int:
    """Exit status: 1 if a program has a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", nargs="*", default=list(PROGRAMS), help=", ".join(PROGRAMS))
    parser.add_argument("--update", action="store_true", help="write what is found to bench/results")
    options = parser.parse_args()
    if unknown := set(options.programs) - set(PROGRAMS):
        parser.error(f"no program is called {min(unknown)!r}; there are {', '.join(PROGRAMS)}")
    check_ready()
    with tempfile.TemporaryDirectory(prefix="tracelab-kernels-") as folder:  # a real GPU has no use for them
        os.environ |= {
            "TRITON_CACHE_DIR": f"{folder}/triton",
            "TORCHINDUCTOR_CACHE_DIR": f"{folder}/inductor",
        }
        begin()
        return sum([examine(name, options.update) for name in options.programs]) > 0


def examine(name: str, update: bool) -> bool:
    """Say what is found of a program; has it a fault? update: write it down, if it has none."""
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {"programs": {}}
    found = examined(PROGRAMS[name])
    layer = " + ".join(f"{number:.2f}" for number in found["gigabytes_a_layer"])
    worst = f"{found['stack']} bytes of stack, {found['registers']} registers"
    print(f"{name:20s} {layer:>13s} GB a layer  {found['kernels']:3d} kernels  {worst}", flush=True)
    said = faults(found)
    if not update and (other := changed(found, kept["programs"].get(name))):
        said += [*other, f"the results are of {kept.get('versions')}, this of {versions()}"]
    for line in said:
        print(f"  {line}", flush=True)
    if update and not said:
        made = {"gpu": "H100, pretended", "date": date.today().isoformat(), "versions": versions()}
        programs = kept["programs"] | {name: found}
        RESULTS.write_text(json.dumps(made | {"programs": programs}, indent=1) + "\n", encoding="utf-8")
    return bool(said)


def check_ready() -> None:
    """Exit, saying what is missing, unless there are a build of torch without CUDA, g++ and Triton."""
    torch = Path(find_spec("torch").submodule_search_locations[0]) / "version.py"  # not imported yet
    if not re.search(r"^cuda\b.*= None$", torch.read_text(encoding="utf-8"), re.MULTILINE):
        sys.exit("is for builds of torch without CUDA; where there is a GPU: make check-gpu")
    if shutil.which("g++") is None:
        sys.exit("needs g++: the pretended device is a few lines of C++")
    sys.path.append(str(TRITON))
    if find_spec("triton") is None:
        sys.exit(f"needs Triton: pip install --no-deps --target {TRITON} triton; or make check-kernels")


def begin() -> None:
    """Load the pretended GPU, before torch, and let torch's compiler believe in it."""
    pretended.load(pretended.built())
    import torch

    from tests.helpers.pretended_h100 import pretend

    torch.set_num_threads(1)
    pretend()


def versions() -> dict[str, str]:
    """Of what generates the code and what compiles it."""
    import triton

    return {"torch": version("torch"), "triton": str(triton.__version__)}


if __name__ == "__main__":
    sys.exit(main())
