"""The format of matrix products: measured, kept, asked for; and everything follows one choice."""

import ast
import json
import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

from tests.helpers.engine import tiny
from tests.helpers.runs import KEPT, small
from tracelab.core.paths import CONF, PACKAGE, TASKS
from tracelab.core.ragged import Ragged
from tracelab.decoding.sampling import generate
from tracelab.evaluation.judging import trained_model
from tracelab.models import precision
from tracelab.models.kept import Kept
from tracelab.models.precision import FULL, NAMES, REDUCED, WORTH, choose, measured, name_of
from tracelab.runs.build import build_task, precision_of
from tracelab.runs.checkpoints import load_precision, load_progress
from tracelab.runs.folder import Run
from tracelab.training import fitting
from tracelab.training.experiment import train

CPU = torch.device("cpu")
SHAPE = {"tokens": 256, "width": 32, "hidden": 96}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACELAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_faster_format_is_chosen(cache):
    chosen = choose("auto", CPU, **SHAPE)
    faster = chosen.gflops["bfloat16"] > WORTH * chosen.gflops["float32"]
    assert chosen.products == (REDUCED if faster else FULL)
    assert "measured here" in str(chosen)


@pytest.mark.parametrize(("bfloat16", "name"), [(1.0, "32-true"), (1.1, "32-true"), (9.0, "bf16-mixed")])
def test_it_is_measured_once(cache, monkeypatch, bfloat16, name):
    measured(**SHAPE)
    path = cache / "precision.json"
    known = {key: {"float32": 1.0, "bfloat16": bfloat16} for key in json.loads(path.read_text())}
    path.write_text(json.dumps(known))
    monkeypatch.setattr(precision, "_rate", lambda *_: pytest.fail("measured again"))
    assert choose("auto", CPU, **SHAPE).name == name
    with pytest.raises(BaseException, match="measured again"):
        measured(**SHAPE | {"tokens": 512})  # another shape is


OTHER = """
from tracelab.models.kept import Kept
class Told(Kept):
    def read(self):
        known = super().read()
        print("read", flush=True)
        return known
print(Told("rates.json").found("a", lambda: "measured again"))
"""


def test_one_process_at_a_time_measures(cache):
    """Who comes meanwhile, when nothing is kept yet, waits and takes what was found."""
    kept = Kept("rates.json")
    with subprocess.Popen([sys.executable, "-c", OTHER], stdout=subprocess.PIPE, text=True) as other:
        found = kept.found("a", lambda: other.stdout.readline() and "measured here")
        said = other.communicate()[0].split("\n")
    assert found == "measured here" == kept.read()["a"]
    assert said == ["read", "measured here", ""]
    kept.found("b", lambda: 1)
    assert kept.found("b", lambda: 2, fits=lambda known: known > 1) == 2
    assert kept.read() == {"a": "measured here", "b": 2}


def test_an_interruption_does_not_decide(cache, monkeypatch):
    """Every other product is interrupted by another program: the rates are those of the others."""
    clock = iter(np.cumsum(np.tile([0.0, 1e-4, 0.0, 0.5], 100_000)).tolist())
    monkeypatch.setattr(precision.time, "perf_counter", lambda: next(clock))
    seconds = [precision._seconds(FULL, 8, 8, 8, 0.0) for _ in range(4)]
    assert max(seconds) < 0.01


@pytest.mark.parametrize("spoilt", ["", "[1]", "{", "null"])
def test_a_spoilt_cache_is_made_anew(cache, spoilt):
    cache.mkdir()
    (cache / "precision.json").write_text(spoilt)
    assert measured(**SHAPE) == next(iter(json.loads((cache / "precision.json").read_text()).values()))


def test_without_a_cache_it_is_measured_all_the_same(cache):
    cache.write_text("a file where a folder should be")
    with pytest.warns(UserWarning, match="Set TRACELAB_CACHE to a folder"):
        assert choose("auto", CPU, **SHAPE).name in NAMES


def test_classes_of_processors_are_kept_apart(cache):
    """The newer instructions can be taken away from torch: that is another machine."""
    code = "from tracelab.models.precision import *; from tracelab.models.precision import _processor as p"
    code += f"; import torch; choose('auto', torch.device('cpu'), **{SHAPE}); print(p())"
    limits = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    seen = {
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | more, capture_output=True, text=True, check=True
        ).stdout
        for more in ({}, limits)
    }
    assert len(seen) == 2
    assert len(json.loads((cache / "precision.json").read_text())) == 2


def test_what_is_asked_for_wins_and_what_was_begun_is_kept(cache, monkeypatch):
    monkeypatch.setattr(precision, "measured", lambda *_: pytest.fail("measured for nothing"))
    for name in NAMES:
        assert choose(name, CPU, **SHAPE).name == name
        assert choose("auto", CPU, **SHAPE, before=name).name == name
        assert choose(name, CPU, **SHAPE, before="32-true").name == name
        assert name_of(NAMES[name]) == name


@pytest.mark.parametrize("wished", ["16-mixed", "fast", "64-true", 7])
def test_what_is_not_supported_is_refused(wished):
    with pytest.raises(ValueError, match=f"trainer.precision={wished} is not supported; choose auto, "):
        choose(wished, CPU, **SHAPE)


@pytest.mark.parametrize("word", ["data.short_first=2", "data.short_first=-0.1", "validate_problems=-1"])
def test_knobs_out_of_range_are_refused_before_anything_is_drawn(tmp_path, monkeypatch, word):
    monkeypatch.setattr("tracelab.training.experiment.prepare", lambda *_, **__: pytest.fail("drawn"))
    with pytest.raises(ValueError, match=word.replace(".", r"\.")):
        train(small(tmp_path, word))


def test_the_optimiser_s_knobs_are_refused_before_anything_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr("tracelab.training.experiment.prepare", lambda *_, **__: pytest.fail("drawn"))
    with pytest.raises(ValueError, match="iteration='polar' is unknown; choose one of jordan, polar_e"):
        train(small(tmp_path, "optim.optimizer.iteration=polar"))
    with pytest.raises(ValueError, match=r"optim\.optimizer\.lr=-1: it should be greater than or equal to 0"):
        train(small(tmp_path, "optim=adamw", "optim.optimizer.lr=-1"))


def test_it_is_refused_before_anything_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr("tracelab.training.experiment.prepare", lambda *_, **__: pytest.fail("drawn"))
    with pytest.raises(ValueError, match=r"trainer\.precision=fast is not supported"):
        train(small(tmp_path, "trainer.precision=fast"))


def stopped(run_dir, *overrides):
    """A run that Ctrl-C has stopped after five steps."""

    def stop(self, trainer, learner, *_):
        if learner.progress.steps == 5:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting.ProgressLine, "on_train_batch_end", stop)
        train(small(run_dir, *overrides))
    return Run.open(run_dir)


@pytest.mark.parametrize("name", list(NAMES))
def test_a_resumed_run_keeps_it(tmp_path, monkeypatch, name):
    """Whatever is faster where it goes on; but what is asked for then wins."""
    other = next(n for n in NAMES if n != name)
    monkeypatch.setattr(
        precision, "measured", lambda *_: {"float32": 1.0, "bfloat16": 9.0 if other == "bf16-mixed" else 0.1}
    )
    run = stopped(tmp_path / "run", f"trainer.precision={name}")
    path = run.checkpoint()
    assert load_precision(path) == name
    assert load_progress(path)["steps"] < 12
    experiment = small(tmp_path / "run")
    assert precision_of(experiment).name == other
    assert precision_of(experiment, path).name == name
    assert precision_of(small(tmp_path / "run", f"trainer.precision={other}"), path).name == other
    train(small(tmp_path / "run"))
    record, card = (run.read_json(f"{file}.json") for file in ("run", "data_card"))
    assert record["precision"] == card["precision"]
    assert record["precision"]["name"] == name
    assert record["precision"]["why"] == "as the run was begun"
    assert load_precision(path) == name


def test_a_run_follows_it_to_the_end(tmp_path, capsys):
    """Model, Muon and trainer compute in it, sampling too; it is said and written down."""
    train(small(tmp_path, "trainer.precision=bf16-mixed"))
    run = Run.open(tmp_path)
    assert "Precision bf16-mixed: as asked for" in capsys.readouterr().err
    assert run.read_json("run.json")["precision"] == {
        "name": "bf16-mixed",
        "why": "as asked for",
        "gflops": {},
    }
    assert run.read_json("metrics.json")["sampling"]["precision"] == "bf16-mixed"
    context = run.read_json("run.json")["context"]
    assert trained_model(run, build_task(run.settings.task), "last", context).products == REDUCED


@pytest.mark.parametrize("name", list(NAMES))
def test_sampling_multiplies_in_it(name):
    model, seen = tiny(), set()
    model.products = NAMES[name]
    model.blocks[0].qkv.register_forward_hook(lambda _, inputs, output: seen.add(output.dtype))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generate(model, Ragged.of([[3, 4, 5], [6, 7]]), stop=0, max_new=4)
    assert seen == {NAMES[name]}


def test_older_runs_are_judged_as_this_machine_computes(tmp_path):
    """They name a precision that nobody asked for, and record none."""
    train(small(tmp_path, "trainer.precision=bf16-mixed"))
    run = Run.open(tmp_path)
    record = run.read_json("run.json")
    del record["precision"]
    run.write_json("run.json", record)
    model = trained_model(run, build_task(run.settings.task), "last", record["context"])
    assert model.products == precision_of(small(tmp_path)).products


ELSEWHERE = [  # what a run was trained in, bfloat16's rate where it is asked (float32's: 1), what is taken
    ("32-true", 9.0, FULL),
    ("bf16-mixed", 1.1, REDUCED),
    ("bf16-mixed", 0.5, REDUCED),
    ("bf16-mixed", 0.03, FULL),  # emulated
]


@pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")
@pytest.mark.parametrize(("name", "rate", "products"), ELSEWHERE)
def test_a_run_is_asked_in_what_it_was_trained_in(tmp_path, monkeypatch, name, rate, products):
    """On another machine, too, whatever is faster there; but not where a format has no units."""
    run = Run.open(shutil.copytree(KEPT, tmp_path / "run"))
    record = run.read_json("run.json")
    run.write_json("run.json", record | {"precision": {**record["precision"], "name": name}})
    monkeypatch.setattr(precision, "measured", lambda *_: {"float32": 1.0, "bfloat16": rate})
    assert run.settings.trainer["precision"] == "auto"
    model = trained_model(run, build_task(run.settings.task), "last", record["context"])
    assert model.products == products


def words_of(path):
    """Names, attributes, keywords and strings of a module, but for its docstrings."""
    tree = ast.parse(path.read_text())
    scopes = (ast.Module, ast.ClassDef, ast.FunctionDef)
    prose = {id(n.body[0].value) for n in ast.walk(tree) if isinstance(n, scopes) and ast.get_docstring(n)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value
        yield from (
            getattr(node, field)
            for field in ("id", "attr", "arg")
            if isinstance(getattr(node, field, None), str)
        )


def names_reduced(word):
    return any(name in word.lower() for name in ("bfloat16", "bf16", "16-mixed", "float16"))


def test_one_place_names_the_formats():
    """No other module and no config does: nobody can decide for himself."""
    allowed = {PACKAGE / "models" / "precision.py", PACKAGE / "doctor" / "speed.py"}
    allowed.add(PACKAGE / "exchange" / "tensors.py")  # what a file's tensors are in decides nothing
    modules = set(PACKAGE.rglob("*.py")) | set(TASKS.rglob("*.py"))
    assert [path for path in modules - allowed if any(map(names_reduced, words_of(path)))] == []
    assert any(map(names_reduced, words_of(PACKAGE / "models" / "precision.py")))  # it can fail
    configs = {path: path.read_text() for path in CONF.rglob("*.yaml")}
    lines = [line.split("#")[0] for text in configs.values() for line in text.splitlines()]
    assert not any(map(names_reduced, lines))
    assert len(np.unique(list(configs))) > 50
