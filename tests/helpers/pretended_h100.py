"""A pretended H100 for torch's compiler: the code it would run there is written, not run, and then compiled.

    pretended.load(pretended.built())             # before torch is imported
    pretend()
    with generated() as sources, FakeTensorMode():
        ...                                       # what is compiled in here is kept as text; then HaltedError
    for kernel in kernels_of(sources[0]):
        compiled(kernel)                          # by Triton, for sm_90 -> registers, bytes of stack

It needs no GPU, but the Triton that CUDA builds of torch come with. Numbers, time and memory it can't say.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import types
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

H100 = {  # of its data sheet and of CUDA's device query
    "name": "NVIDIA H100 80GB HBM3",
    "major": 9,
    "minor": 0,
    "multi_processor_count": 132,
    "warp_size": 32,
    "regs_per_multiprocessor": 65_536,
    "max_threads_per_multi_processor": 2048,
    "max_threads_per_block": 1024,
    "total_memory": 80 * 2**30,
    "shared_memory_per_block": 49_152,
    "shared_memory_per_block_optin": 232_448,
    "shared_memory_per_multiprocessor": 233_472,
    "L2_cache_size": 50 * 2**20,
    "gcnArchName": "",
    "clock_rate": 1_980_000,
    "memory_clock_rate": 2_619_000,
    "memory_bus_width": 5120,
    "is_integrated": 0,
    "uuid": "pretended",
}
TRITON = re.compile(r"async_compile\.triton\('(\w+)', '''(.*?)''', device_str='cuda'\)", re.DOTALL)
BYTES = re.compile(r"'kernel_num_gb': ([\d.e-]+)")
USED = re.compile(r"(REG|STACK|LOCAL):(\d+)")


class HaltedError(Exception):
    """Compiled code was about to run."""


class Kernel(NamedTuple):
    """A Triton kernel of generated code: its text, what it reads and writes (GB), and how often it runs."""

    name: str
    code: str
    gigabytes: float
    calls: int


class Stream:
    """A stream on which nothing happens."""

    stream_id = cuda_stream = device_index = 0
    device_type = 1
    device = torch.device("cuda", 0)

    def __init__(self, *_: Any, **__: Any) -> None: ...
    def wait_stream(self, other: Any) -> None: ...
    def synchronize(self) -> None: ...
    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None: ...


class Driver:
    """What Triton asks of a GPU before it compiles for one."""

    class utils:  # noqa: N801, for Triton names it so
        @staticmethod
        def get_device_properties(_: int) -> dict[str, int]:
            return {
                "max_shared_mem": H100["shared_memory_per_block_optin"],
                "max_num_regs": H100["regs_per_multiprocessor"],
                "multiprocessor_count": H100["multi_processor_count"],
                "warpSize": H100["warp_size"],
                "sm_clock_rate": H100["clock_rate"],
                "mem_clock_rate": H100["memory_clock_rate"],
                "mem_bus_width": H100["memory_bus_width"],
            }

    def get_current_target(self) -> Any:
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_device_interface(self) -> Any:
        return torch.cuda

    def get_active_torch_device(self) -> torch.device:
        return torch.device("cuda", 0)

    def get_benchmarker(self) -> Any:
        raise RuntimeError("a pretended GPU measures nothing")


PROPERTIES = types.SimpleNamespace(**H100)
ANSWERS: dict[str, Any] = {  # of torch.cuda
    "is_available": True,
    "device_count": 1,
    "current_device": 0,
    "get_device_properties": PROPERTIES,
    "get_device_name": PROPERTIES.name,
    "synchronize": None,
    "is_initialized": True,
    "_lazy_init": None,
    "init": None,
    "mem_get_info": (70 * 2**30, 80 * 2**30),
    "memory_allocated": 0,
    "max_memory_allocated": 0,
    "empty_cache": None,
    "current_stream": Stream(),
    "get_rng_state": torch.zeros(16, dtype=torch.uint8),
    "set_rng_state": None,
    "_exchange_device": 0,
    "_maybe_exchange_device": 0,
}
OF_DYNAMO = {  # of its interface to CUDA
    **{name: ANSWERS[name] for name in ("get_device_properties", "current_device", "device_count")},
    **{name: ANSWERS[name] for name in ("synchronize", "memory_allocated", "current_stream")},
    "get_raw_stream": 0,
    "exchange_device": 0,
    "maybe_exchange_device": 0,
}
OF_TORCH = {  # of torch._C
    "_cuda_getCurrentRawStream": 0,
    "_cuda_getDevice": 0,
    "_cuda_setDevice": None,
    "_cuda_exchangeDevice": 0,
    "_cuda_maybeExchangeDevice": 0,
}


def pretend() -> None:
    """Let torch's compiler and Triton believe in the H100."""
    import torch._dynamo.device_interface as devices

    for place in (torch.cuda, torch.cuda.random):
        _answer(place, {name: value for name, value in ANSWERS.items() if hasattr(place, name)})
    for name, value in OF_DYNAMO.items():
        setattr(devices.CudaInterface, name, staticmethod(_always(value)))
    devices.caching_worker_device_properties["cuda"] = [PROPERTIES]
    devices.caching_worker_current_devices["cuda"] = 0
    _answer(devices, {"get_cuda_stream": 0})
    _answer(torch._C, OF_TORCH)
    torch.version.cuda = "13.0"
    FakeTensorMode.avoid_device_init = property(_always(True))
    _compile()


def _compile() -> None:
    """Let inductor compile backward passes with forward ones, keep nothing, and compute nothing itself."""
    import torch._functorch.config as graphs
    import torch._inductor.config as inductor
    import torch._inductor.fx_passes.fuse_attention as attention
    import torch._inductor.fx_passes.misc_patterns as patterns
    import torch._inductor.fx_passes.pad_mm as padding
    import torch._inductor.runtime.triton_helpers as helpers
    import triton

    for module, name in (
        (attention, "_sfdp_init"),
        (padding, "_pad_mm_init"),
        (patterns, "_misc_patterns_init"),
    ):
        _answer(module, {name: None})
    inductor.joint_graph_constant_folding = False
    inductor.profile_bandwidth = True  # kernels say what they read and write
    inductor.compile_threads = 1
    inductor.fx_graph_cache = inductor.fx_graph_remote_cache = False
    inductor.use_static_triton_launcher = False
    graphs.enable_autograd_cache = False
    graphs.force_non_lazy_backward_lowering = True
    _answer(helpers, {"set_driver_to_gpu": None, "set_driver_to_cpu": None})
    triton.runtime.driver.set_active(Driver())


def _answer(place: Any, answers: dict[str, Any]) -> None:
    """Let functions of a module answer this, whatever they are asked."""
    for name, value in answers.items():
        setattr(place, name, _always(value))


def _always(value: Any) -> Any:
    return lambda *_, **__: value


@contextmanager
def generated() -> Iterator[list[str]]:
    """Context in which compiled code is added to the list that it gives, and never run."""
    from torch._inductor.graph import GraphLowering

    sources: list[str] = []
    folder = tempfile.TemporaryDirectory()

    def keep(self: Any) -> Any:
        code, _ = self.codegen()
        sources.append(code.value if hasattr(code, "value") else code)
        path = Path(folder.name) / f"generated_{len(sources)}.py"
        path.write_text(sources[-1], encoding="utf-8")
        module: Any = types.ModuleType(path.stem)
        module.__file__ = self.cache_path = str(path)
        self.cache_key, self.cache_linemap = str(len(sources)), []

        def call(_: Any) -> None:
            raise HaltedError

        module.call = call
        return module

    names = [name for name in ("compile_to_module", "_compile_to_module") if hasattr(GraphLowering, name)]
    before = {name: getattr(GraphLowering, name) for name in names}
    for name in names:
        setattr(GraphLowering, name, keep)
    torch._dynamo.reset()
    try:
        yield sources
    finally:
        folder.cleanup()
        for name, function in before.items():
            setattr(GraphLowering, name, function)


def kernels_of(source: str) -> list[Kernel]:
    """The Triton kernels of one generated program."""
    calls = Counter(re.findall(r"^ +(triton_\w+)\.run\(", source[source.rfind("def call(") :], re.MULTILINE))
    found = []
    for name, code in TRITON.findall(source):
        moved = BYTES.search(code)
        found.append(Kernel(name, code, float(moved[1]) if moved else 0.0, calls[name]))
    return found


def compiled(kernel: Kernel) -> list[dict[str, int]]:
    """What each configuration of a kernel uses on sm_90: registers, bytes of stack, of shared memory."""
    import triton

    tools = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{kernel.name}.py"
        path.write_text(kernel.code, encoding="utf-8")
        spec = spec_from_file_location(kernel.name, path)
        assert spec
        assert spec.loader
        module = module_from_spec(spec)
        sys.modules[kernel.name] = module
        spec.loader.exec_module(module)
        tuned = getattr(module, kernel.name)
        for configuration in tuned.configs:
            binary = tuned._precompile_config(configuration).kernel
            cubin = path.with_suffix(".cubin")
            cubin.write_bytes(binary.asm["cubin"])
            said = subprocess.run([tools, "-res-usage", cubin], capture_output=True, text=True, check=True)
            used = {name: int(number) for name, number in USED.findall(said.stdout)}
            found.append({"registers": used["REG"], "stack": used["STACK"], "shared": binary.metadata.shared})
    return found
