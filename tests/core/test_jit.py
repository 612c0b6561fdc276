"""Kernels: the same results interpreted as compiled, and no compiler where a handful of problems is drawn."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

from tests.helpers.drawn import digests
from tracelab.core.paths import CONF

TASKS, ARMS = (sorted(path.stem for path in CONF.glob(f"{axis}/*.yaml")) for axis in ("task", "trace"))
ARMS.remove("speculative")  # it asks a model, which takes torch
PAIRS = [(TASKS[k % len(TASKS)], ARMS[k % len(ARMS)]) for k in range(max(len(TASKS), len(ARMS)))]


def python(*words, **options):
    """What a fresh interpreter prints; warnings are errors."""
    done = subprocess.run([sys.executable, "-W", "error", *words], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("task", TASKS)
def test_interpreted_kernels_give_the_same_bytes_and_verdicts(task):
    """Over every setting, treatment, test set and kind of wrong completion. Signatures are true of all."""
    interpreted = json.loads(python("-m", "tests.helpers.drawn", task, cwd=Path(__file__).parents[2]))
    compiled = digests(task)
    assert len(compiled) > 20
    assert {name for name in compiled if interpreted.get(name) != compiled[name]} == set()


@pytest.mark.parametrize(("task", "arm"), PAIRS)
def test_an_example_is_shown_without_a_compiler(task, arm, tmp_path):
    """Of every task, and of every treatment, whose promise is seen."""
    code = f"""
import sys
sys.argv = ["show", "task={task}", "trace={arm}", "index=3", "among=8"]
from tracelab.show import main
main()
print(*sys.modules)
"""
    *shown, modules = python("-c", code, cwd=tmp_path).strip().splitlines()
    assert "█" in "".join(shown) or task != "maze"
    (strict,) = (line for line in shown if line.startswith("trace strict"))
    promise = get_class(OmegaConf.load(CONF / "trace" / f"{arm}.yaml")._target_).promise
    ok = strict.split()[2] == "ok"
    assert {"valid": ok, "invalid": not ok, "deranged": not ok}.get(promise, True)
    assert not {"numba", "llvmlite", "torch", "lightning"} & set(modules.split())


def test_a_donor_is_named_by_the_index_that_shows_it(tmp_path):
    def shown(*words):
        return python("-m", "tracelab.show", "task=sat", "among=8", *words, cwd=tmp_path).splitlines()

    def steps(lines):
        return [line for line in lines if re.match(r" +\d+  ", line)]

    lines = shown("trace=swapped", "index=13")
    donor = next(line.split("=")[1].split(",")[0] for line in lines if line.startswith("donor"))
    assert 8 <= int(donor) < 16
    assert steps(lines) == steps(shown("trace=correct", f"index={donor}"))


def test_what_was_imported_before_decides():
    """All kernels of a process are alike: compiled ones could not call others."""
    say = "print(jit.interpreted(), hasattr(rng.mix64, 'py_func'))"
    late = f"from tracelab.core import jit, rng; jit.interpret(); {say}"
    early = f"from tracelab.core import jit; jit.interpret(); from tracelab.core import rng; {say}"
    assert python("-c", late).split() == ["False", "True"]
    assert python("-c", early).split() == ["True", "False"]


def test_who_tells_numba_to_compile_nothing_trains_with_plain_python(tmp_path):
    """From drawing to the verdicts on what the model samples."""
    code = f"""
from tests.helpers.runs import small
from tracelab.core import jit, rng
from tracelab.training.experiment import train
few = ("task.ood=[]", "data.train_size=8", "data.val_size=4", "eval.problems=4", "budget.steps=1")
run = train(small({str(tmp_path / "run")!r}, *few, "threads=1")).run
print(jit.interpreted(), hasattr(rng.mix64, "py_func"), run.read_json("run.json")["status"])
"""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    said = python("-c", code, cwd=Path(__file__).parents[2], env=environment)
    assert said.split()[-3:] == ["True", "False", "evaluated"]


def test_overflow_is_allowed_where_it_is_meant_alone():
    """A product of two 32-bit operands that does not fit is an error, in a hash it is not."""
    code = """
import numpy as np
from tracelab.core import jit
jit.interpret()
from tracelab.core import rng
rng.below(np.array([2**64 - 1], np.uint64), 7)
try:
    jit.kernel(lambda a: a * a)(np.int32(2**20))
except RuntimeWarning as warning:
    print(warning)
"""
    assert "overflow" in python("-c", code)


def test_a_narrow_product_that_does_not_fit_is_an_error_where_nothing_is_compiled():
    code = """
import warnings
import numpy as np
from tracelab.core import jit
jit.interpret()
warnings.simplefilter("ignore")
try:
    jit.njit(lambda a: a[0] * 200)(np.array([190], np.int16))
except FloatingPointError as error:
    print(error)
"""
    assert "overflow" in python("-c", code)
