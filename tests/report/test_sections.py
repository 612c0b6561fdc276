"""Sections of the report that few runs have, on a run whose learning curves and pairs are known."""

import csv
import re
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from tests.helpers.runs import KEPT
from tracelab import analysis
from tracelab.analysis.assessment import FILE
from tracelab.analysis.kinetics import logistic
from tracelab.core.files import read_json, write_json
from tracelab.data.card import rate_of
from tracelab.evaluation.outcomes import write
from tracelab.plots import figure, write_csv
from tracelab.probes.assessment import of_run
from tracelab.report.command import main
from tracelab.report.markup import drawing
from tracelab.report.sections import assessment, cards, differences, kinetics, lengths, summary
from tracelab.report.sections import metrics as every_metric
from tracelab.report.study import study_of
from tracelab.report.traces import sample_of
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


def test_measures_that_outcomes_of_an_older_version_lack_are_left_out(study, tmp_path):
    """Of the figures, and of what the viewer says of a problem; the page is made all the same."""
    shutil.copytree(KEPT, tmp_path / "run")
    path = tmp_path / "run" / "outcomes.parquet"
    pl.read_parquet(path).drop("generated", "expansions").write_parquet(path)
    older = study_of([tmp_path / "run"], tmp_path / "page.html")
    (tmp_path / "page_data").mkdir()
    section = lengths.section(older)
    assert "Rank correlation of length and optimal cost" in section
    assert re.search(r"Left out, for outcomes of an older version lack it: [^<]*generated", section)
    assert "Left out" not in lengths.section(study)
    rows = sample_of(tmp_path / "run", 2, older.levels, older.task().complexities)
    assert rows
    assert "expansions" not in rows[0]
    assert "optimal_cost" in rows[0]
    both = pl.concat([study.table, older.table], how="diagonal_relaxed")
    found, lacking = lengths.known(both, older.task().complexities)
    assert {"generated", "expansions"} <= {*lacking}
    assert "optimal_cost" in found


def test_arms_without_traces_and_pairs_without_a_difference(study):
    """No trace is no invalid one, and no problem that one of two runs solves has no share."""
    empty = {name: pl.lit("empty") for name in study.table.collect_schema() if name.endswith("parses_reason")}
    silent = study.table.with_columns(**empty, arm=pl.lit("silent"), run=pl.lit("another"))
    both = replace(study, table=pl.concat([study.table, silent]), base="silent")
    assert summary.without_traces(both) == ["silent"]
    assert summary.without_traces(study) == []
    page = differences.section(both)
    assert "<td>+0.00</td><td>–</td>" in page
    assert "<td>0.50</td>" not in page


def test_no_heading_without_a_delay(study, tmp_path):
    shutil.copytree(study.runs["run"][0], tmp_path / "run")
    log = tmp_path / "run" / "metrics.csv"
    pl.read_csv(log).with_columns(**{"val/trace_strict": 0.0, "val/easy_trace_strict": 0.0}).write_csv(log)
    (tmp_path / "page_data").mkdir()
    page = kinetics.section(study_of([tmp_path / "run"], tmp_path / "page.html"))
    assert "Logistic curves" in page
    assert "traces not yet valid, or no longer" not in page


def test_a_training_set_of_several_pieces_is_counted_whole(study, tmp_path):
    shutil.copytree(KEPT, tmp_path / "run")
    path = tmp_path / "run" / "data_card.json"
    card = read_json(path)
    assert f"<td>{card['splits']['train']['problems']:,}</td>" in cards.section(study)
    solution, trace = {"solution valid": rate_of(250_000, 250_000)}, {"strict": rate_of(1_000, 250_000)}
    whole = {
        "pieces": 3,
        "problems": 250_000,
        "tokens": 1,
        "longest": 9,
        "solution": solution,
        "trace": trace,
    }
    write_json(path, card | {"whole training set": whole})
    config = tmp_path / "run" / "config.yaml"
    page = cards.section(study_of([tmp_path / "run"], tmp_path / "page.html"))
    assert "<td>250,000</td><td>100.0 " in page
    assert "<td>0.4 " in page
    config.write_text(config.read_text().replace("online: false", "online: true"))
    assert "250,000 and on" in cards.section(study_of([tmp_path / "run"], tmp_path / "page.html"))


def test_curves_that_rise_and_curves_that_fall_are_not_one_mean():
    slopes = {"correct": [4.0, -2.0, None], "swapped": [None, None, None]}
    rows = [
        {"arm": arm, "metric": "solution_valid", "part": "all", "run": str(k), "slope": slope}
        | {"midpoint": None if slope is None else 10.0**k * 1e6, "ceiling": None if slope is None else 0.5}
        for arm, each in slopes.items()
        for k, slope in enumerate(each)
    ]
    page = kinetics._midpoints(pl.DataFrame(rows, schema_overrides={"midpoint": pl.Float64}))
    lines = [re.findall(r"<td>([^<]*)</td>", line) for line in page.split("<tr>")[2:]]
    assert [line[2:] for line in lines] == [
        ["1 of 3", "1", "4", "50"],
        ["1 of 3, falling", "10", "-2", "50"],
        ["0 of 3", "–", "–", "–"],
    ]
