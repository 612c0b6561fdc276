"""What `make check-kernels` makes of generated code, and that what it found is what the page says."""

import json

import pytest

from tests.helpers.pretended_h100 import Kernel, kernels_of
from tests.helpers.pretended_kernels import (
    LAYERS,
    MORE,
    PROGRAMS,
    RESULTS,
    STACK,
    changed,
    examined,
    faults,
    moved,
)
from tracelab.core.paths import CLONE

SOURCE = """
triton_poi_fused_add_0 = async_compile.triton('triton_poi_fused_add_0', '''
import triton
inductor_meta={'kernel_name': 'triton_poi_fused_add_0', 'kernel_num_gb': 0.25, 'kernel_flop': 0}
''', device_str='cuda')
triton_tem_fused_flex_attention_1 = async_compile.triton('triton_tem_fused_flex_attention_1', '''
inductor_meta={'kernel_num_gb': 4.0}
''', device_str='cuda')
def call(args):
        triton_poi_fused_add_0.run(buf0, stream=stream0)
        triton_tem_fused_flex_attention_1.run(buf1, stream=stream0)
        triton_poi_fused_add_0.run(buf1, stream=stream0)
"""
FOUND = {"gigabytes_a_layer": [1.0, 2.0], "kernels": 3, "stack": 0, "failed": {}}


def test_kernels_are_found_in_generated_code():
    add, attention = kernels_of(SOURCE)
    assert (add.name, add.gigabytes, add.calls) == ("triton_poi_fused_add_0", 0.25, 2)
    assert (attention.gigabytes, attention.calls) == (4.0, 1)
    assert add.code.startswith("\nimport triton")
    assert moved(SOURCE) == 0.5  # without attention


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, ""),
        ({"stack": STACK}, ""),
        ({"stack": STACK + 8}, "a kernel has 264 bytes of stack a thread, more than 256"),
        ({"failed": {"triton_x": "OutOfResources: no"}}, "triton_x does not compile: OutOfResources: no"),
        ({"kernels": 0}, "no kernel was found"),
        ({"gigabytes_a_layer": [1.0, 0.0]}, "or none says what it reads and writes"),
        ({"gigabytes_a_layer": []}, "no kernel was found"),
    ],
)
def test_what_is_a_fault(change, says):
    said = faults({**FOUND, **change})
    assert len(said) == (says != "")
    assert says in "".join(said)


@pytest.mark.parametrize(
    ("layer", "is_other"),
    [([1.0, 2.0], False), ([MORE, 2 * MORE], False), ([1.0, 2.11], True), ([0.9, 2.0], True), ([1.0], True)],
)
def test_what_is_other_than_it_was(layer, is_other):
    assert bool(changed({**FOUND, "gigabytes_a_layer": layer}, FOUND)) is is_other
    assert changed(FOUND, None) == ["it is not in the results: --update"]


def test_a_kernel_that_does_not_compile_is_told(monkeypatch):
    def fails(kernel: Kernel):
        raise RuntimeError(f"no {kernel.name}")

    monkeypatch.setattr("tests.helpers.pretended_h100.compiled", fails)
    found = examined(lambda layers: [SOURCE.replace("0.25", str(0.25 * layers))])
    assert found["gigabytes_a_layer"] == [0.5]  # of two layers less that of one
    assert LAYERS == 2
    assert set(found["failed"]) == {"triton_poi_fused_add_0", "triton_tem_fused_flex_attention_1"}
    assert faults(found)[0].endswith("does not compile: RuntimeError: no triton_poi_fused_add_0")


def test_the_page_has_what_was_found():
    """Every program, and none has a fault."""
    content = json.loads(RESULTS.read_text(encoding="utf-8"))
    assert list(content["programs"]) == list(PROGRAMS)
    page = (CLONE / "docs" / "performance.md").read_text(encoding="utf-8")
    pins = (CLONE / "constraints.txt").read_text(encoding="utf-8").splitlines()
    torch, triton = content["versions"]["torch"].split("+")[0], content["versions"]["triton"]
    assert {f"torch=={torch}", f"triton=={triton}"} <= set(pins)
    assert f"torch {torch}, Triton {triton}; {content['date']}" in page
    for name, found in content["programs"].items():
        assert faults(found) == []
        layer = " + ".join(f"{number:.2f}" for number in found["gigabytes_a_layer"])
        cells = (name, layer, found["kernels"], found["registers"], found["stack"])
        assert f"| {' | '.join(map(str, cells))} |" in page
