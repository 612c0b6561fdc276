"""A folder as a run: the same completions, by the command, and all that a run is good for."""

import json
import re
import shutil

import pyarrow.parquet
import pytest

from tests.exchange.conftest import command
from tests.helpers.runs import KEPT
from tests.posttraining.test_posttrain import settings as post_training
from tracelab.core.files import write_json
from tracelab.exchange.exporting import export
from tracelab.exchange.importing import import_folder
from tracelab.posttraining.experiment import posttrain
from tracelab.probes import interventions
from tracelab.report.command import main as report
from tracelab.runs.entry import compose
from tracelab.runs.folder import Run

TASK = (
    "task=maze",
    "trace=solution_only",
    "task.size=5",
    "task.ood=[]",
    "eval.problems=24",
    "trainer=cpu",
    "threads=1",
)


def outcomes(folder):
    """What was completed, and its verdicts."""
    columns = ["problem_key", "completion", "solution_valid", "trace_strict", "truncated"]
    return pyarrow.parquet.read_table(folder / "outcomes.parquet").select(columns)


@pytest.fixture(scope="module")
def imported(run, folder):
    """The export, come back."""
    done = command("import_run", "from=maze-model", "to=back", cwd=run.parent)
    assert done.returncode == 0, done.stderr
    assert "wilson" in done.stdout
    return run.parent / "back"


def test_it_completes_what_the_run_completed(run, imported):
    assert outcomes(imported).equals(outcomes(run))
    before, after = Run.open(run), Run.open(imported)
    here = {"run_dir", "logger", "model"}
    assert {k: v for k, v in after.config.items() if k not in here} == {
        k: v for k, v in before.config.items() if k not in here
    }
    for name in ("context", "max_new", "parameters", "progress", "status"):
        assert after.read_json("run.json")[name] == before.read_json("run.json")[name]
    assert after.read_json("data_card.json") == before.read_json("data_card.json")


def test_it_is_evaluated_probed_post_trained_and_reported(imported, tmp_path):
    done = command("evaluate", f"run={imported}", "eval.problems=3", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "filler" in set(interventions.of_run(Run.open(imported), problems=3)["intervention"].to_pylist())
    assert posttrain(post_training(imported, tmp_path / "after", "budget.steps=1")).state == "finished"
    report([str(imported), "--out", str(tmp_path / "page.html")])
    assert "trace viewer" in (tmp_path / "page.html").read_text()


def asked(to, *overrides):
    """(a training's config, words) as the command hands them over."""
    config = compose(dict, "import_run", "from=x", f"to={to}", *overrides)
    del config["from"], config["to"]
    return config, config.pop("overridden")


@pytest.fixture
def foreign(folder, tmp_path):
    """The export as transformers saves it: without what we know of it."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    for kind in (transformers.AutoModelForCausalLM, transformers.AutoTokenizer):
        kind.from_pretrained(folder).save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def test_what_another_library_has_saved_is_told_its_task(run, foreign, tmp_path):
    done = command("import_run", f"from={foreign}", f"to={tmp_path / 'run'}", *TASK, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert outcomes(tmp_path / "run").equals(outcomes(run))
    assert Run.open(tmp_path / "run").settings.names.model == "qwen3"
    (foreign / "generation_config.json").unlink()
    again = import_folder(foreign, tmp_path / "again", *asked(tmp_path / "again", *TASK))
    assert again.read_json("run.json")["max_new"] == Run.open(run).read_json("run.json")["max_new"]


def test_what_is_unclear_is_refused(run, folder, foreign, tmp_path):
    def refused(source, *overrides, to=tmp_path / "no"):
        with pytest.raises(ValueError) as error:  # noqa: PT011  (the callers look at what it says)
            import_folder(source, to, *asked(to, *overrides))
        assert not (to / "checkpoints").exists() or to == run
        return str(error.value)

    assert "add task=..." in refused(foreign)
    assert "seed=1: the run is what" in refused(folder, "seed=1")
    assert "vocabulary is another one" in refused(foreign, "task=maze", "task.size=6")
    assert "completions that are the same" in refused(foreign, *TASK, "eval.samples=2")
    assert "holds a run already" in refused(folder, to=run)
    assert "holds no config.json" in refused(tmp_path)
    (foreign / "model.safetensors").unlink()
    assert "holds no model.safetensors" in refused(foreign, *TASK)


@pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")  # of KEPT's task's knobs
@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("trace=latent", "trace=latent has latents, which no other library computes"),
        (
            "+metric.first_error.level=locl",
            "metric.first_error.level='locl' is unknown; choose one of parses",
        ),
    ],
)
def test_what_could_not_be_evaluated_is_refused_before_anything_is_written(override, says, tmp_path):
    theirs = export(Run.open(KEPT), tmp_path / "theirs")
    to = tmp_path / "no"
    with pytest.raises(ValueError, match=re.escape(says)):
        import_folder(theirs, to, *asked(to, "task=maze", "task.size=5", override))
    assert not to.exists()


def test_a_tokenizer_of_pieces_is_refused(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    write_json(other / "tokenizer.json", {**tokenizer, "model": {"type": "BPE", "vocab": {}}})
    with pytest.raises(ValueError, match="is of type BPE"):
        import_folder(other, tmp_path / "no", *asked(tmp_path / "no"))
