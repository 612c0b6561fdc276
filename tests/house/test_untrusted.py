"""Files of strangers run no code: what is read is values, and a pickle in its place is refused by name."""

import os
import pickle
import re
import shutil

import pytest
import torch
from omegaconf import OmegaConf

from tests.helpers.forked import run
from tests.helpers.runs import KEPT, SMALL, small
from tracelab import analysis
from tracelab.analysis.interventions import load_interventions
from tracelab.core.paths import CONF, PACKAGE, TASKS
from tracelab.data import store
from tracelab.evaluation.judging import trained_model
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import load_progress, load_weights, sound
from tracelab.runs.folder import Run
from tracelab.runs.trust import OURS, THEIRS, check_targets, targets
from tracelab.training.checkpoint import LocalFiles
from tracelab.training.initial import origin, with_source

UNSAFE = re.compile(
    r"pickle\.loads?\(|allow_pickle=True|yaml\.(unsafe_|full_)?load\(|weights_only=False|joblib\.load\("
)
OWN_PIPES = {
    "data/compiling.py": 3,
    "data/workers.py": 1,
    "launching/processes.py": 2,
    "launching/scheduler.py": 1,
    "training/devices.py": 1,
}  # to processes that it has started, or a cluster that it has tasks in


class Evil:
    """What runs a command where it is unpickled."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "executed"


@pytest.fixture(params=["plain", "as torch writes it"])
def planted(request, mark):
    """A function that puts a pickle of that kind at a path."""

    def plant(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if request.param == "plain":
            path.write_bytes(pickle.dumps(Evil(mark)))
        else:
            torch.save({"state_dict": Evil(mark), "progress": Evil(mark)}, path)
        return path

    return plant


def test_the_trap_works(mark):
    pickle.loads(pickle.dumps(Evil(mark)))
    assert mark.is_dir()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")  # torch, of the trap
@pytest.mark.filterwarnings("ignore::FutureWarning")  # of the older run's spellings
def test_checkpoints(tmp_path, planted, mark):
    """Resumed, begun with, evaluated."""
    folder = shutil.copytree(KEPT, tmp_path / "run")
    path = planted(folder / "checkpoints" / "last.ckpt")
    (folder / "checkpoints" / "best.ckpt").unlink(missing_ok=True)
    run = Run.open(folder)
    for read in (
        load_weights,
        load_progress,
        lambda path: sound(path, path.with_name("best.ckpt")),
        lambda _: trained_model(run, build_task(run.settings.task), "last", 64),
    ):
        with pytest.raises(ValueError, match=rf"{re.escape(str(path))} is damaged, or no checkpoint"):
            read(path)
    with pytest.raises(Exception, match=r"weights_only|Weights only"):
        LocalFiles().load_checkpoint(path, weights_only=False)
    assert not mark.exists()


def test_a_config_and_a_frozen_set(tmp_path, mark, monkeypatch):
    folder = shutil.copytree(KEPT, tmp_path / "run")
    (folder / "config.yaml").write_text(f"task: !!python/object/apply:os.mkdir ['{mark}']\n")
    with pytest.raises(ValueError, match=r"config\.yaml is damaged, or no run's"):
        Run.open(folder)
    with (
        pytest.warns(UserWarning, match=r"config\.yaml is damaged"),
        pytest.raises(ValueError, match="finished"),
    ):
        analysis.runs(folder)
    monkeypatch.setenv("TRACELAB_CACHE", str(tmp_path / "cache"))
    columns = {"index": torch.arange(3).numpy()}
    store.cached("set", {}, lambda: columns)
    (kept,) = (tmp_path / "cache" / "data").iterdir()
    kept.write_bytes(pickle.dumps(Evil(mark)))
    named = kept.with_name(f"{kept.name.split('.')[0]}.{store._checksum(kept)}.arrow")
    kept.rename(named)
    with pytest.warns(UserWarning, match=rf"drawn anew: {re.escape(str(named))} is no Arrow file"):
        store.cached("set", {}, lambda: columns)
    assert not mark.exists()


@pytest.mark.parametrize("name", ["outcomes.parquet", "run.json"])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_tables_of_a_run(tmp_path, mark, name):
    folder = shutil.copytree(KEPT, tmp_path / "run")
    (folder / name).write_bytes(pickle.dumps(Evil(mark)))
    damaged = pytest.warns(UserWarning, match="left out: what it holds is damaged")
    with damaged, pytest.raises(ValueError, match="none of 1 run is finished"):
        analysis.runs(folder)
    assert not mark.exists()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_tables_beside_a_run(tmp_path, mark):
    folder = shutil.copytree(KEPT, tmp_path / "run")
    (folder / "interventions.parquet").write_bytes(pickle.dumps(Evil(mark)))
    with pytest.raises(ValueError, match=r"interventions\.parquet is damaged"):
        load_interventions(folder)
    assert not mark.exists()


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weights_to_begin_with(tmp_path, planted, mark):
    folder = shutil.copytree(KEPT, tmp_path / "run")
    path = planted(folder / "checkpoints" / "last.ckpt")
    begun = with_source(small(tmp_path / "begun", f"init_from={path}"))
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))} is damaged, or no checkpoint"):
        origin(begun, {})
    assert not mark.exists()


def test_nothing_is_read_in_an_unsafe_way():
    for path in (*sorted(PACKAGE.rglob("*.py")), *sorted(TASKS.rglob("*.py"))):
        found = UNSAFE.findall(path.read_text())
        assert len(found) == OWN_PIPES.get(path.relative_to(PACKAGE).as_posix(), 0), f"{path}: {found}"


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("where", "target"),
    [
        ("metric.mine", "tracelab.metrics.pass_at_k.np.load"),
        ("logger.mine", "tracelab.loggers.on_mlflow.os.mkdir"),
        ("optim.optimizer", "torch.optim.optimizer.torch.load"),
        ("trainer.strategy", "lightning.pytorch.strategies.ddp.torch.load"),
        ("metric.mine", "tracelab.loggers.CSV"),  # which opens the file that it is given, to write
        ("metric.mine", "tracelab.core.files.write_text"),
        ("task", "tracelab.tasks.maze.task.np.load"),
        ("model", "tracelab.models.gpt.GPT.__init__"),
        ("else", "tracelab.metrics.joint.Joint"),
    ],
)
def test_what_a_known_module_imports_is_no_component(tmp_path, where, target):
    folder = shutil.copytree(KEPT, tmp_path / "run")
    config = OmegaConf.load(folder / "config.yaml")
    OmegaConf.update(config, where, {"_target_": target}, merge=False, force_add=True)
    OmegaConf.save(config, folder / "config.yaml")
    wanted = (
        rf"config.yaml names '{re.escape(target)}', which is no component .* set TRACELAB_TRUST={target}$"
    )
    with pytest.raises(ValueError, match=wanted):
        Run.open(folder)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("where", ["trace", "task.size", "optim.optimizer"])
def test_what_a_config_names_is_called_only_if_it_is_known(tmp_path, mark, where, monkeypatch):
    folder = shutil.copytree(KEPT, tmp_path / "run")
    config = OmegaConf.load(folder / "config.yaml")
    OmegaConf.update(config, where, {"_target_": "os.mkdir", "path": str(mark)}, merge=False, force_add=True)
    OmegaConf.save(config, folder / "config.yaml")
    with pytest.raises(ValueError, match=r"config.yaml names 'os.mkdir', which is no component of tracelab"):
        Run.open(folder)
    assert not mark.exists()
    monkeypatch.setenv("TRACELAB_TRUST", "somebody, os")
    assert "os.mkdir" in set(targets(Run.open(folder).config))


def test_a_component_of_ones_own_trains_and_is_named_to_those_who_read_the_run(tmp_path, monkeypatch):
    """As docs/extend.md says of `--config-dir`."""
    (tmp_path / "my_conf" / "trace").mkdir(parents=True)
    (tmp_path / "my_conf" / "trace" / "mine.yaml").write_text("_target_: my_package.Mine\n")
    (tmp_path / "my_package.py").write_text("from tracelab.traces.correct import Correct as Mine\n")
    words = ("--config-dir", "my_conf", "trace=mine", *SMALL, "eval.problems=4", "run_dir=run")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = run("-m", "tracelab.train", *words, cwd=tmp_path, env={"PYTHONPATH": path})
    assert done.returncode == 0, done.stderr[-2000:]
    with pytest.raises(ValueError, match="set TRACELAB_TRUST=my_package"):
        Run.open(tmp_path / "run")
    monkeypatch.setenv("TRACELAB_TRUST", "my_package")
    assert Run.open(tmp_path / "run").settings.trace["_target_"] == "my_package.Mine"


def test_every_component_of_conf_is_known():
    found = []
    for path in sorted(CONF.rglob("*.yaml")):
        config = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        whole = {path.parent.name: config} if path.parent.name in (*OURS, *THEIRS) else config
        found += [part for part, content in whole.items() if any(targets(content))]
        whole.pop("hydra", None)  # which is in no run's config, as launchers, sweepers and probes are
        if path.parent.name not in ("launcher", "sweeper", "probe"):
            check_targets(whole, path.name)
    assert {*OURS, *THEIRS} <= set(found)
