"""The runs that the tests of the report, and of what is published with it, share."""

import pytest

from tests.helpers.runs import small
from tests.helpers.shared import filled
from tests.runs.test_entry import run as command
from tracelab.evaluation.outcomes import write
from tracelab.probes import memorisation
from tracelab.probes.interventions import of_run
from tracelab.runs.folder import Run
from tracelab.training.experiment import train

SAMPLES = ("eval.samples=2", "eval.temperature=1", "budget.steps=20")
ARMS = ("corrupted-0.5", "corrupted-1")


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """Two arms, one of them with what probes write; and a run that is not finished."""
    return filled(tmp_path_factory, "study", _fill)


def _fill(folder):
    for rate in (0.5, 1):
        train(small(folder / f"corrupted-{rate}", "trace=corrupted", f"trace.rate={rate}", *SAMPLES))
    run = Run.open(folder / "corrupted-1")
    write(of_run(run), run.folder / "interventions.parquet")
    write(memorisation.of_run(run), run.folder / "memorisation.parquet")
    probed = command("tracelab.probe", "states", f"run={run.folder}", "probe.steps=4", cwd=folder)
    assert probed.returncode == 0, probed.stderr[-2000:]
    (folder / "unfinished").mkdir()
    (folder / "unfinished" / "config.yaml").write_text((run.folder / "config.yaml").read_text())
    (folder / "unfinished" / "run.json").write_text('{"status": "training"}')
