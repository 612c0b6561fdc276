"""Two processes find of a trained run what one finds, to the byte; one that fails leaves no file behind."""

import os
import pickle
import re
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import torch

from tests.helpers.engine import VOCABULARY, tiny
from tests.helpers.forked import FORKED
from tests.helpers.runs import small
from tracelab.core import waiting
from tracelab.core.ragged import Ragged
from tracelab.decoding import sampling
from tracelab.decoding.sampling import generate
from tracelab.decoding.sharing import alone, among, dealt, sharing
from tracelab.evaluate import Evaluation
from tracelab.evaluation import outcomes
from tracelab.evaluation.judging import evaluate
from tracelab.probes import assessment, interventions
from tracelab.probes.states import States
from tracelab.runs.build import build_task
from tracelab.runs.entry import compose
from tracelab.runs.sets import test_sets as sets_of_tests
from tracelab.training import processes
from tracelab.training.checks import check_devices
from tracelab.training.devices import Devices, on_devices
from tracelab.training.experiment import train

TWO = Devices({"devices": 2, "num_nodes": 1, "accelerator": "cpu"}, threads=1)


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Processes are forked from one that has imported what takes seconds."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(processes, "start_processes", FORKED)
        patched.setattr(processes, "PATIENCE", 0.5)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    few = ("budget.steps=6", "validate_problems=0", "eval.problems=5", "eval.batch_size=4", "threads=1")
    return train(small(folder, *few)).run


def test_it_is_said_that_a_model_is_asked(run, monkeypatch, capsys):
    """And how many of the test problems are completed."""
    monkeypatch.setattr(waiting, "PATIENCE", 0.0)
    monkeypatch.setattr(waiting, "PAUSE", 0.01)
    judged(run, "said", on_devices(run, 1, threads=1))
    said = capsys.readouterr().err
    assert re.search(r"^Asking the model: \d+ s$", said, re.MULTILINE)
    assert re.search(r"^Completing test problems: 5 of 10, \d+ s$", said, re.MULTILINE)


def judged(run, folder, call):
    """Outcomes, sampled, in a folder."""
    tested = replace(run.settings.eval, samples=2, temperature=1.0)
    tests = sets_of_tests(run.settings, build_task(run.settings.task))
    evaluate(run, tested, tests, run.folder / folder, call)
    return run.folder / folder / "outcomes.parquet"


# --- what comes of it ----------------------------------------------------------------------------------


def test_an_evaluation(run):
    one, two = (judged(run, str(n), on_devices(run, n, threads=1)) for n in (1, 2))
    assert len(pyarrow.parquet.read_table(one)) == 2 * 2 * 5
    assert two.read_bytes() == one.read_bytes()


STATES = {"traces": ["reference"], "searches": ["text"], "places": ["blocks.1"], "steps": 8, "entities": 1}
ASKED = {
    "interventions": (interventions.of_run, {"problems": 3, "rates": (0.5,), "prefixes": (0.5,)}),
    "assessment": (assessment.of_run, {"rates": (0.5,), "kinds": ["state"]}),
    "states": (States(problems=40, **STATES), {}),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_is_asked_of_it(run, name):
    function, options = ASKED[name]
    files = [run.folder / f"{name}-{n}.parquet" for n in (1, 2)]
    for n, file in enumerate(files, 1):
        outcomes.write(on_devices(run, n, threads=1)(function, run, **options), file)
    assert pyarrow.parquet.read_table(files[0]).num_rows
    assert files[1].read_bytes() == files[0].read_bytes()


def slots(prompts):
    """Completions as GPUs make them, and who made them."""
    sampling.CONTINUOUS = ("cpu",)
    done = generate(tiny(seed=3), prompts, stop=12, max_new=20, samples=3, temperature=1.0, batch_size=6)
    return done, dealt(range(5), lambda _: among()[0])


def test_slots():
    generator = np.random.default_rng(0)
    prompts = Ragged.of([generator.integers(4, VOCABULARY, generator.integers(2, 15)) for _ in range(9)])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sampling, "CONTINUOUS", ())  # to be put back
        (one, alone_), (two, shared) = slots(prompts), TWO(slots, prompts)
    assert (alone_, shared) == ([0] * 5, [0, 1, 0, 1, 0])
    assert two.tokens.values.tolist() == one.tokens.values.tolist()
    assert two.tokens.offsets.tolist() == one.tokens.offsets.tolist()
    np.testing.assert_allclose(two.logprobs.values, one.logprobs.values, rtol=1e-4, atol=1e-6)


def test_batches_are_those_of_one_process_with_more_threads():
    generator = np.random.default_rng(0)
    prompts = Ragged.of([generator.integers(4, VOCABULARY, generator.integers(2, 15)) for _ in range(10)])
    before, found = torch.get_num_threads(), []
    try:
        for threads, lanes in ((3, 3), (1, 3), (1, 1)):
            torch.set_num_threads(threads)
            with sharing(lanes):
                found.append(generate(tiny(), prompts, stop=12, max_new=20).mean_logprob.tobytes())
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


# --- who fails -----------------------------------------------------------------------------------------


def killed(function, *arguments):
    """The second process ends while the first waits for what it completes."""
    if among()[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    return function(*arguments)


def crashed(function, *arguments):
    if among()[0]:
        raise KeyError("of one")
    return function(*arguments)


def refused(function, *arguments):
    """What one process finds fault with while all are at work."""

    def work(piece):
        if piece == 1:
            raise ValueError("of piece 1")
        return piece

    return dealt(range(4), work)


@pytest.mark.parametrize(
    ("how", "error", "says"),
    [
        (killed, RuntimeError, r"one of 2 processes failed: process 1 terminated with signal SIGKILL$"),
        (crashed, RuntimeError, r"one of 2 processes failed: KeyError: 'of one'$"),
        (refused, ValueError, r"^of piece 1$"),
    ],
)
def test_a_process_that_fails_ends_all_and_leaves_the_file_as_it_was(run, how, error, says):
    before = (run.folder / "outcomes.parquet").read_bytes()
    files = sorted(run.folder.rglob("*"))
    tests = sets_of_tests(run.settings, build_task(run.settings.task))
    with pytest.raises(error, match=says):
        evaluate(run, run.settings.eval, tests, run.folder, lambda *asked: TWO(how, *asked))
    assert (run.folder / "outcomes.parquet").read_bytes() == before
    assert sorted(run.folder.rglob("*")) == files


def test_what_all_processes_refuse_is_said_as_one_says_it(run):
    for n in (1, 2):
        with pytest.raises(ValueError, match=r"there is no test set .*; choose from wilson, dfs$"):
            on_devices(run, n, threads=1)(interventions.of_run, run, ["none"])


def test_devices_that_are_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for devices in (2, [1]):
        asked = Devices({"devices": devices, "num_nodes": 1, "accelerator": "auto"})
        with pytest.raises(ValueError, match=r"this machine has 1 GPU; ask for no more$"):
            asked(os.getpid)
        with pytest.raises(ValueError, match=r"this machine has 1 GPU; ask for no more$"):
            check_devices(asked.trainer)
    with pytest.raises(ValueError, match=r"trainer.devices=0: it should be greater"):
        compose(Evaluation, "evaluate", "run=x", "trainer.devices=0")


def test_work_that_others_may_not_come_to_is_shared_with_nobody():
    assert TWO(of_its_own) == [0, 0]


def of_its_own():
    with alone():
        mine = dealt(range(2), lambda _: among()[0])
    return mine


def test_a_devices_call_can_be_sent():
    assert pickle.loads(pickle.dumps(TWO)) == TWO


# --- the command ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command(run, monkeypatch):
    from tests.helpers.forked import run as command

    one = judged(run, "one", None).read_bytes()
    words = ("eval.samples=2", "eval.temperature=1", "trainer.devices=2", "threads=1")
    done = command("-m", "tracelab.evaluate", f"run={run.folder}", *words, cwd=Path(run.folder).parent)
    assert done.returncode == 0, done.stderr
    (found,) = (run.folder / "evaluations").rglob("outcomes.parquet")
    assert found.read_bytes() == one
