"""Sections of the report that few runs have, on a run whose learning curves and pairs are known."""

import csv
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tests.helpers.runs import KEPT
from tracelab import analysis
from tracelab.analysis.assessment import FILE
from tracelab.analysis.kinetics import logistic
from tracelab.evaluation.outcomes import write
from tracelab.plots import figure, write_csv
from tracelab.probes.assessment import of_run
from tracelab.report.command import main
from tracelab.report.markup import drawing
from tracelab.report.sections import assessment, kinetics
from tracelab.report.sections import metrics as every_metric
from tracelab.report.study import study_of
from tracelab.runs.folder import Run

pytestmark = pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning")  # of KEPT's task's knobs
TOKENS = np.geomspace(1e5, 1e7, 12).round()
CURVES = {  # midpoint, slope, ceiling
    "solution_valid": (1e6, 3.0, 0.95),
    "trace_strict": (2e6, 3.0, 0.9),
    "only_solution": (1e6, 3.0, 0.1),
    "easy_solution_valid": (5e5, 3.0, 1.0),
    "easy_trace_strict": (2e6, 3.0, 1.0),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A run with pairs, and a metrics.csv that was written by hand."""
    folder = tmp_path_factory.mktemp("sections")
    shutil.copytree(KEPT, folder / "run")
    columns = {f"val/{name}": logistic(TOKENS, *known) for name, known in CURVES.items()}
    columns |= {"val/problems": np.full(12, 64), "train/tokens": TOKENS, "train/minutes": TOKENS / 1e6}
    with (folder / "run" / "metrics.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", *columns])
        writer.writerows([k, *row] for k, row in enumerate(zip(*columns.values(), strict=True)))
    write(of_run(Run.open(folder / "run"), problems=8, rates=(1.0,)), folder / "run" / FILE)
    (folder / "page_data").mkdir()
    return study_of([folder / "run"], folder / "page.html")


def test_curves_of_half_of_the_problems(study):
    for part, n, metrics in (("all", 64, 3), ("easy", 32, 2)):
        curves = analysis.learning_curves(*study.runs["run"], part=part)
        assert set(curves["n"]) == {n}
        assert len(set(curves["metric"])) == metrics
    easy = curves.filter(metric="solution_valid")["value"].to_numpy()
    np.testing.assert_allclose(easy, logistic(TOKENS, *CURVES["easy_solution_valid"]))
    with (
        pytest.warns(UserWarning, match="left out: it completed no held-out problems"),
        pytest.raises(ValueError, match="validate_problems=64"),
    ):
        analysis.learning_curves(*study.runs["run"], part="hard")


def test_what_was_learned_first(study):
    page = kinetics.section(study)
    assert "Answers right, traces not yet valid" in page
    phases = pl.read_csv(study.data / "kinetics_phases.csv")
    assert dict(phases.select("part", "delay").rows()) == pytest.approx({"all": 1.0, "easy": 2.0}, abs=0.05)
    fits = pl.read_csv(study.data / "kinetics_fits.csv")
    assert fits.filter(part="easy", metric="solution_valid")["midpoint"].item() == pytest.approx(
        5e5, rel=0.02
    )
    assert (study.data / "kinetics.svg").is_file()


def test_a_page_and_a_figure_whose_names_have_dots(study, tmp_path):
    pages = [replace(study, out=tmp_path / name).data.name for name in ("law_0.8", "law_0.9.html")]
    assert pages == ["law_0.8_data", "law_0.9_data"]
    for share in ("0.8", "0.9"):
        write_csv(tmp_path / f"law_{share}", ["share"], [[share]])
        with figure(tmp_path / f"law_{share}", 3, 2, formats=["svg"]) as (_, axes):
            axes.set_title(f"until {share}")
    drawn = [drawing(tmp_path / f"law_{share}", "Laws.", "data") for share in ("0.8", "0.9")]
    for share, svg in zip(("0.8", "0.9"), drawn, strict=True):
        assert f'href="data/law_{share}.csv"' in svg
    assert 'id="law_0.8-' in drawn[0]
    assert 'id="law_0.8-' not in drawn[1]


def test_a_pages_folder_has_no_file_of_an_earlier_page(study, tmp_path):
    """What somebody else has put there stays."""
    out, beside = tmp_path / "page.html", tmp_path / "page_data"
    words = [*study.runs["run"], "--out", str(out), "--only"]
    main([*words, "assessment,summary"])
    assert (beside / "assessment.csv").is_file()
    (beside / "mine.csv").write_text("a\n1\n")
    main([*words, "summary"])
    names = {path.name for path in beside.iterdir()}
    assert "mine.csv" in names
    assert not {name for name in names if name.startswith("assessment")}
    (beside / ".made").write_text("../page.html\n")
    main([*words, "summary"])
    assert out.is_file()


def test_pairs_are_shown(study):
    page = assessment.section(study)
    drawn = pl.read_csv(study.data / "assessment.csv")
    assert "order 100 %" in page
    assert set(drawn["kind"]) == {"state", "cost", "order", "drop", "insert", "op"}
    assert (drawn["n"] == 8).all()


def test_a_run_whose_metrics_are_gone_is_left_out(tmp_path):
    shutil.copytree(KEPT, tmp_path / "run")
    study = study_of([tmp_path / "run"], tmp_path / "page.html")
    assert "Every run on wilson" in every_metric.section(study)
    (tmp_path / "run" / "metrics.json").unlink()
    assert every_metric.section(study) is None
