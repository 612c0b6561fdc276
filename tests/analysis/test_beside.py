"""Tables beside a run's outcomes are of the run as it is now, or are left out."""

import json
import re
import shutil
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import polars as pl
import pyarrow.parquet
import pytest
from omegaconf import OmegaConf

from tests.helpers.runs import small
from tracelab.analysis.interventions import load_interventions
from tracelab.analysis.loading import having, load_beside, runs
from tracelab.core.paths import PACKAGE
from tracelab.evaluation.judging import evaluate
from tracelab.evaluation.outcomes import write
from tracelab.probes import arithmetic
from tracelab.probes.arithmetic import Merge, merge, vectors_of
from tracelab.probes.interventions import of_run
from tracelab.report.sections import interventions as section
from tracelab.report.study import study_of
from tracelab.runs import stamps
from tracelab.runs.build import build_task
from tracelab.runs.claims import claimed, is_claimed
from tracelab.runs.folder import Run
from tracelab.runs.sets import test_sets as sets_of
from tracelab.runs.settings import OnDevices
from tracelab.runs.trained import check_settled, settled, unmoved
from tracelab.training.asking import each
from tracelab.training.experiment import train

FILE = "interventions.parquet"
TINY = ("task.ood=[]", "data.train_size=64", "eval.problems=4", "threads=1")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of five steps, of which interventions were made, and that went on to ten."""
    folder = tmp_path_factory.mktemp("beside") / "run"
    run = train(small(folder, *TINY, "budget.steps=5")).run
    write(of_run(run, problems=4, rates=(1.0,), prefixes=()), folder / FILE, run)
    assert len(load_interventions(folder).collect()) > 0
    return train(small(folder, *TINY, "budget.steps=10")).run


def test_what_was_made_before_a_run_went_on_is_left_out(run, tmp_path):
    wanted = r"interventions\.parquet is left out: it was made at step 5 of the run, which is at step 10 now"
    with pytest.warns(UserWarning, match=wanted), pytest.raises(ValueError, match=r"tracelab\.intervene"):
        load_interventions(run.folder)
    with pytest.warns(UserWarning, match=wanted):
        assert section.section(study_of([run.folder], tmp_path / "page.html")) is None


def test_once_more_and_older_files_are_taken(run, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for path in run.folder.glob("*.*"):
        (folder / path.name).write_bytes(path.read_bytes())
    table = pyarrow.parquet.read_table(folder / FILE)
    write(table, folder / FILE, run)
    assert having(FILE, runs(folder)).height == 1
    write(table.replace_schema_metadata(None), folder / FILE)
    assert stamps.read(pyarrow.parquet.read_schema(folder / FILE).metadata) is None
    assert load_interventions(folder).select(pl.len()).collect().item() == len(table)


def test_runs_that_were_asked_different_things_are_no_seeds_of_one_answer(run, tmp_path):
    """A direction between two kinds of step, and one between two others, have no mean. Each alone is read."""
    table = pyarrow.parquet.read_table(run.folder / FILE)
    folders = []
    for seed, asked in enumerate(("kind=close", "kind=create", None)):
        copied = Run.open(shutil.copytree(run.folder, tmp_path / f"seed-{seed}"))
        config = OmegaConf.merge(copied.config, {"seed": seed, "run_dir": str(copied.folder)})
        copied.write_text("config.yaml", OmegaConf.to_yaml(config))
        column = pyarrow.array([asked] * len(table), pyarrow.string())
        write(table.append_column("asked", column), copied.folder / FILE, copied)
        folders.append(copied.folder)
    close, create, older = folders
    with pytest.raises(
        ValueError, match=r"asked different things .*kind=close; .*kind=create\): ask them alike"
    ):
        load_beside(FILE, "steer", close, create, older)
    for together in ([close], [create], [close, older]):
        assert load_beside(FILE, "steer", *together).collect()["run"].n_unique() == len(together)


def test_a_reports_sections_call_arms_as_the_page_does(run, tmp_path):
    """Also where few of the runs that differ have the file, and what is joined by arm finds its runs."""
    for name, knobs in (("asked", "width: 32"), ("other", "width: 48")):
        folder = tmp_path / name
        folder.mkdir()
        for path in run.folder.glob("*.*"):
            (folder / path.name).write_bytes(path.read_bytes())
        config = (folder / "config.yaml").read_text()
        assert "width: 32" in config
        (folder / "config.yaml").write_text(config.replace("width: 32", knobs))
        run_id = {**run.read_json("run.json"), "id": name}
        Run(folder, {}).write_json("run.json", run_id)
    (tmp_path / "other" / FILE).unlink()
    write(pyarrow.parquet.read_table(tmp_path / "asked" / FILE), tmp_path / "asked" / FILE, run)
    study = study_of([tmp_path], tmp_path / "page.html")
    assert study.arms == ["correct width=32", "correct width=48"]
    has = having(FILE, study.runs)
    assert has["arm"].to_list() == ["correct width=32"]
    beside = load_interventions(has).select("arm", "run").unique().collect()
    assert beside.rows() == [("correct width=32", str((tmp_path / "asked").resolve()))]
    assert section.section(study) is not None
    drawn = pl.read_csv(study.data / "interventions.csv")
    assert drawn["arm"].unique().to_list() == ["correct width=32"]


def test_what_was_made_of_another_checkpoint_is_left_out(run, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    for path in run.folder.glob("*.*"):
        (folder / path.name).write_bytes(path.read_bytes())
    write(pyarrow.parquet.read_table(folder / FILE), folder / FILE, run)
    config = OmegaConf.load(folder / "config.yaml")
    config.eval.checkpoint = "best"
    OmegaConf.save(config, folder / "config.yaml")
    with pytest.warns(UserWarning, match="it is of the checkpoint last, and the run was evaluated at best"):
        assert having(FILE, runs(folder)).is_empty()
    again = Run(run.folder, {**run.config, "eval": {**run.config["eval"], "checkpoint": "best"}})
    write(pyarrow.parquet.read_table(folder / FILE), folder / FILE, again)
    assert having(FILE, runs(folder)).height == 1


def test_what_was_asked_when_a_run_was_judged_otherwise_is_left_out(run, tmp_path):
    """Seeds that were asked before and after are of different problems. What is given its number of them has
    these, however many the run is judged on; files of versions that did not note it are believed.
    """
    copied = Run.open(shutil.copytree(run.folder, tmp_path / "run"))
    table, path = pyarrow.parquet.read_table(copied.folder / FILE), copied.folder / FILE
    fewer, more = OmegaConf.create(copied.config), {"problems": 512, "seed": 1, "temperature": 1.0}

    def judged(**knobs):
        config = OmegaConf.merge(fewer, {"eval": knobs})
        copied.write_text("config.yaml", OmegaConf.to_yaml(config))

    write(table, path, copied)
    assert having(FILE, runs(copied.folder)).height == 1
    judged(**more)
    changed = "eval.problems=4 (512 now), eval.seed=0 (1 now), eval.temperature=0.0 (1.0 now)"
    wanted = re.escape(f"{FILE} is left out: it was made when the run was judged with {changed}")
    with pytest.warns(UserWarning, match=wanted), pytest.raises(ValueError, match=r"tracelab\.intervene"):
        load_interventions(copied.folder)
    write(table, path, Run.open(copied.folder))
    assert having(FILE, runs(copied.folder)).height == 1

    judged()
    write(table, path, copied, problems=4)
    judged(problems=512)
    assert having(FILE, runs(copied.folder)).height == 1
    judged(**more)
    with pytest.warns(UserWarning, match=r"judged with eval\.seed=0 \(1 now\), eval\.temperature"):
        assert having(FILE, runs(copied.folder)).is_empty()

    older = {stamps.KEY: json.dumps(settled(Run.open(copied.folder))).encode()}
    write(table.replace_schema_metadata(older), path)
    assert having(FILE, runs(copied.folder)).height == 1


def test_every_command_says_what_it_asked():
    """All that a command writes with `outcomes.write` has the run's stamp."""
    commands = [*PACKAGE.glob("*.py"), PACKAGE / "training" / "asking.py"]
    lines = [line.strip() for path in commands for line in path.read_text().splitlines()]
    calls = [line for line in lines if "outcomes.write(" in line]
    by_each = [line for line in lines if " in each(asked, " in line and line.startswith("for run, path")]
    assert (len(calls) - 1) + (len(by_each) - 1) >= 9, "but for where `each` stands, and is told of"
    assert all(re.search(r", (run|after), stamp(, asked\.problems)?\)$", call) for call in calls), calls


# --- while it is asked ----------------------------------------------------------------------------

HOLDING = "import sys\nfrom tracelab.runs.claims import claimed\nwith claimed(sys.argv[1]):\n    "
HOLD = f"{HOLDING}print('held', flush=True)\n    input()"


def test_what_was_made_while_a_run_went_on_is_not_written(run, tmp_path):
    """A table's model was read at step five; now it would be said to be of step ten."""
    path = run.folder / FILE
    before = stamps.read(pyarrow.parquet.read_schema(path).metadata)
    with pytest.raises(ValueError, match=r"trained on while it was asked \(from step 5 to 10\)"):
        write(pyarrow.parquet.read_table(path), tmp_path / FILE, run, before)
    assert not (tmp_path / FILE).exists()


def test_what_was_read_of_another_run_that_went_on_is_not_used(run, tmp_path):
    copy = Run.open(shutil.copytree(run.folder, tmp_path / "run"))
    with unmoved(run, copy):
        pass
    wanted = r"run was trained on while it was asked \(from step 10 to 11\)"
    with pytest.raises(ValueError, match=wanted), unmoved(run, copy):
        train(small(copy.folder, *TINY, "budget.steps=11"))


def test_no_run_is_made_of_one_that_went_on_meanwhile(run, tmp_path, monkeypatch):
    base = Run.open(shutil.copytree(run.folder, tmp_path / "base"))

    def meanwhile(*arguments):
        train(small(base.folder, *TINY, "budget.steps=11"))
        return vectors_of(*arguments)

    monkeypatch.setattr(arithmetic, "vectors_of", meanwhile)
    with pytest.raises(ValueError, match=r"base was trained on while it was asked \(from step 10 to 11\)"):
        merge(Merge(base=base, models=((run, 1.0),)), tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_an_evaluation_while_a_run_went_on_is_not_written(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    mine = Run.open(folder)
    tests = sets_of(mine.settings, build_task(mine.settings.task))

    def meanwhile(function, *arguments):
        found = function(*arguments)
        train(small(folder, *TINY, "budget.steps=11"))
        return found

    with pytest.raises(ValueError, match=r"trained on while it was asked \(from step 10 to 11\)"):
        evaluate(mine, mine.settings.eval, tests, folder, meanwhile)
    assert mine.read_json("metrics.json")["judged"]["steps"] == 11
    evaluate(mine, mine.settings.eval, tests, tmp_path / "elsewhere", lambda f, *a: f(*a))
    assert (tmp_path / "elsewhere" / "metrics.json").is_file()


def test_nobody_is_asked_whom_another_process_trains(run, tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(ValueError, match="another process is training in"):
            settled(run)
        tests = sets_of(run.settings, build_task(run.settings.task))
        with pytest.raises(ValueError, match="another process is training in"):
            evaluate(run, run.settings.eval, tests, run.folder)
        evaluate(run, run.settings.eval, tests, tmp_path / "of its own")
        other.communicate(b"\n")
    check_settled(run, settled(run))


def test_of_several_runs_one_that_is_trained_is_left_out(run, tmp_path, capsys):
    for name in ("one", "other"):
        shutil.copytree(run.folder, tmp_path / name)
    asked = SimpleNamespace(run=str(tmp_path), trainer=OnDevices(), threads=1, problems=4)
    question = partial(of_run, problems=4, rates=(1.0,), prefixes=())
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "one")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        found = [(mine.folder.name, path.name) for mine, path in each(asked, "new.parquet", question)]
        other.communicate(b"\n")
    assert found == [("other", "new.parquet")]
    assert "one is left out: another process is training in" in capsys.readouterr().err
    assert (tmp_path / "other" / "new.parquet").is_file()
    assert not (tmp_path / "one" / "new.parquet").exists()


def test_who_trains_may_ask_and_keeps_the_claim(run):
    with claimed(run.folder):
        assert not is_claimed(run.folder)
        check_settled(run, settled(run))
        done = subprocess.run([sys.executable, "-c", HOLD, str(run.folder)], capture_output=True, text=True)
        assert "another process is training in" in done.stderr
