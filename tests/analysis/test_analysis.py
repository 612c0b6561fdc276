"""Run folders as tables: what is loaded, what is refused, and that the figures are those of the runs."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from omegaconf import OmegaConf

from tests.helpers.runs import small
from tests.helpers.shared import filled
from tracelab import analysis
from tracelab.analysis import figures
from tracelab.analysis.arms import check_same
from tracelab.analysis.confidence import calibrations
from tracelab.analysis.estimates import matrices
from tracelab.analysis.generalisation import dose_response, gaps
from tracelab.analysis.interventions import by_intervention, load_interventions
from tracelab.analysis.interventions import of_run as shares_of
from tracelab.analysis.joint import first_errors, reasons
from tracelab.analysis.loading import levels_of
from tracelab.analysis.stability import per_problem
from tracelab.core.paths import CONF
from tracelab.evaluation.judging import trained_model
from tracelab.evaluation.outcomes import write
from tracelab.probes.interventions import of_run
from tracelab.probes.interventions import table as table_of
from tracelab.runs import sets
from tracelab.runs.arms import config_of
from tracelab.runs.build import build_task
from tracelab.runs.folder import Run
from tracelab.runs.tables import print_interventions
from tracelab.training.experiment import train

MORE = ("eval.samples=2", "eval.temperature=1", "budget.steps=40", "model.width=64")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two arms, one of them twice."""

    def fill(folder):
        for name, *words in (
            ("correct-0", "trace=correct"),
            ("correct-1", "trace=correct", "seed=1"),
            ("corrupted-0", "trace=corrupted", "trace.rate=0.5"),
        ):
            train(small(folder / name, *words, *MORE))

    return filled(tmp_path_factory, "analysis", fill)


@pytest.fixture(scope="module")
def table(study):
    return analysis.load(study)


def copied(study, tmp_path, name="correct-0", **names):
    """A copy of the study's runs to spoil."""
    shutil.copytree(study, tmp_path / "study")
    return tmp_path / "study" / name


# --- loading -----------------------------------------------------------------------------------------


def test_names_of_folders_are_no_patterns(study, tmp_path):
    """Nor does another tool's config, or a damaged record, stop the table of the runs beside it."""
    for name, of in (("br[0]ack", 0), ("star*", 1), ("torn", 0), ("torn-outcomes", 0)):
        shutil.copytree(study / f"correct-{of}", tmp_path / name)
    (tmp_path / "torn" / "run.json").write_text("")
    (tmp_path / "torn-outcomes" / "outcomes.parquet").write_bytes(b"PAR1")
    (tmp_path / "br[0]ack" / "files").mkdir()
    (tmp_path / "br[0]ack" / "files" / "config.yaml").write_text("wandb_version: 1")
    with pytest.warns(UserWarning, match="left out: what it holds is damaged") as said:
        table = analysis.load(tmp_path).collect()
    assert {Path(run).name for run in table["run"]} == {"br[0]ack", "star*"}
    assert len([w for w in said if "damaged" in str(w.message)]) == 2
    with pytest.warns(UserWarning, match="left out"):
        assert set(analysis.learning_curves(tmp_path)["run"]) == set(table["run"])


def test_runs_and_arms(study):
    runs = analysis.runs(study)
    assert runs["arm"].to_list() == ["correct", "correct", "corrupted"]
    assert runs["seed"].to_list() == [0, 1, 0]
    assert runs["dose"].to_list() == [0.0, 0.0, 0.5]
    assert runs["treatment"].unique().sort().to_list() == ["correct", "corrupted"]
    assert (runs["tokens"] > 0).all()
    assert analysis.runs(study / "correct-0", study / "corrupted-0").height == 2


def test_arms_are_named_by_what_differs(study, tmp_path):
    folder = copied(study, tmp_path)
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("layers: 2", "layers: 3"))
    arms = analysis.runs(tmp_path)["arm"].to_list()
    assert sorted(arms) == ["correct layers=2", "correct layers=3", "corrupted"]


def test_what_an_older_version_did_not_have_makes_no_arm(study, tmp_path):
    folder = copied(study, tmp_path)
    config = (folder / "config.yaml").read_text()
    older = re.sub(r"^(attention|  packing|  backend|  address): .*\n", "", config, flags=re.MULTILINE)
    assert older.count("\n") == config.count("\n") - 4
    (folder / "config.yaml").write_text(older)
    assert analysis.runs(tmp_path)["arm"].to_list() == ["correct", "correct", "corrupted"]


def test_post_trained_arms_are_named_by_their_knobs(study, tmp_path):
    """Two settings of one algorithm are two arms; a source's knobs are not compared with them."""
    folder = copied(study, tmp_path)
    config = (folder / "config.yaml").read_text()
    for name, clip in (("narrow", 0.1), ("wide", 0.3)):
        shutil.copytree(folder, folder.with_name(name))
        changed = config.replace("algorithm: null", "algorithm: grpo").replace(
            "reward: null", "reward: solution"
        )
        (folder.with_name(name) / "config.yaml").write_text(changed + f"algorithm:\n  clip_low: {clip}\n")
    arms = analysis.runs(tmp_path)["arm"].to_list()
    named = ["correct clip_low=0.1 grpo(solution)", "correct clip_low=0.3 grpo(solution)"]
    assert sorted(arms) == ["correct", "correct", *named, "corrupted"]


def test_configs_are_read_as_they_were_written(tmp_path):
    config = {"rate": 1e-05, "lr": 0.01, "name": "1e3", "none": None, "list": [1, "a"], "on": "off"}
    (tmp_path / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(config)))
    assert config_of(tmp_path) == config


def test_the_table_is_lazy_and_has_all_rows(study, table):
    assert isinstance(table, pl.LazyFrame)
    whole = table.select(pl.len()).collect().item()
    assert whole == sum(pl.read_parquet(study / name / "outcomes.parquet").height for name in ARMS)
    assert levels_of(table) == ["parses", "local", "strict", "paper"]


ARMS = ("correct-0", "correct-1", "corrupted-0")


def test_what_is_unfinished_or_old_is_named_and_left_out(study, tmp_path):
    folder = copied(study, tmp_path)
    (folder / "outcomes.parquet").rename(tmp_path / "kept.parquet")
    with pytest.warns(UserWarning, match="correct-0 is left out: it is not evaluated yet"):
        assert analysis.runs(tmp_path).height == 2
    record = (folder / "run.json").read_text()
    shutil.copy(tmp_path / "kept.parquet", folder / "outcomes.parquet")
    (folder / "run.json").write_text(record.replace("evaluated", "interrupted"))
    with pytest.warns(UserWarning, match=r"not evaluated yet \(status: interrupted\)"):
        assert analysis.runs(tmp_path).height == 2
    (folder / "run.json").write_text(record)
    old = pl.read_parquet(tmp_path / "kept.parquet").drop("mean_logprob")
    old.write_parquet(folder / "outcomes.parquet")
    with pytest.warns(
        UserWarning, match=r"older version, lack mean_logprob; run `python -m tracelab.evaluate"
    ):
        assert analysis.runs(tmp_path).height == 2


@pytest.mark.parametrize(
    ("old", "new", "named"), [("size: 5", "size: 6", "task.size"), ("problems: 24", "problems: 12", "eval")]
)
def test_other_tasks_and_test_problems_are_refused(study, tmp_path, old, new, named):
    folder = copied(study, tmp_path)
    config = (folder / "config.yaml").read_text()
    assert old in config
    (folder / "config.yaml").write_text(config.replace(old, new))
    with pytest.raises(ValueError, match=f"no comparison.*{named}"):
        analysis.load(tmp_path)


def test_what_differs_is_told_with_a_run_of_each():
    """And whether there are more."""
    configs = [{"task": {"size": size}} for size in (5, 5, 6)]
    with pytest.raises(ValueError, match=r"task.size=5: 2 runs \(a, \.\.\.\); task.size=6: 1 run \(c\)$"):
        check_same([Path(name) for name in "abc"], configs)


def test_nothing_there_and_nothing_finished(study, tmp_path):
    with pytest.raises(ValueError, match="no run lies at or below"):
        analysis.load(tmp_path)
    folder = copied(study, tmp_path)
    (folder / "outcomes.parquet").unlink()
    with pytest.warns(UserWarning, match="left out"), pytest.raises(ValueError, match="none of 1 run"):
        analysis.load(folder)


def test_two_runs_of_one_arm_and_seed_are_not_pooled(study, tmp_path):
    folder = copied(study, tmp_path)
    again = shutil.copytree(folder, folder.with_name("again"))
    record = json.loads((again / "run.json").read_text())
    (again / "run.json").write_text(json.dumps({**record, "id": "of another run"}))
    with pytest.warns(UserWarning, match=rf"{folder} is left out: .* \(correct\) and the seed of {again}"):
        once = analysis.load(tmp_path)
    assert once.collect().height == analysis.load(study).collect().height
    for name, source in (("one", "a"), ("two", "b"), ("three", "b")):  # those begun with other runs' weights
        each = shutil.copytree(again, folder.with_name(name))
        noted = {**record, "id": name, "ancestors": [source]}
        (each / "run.json").write_text(json.dumps(noted))
    with pytest.warns(UserWarning, match="is left out: it has the arm") as said:
        table = analysis.load(tmp_path)
    assert len(said) == 2
    assert table.select(pl.col("run").n_unique()).collect().item() == len(ARMS) + 2
    with pytest.raises(ValueError, match="two runs of the arm 'correct' have the seed 0"):
        analysis.compare(table, "solution_valid", "wilson")


def test_arms_judged_on_other_problems_are_not_compared(study, tmp_path):
    folder = copied(study, tmp_path, "corrupted-0")
    outcomes = pl.read_parquet(folder / "outcomes.parquet")
    outcomes.with_columns(pl.col("problem_key") + 1).write_parquet(folder / "outcomes.parquet")
    with pytest.raises(ValueError, match="judged on different problems of wilson"):
        analysis.compare(analysis.load(tmp_path), "solution_valid", "wilson")


@pytest.mark.parametrize("noted", [True, False])
def test_a_copy_is_named_and_counted_once(study, tmp_path, noted):
    """By its id; of versions that noted none, by what it says of itself. A link is the run itself."""
    folder = copied(study, tmp_path)
    record = json.loads((folder / "run.json").read_text())
    assert len(record.pop("id")) == 16
    if not noted:
        (folder / "run.json").write_text(json.dumps(record))
    copy = shutil.copytree(folder, folder.with_name("a_backup"))
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "one").symlink_to(folder)
    (tmp_path / "links" / "round").symlink_to(tmp_path)
    with pytest.warns(UserWarning, match=rf"{copy} is left out: it is a copy of {folder}$") as said:
        found = analysis.runs(tmp_path, folder)
    assert len([one for one in said if "a copy of" in str(one.message)]) == 1
    assert sorted(found["run"]) == sorted(str(folder.with_name(name)) for name in ARMS)
    with pytest.warns(UserWarning, match="a copy of"):
        assert analysis.load(tmp_path).collect().height == analysis.load(study).collect().height
    with pytest.warns(UserWarning, match="a copy of"):
        assert analysis.learning_curves(tmp_path).height == analysis.learning_curves(study).height
    assert analysis.runs(tmp_path / "links" / "one")["seed"].to_list() == [0]
    config = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(config.replace("steps: 40", "steps: 50"))
    assert analysis.runs(tmp_path).height == 4, "a copy that was trained on is a run of its own"


# --- figures -----------------------------------------------------------------------------------------


def test_rates_are_those_of_the_runs(study, table):
    found = analysis.rates(table, "solution_valid", by=["arm", "seed", "split"])
    for name, arm, seed in zip(ARMS, ("correct", "correct", "corrupted"), (0, 1, 0), strict=True):
        wanted = json.loads((study / name / "metrics.json").read_text())["test sets"]
        for split, estimates in wanted.items():
            row = found.filter(arm=arm, seed=seed, split=split).row(0, named=True)
            assert all(row[k] == estimates["solution_valid"][k] for k in ("value", "low", "high", "n"))


def test_comparisons(table):
    frames = matrices(table, "trace_parses", "wilson")
    a, b = (frames[arm].select(frames[arm].columns[2:]).to_numpy() for arm in ("corrupted", "correct"))
    assert (a.shape, b.shape) == ((24, 1), (24, 2))
    (row,) = analysis.compare(table, "trace_parses", "wilson", base="correct").iter_rows(named=True)
    assert row["difference"] == pytest.approx(a.mean() - b.mean())
    assert row["low"] <= row["difference"] <= row["high"]
    assert (row["arm"], row["base"], row["n"], row["seeds"]) == ("corrupted", "correct", 24, 1)
    assert row["p_holm"] == row["p"]
    with pytest.raises(ValueError, match="no arm; there are correct, corrupted"):
        analysis.compare(table, "trace_parses", "wilson", base="swapped")
    with pytest.raises(ValueError, match="there are dfs, wilson"):
        analysis.compare(table, "trace_parses", "kruskal")


def test_joint_tables_count_every_completion(table):
    whole = table.select("arm", "split", "solution_valid", "trace_parses").collect()
    for row in analysis.joint(table, "parses").iter_rows(named=True):
        part = whole.filter(arm=row["arm"], split=row["split"])
        solution, trace = part["solution_valid"], part["trace_parses"]
        cells = (solution & trace, solution & ~trace, ~solution & trace, ~solution & ~trace)
        assert [row[c] for c in ("both", "only_solution", "only_trace", "neither")] == [
            c.sum() for c in cells
        ]
        if row["phi"] is not None:
            assert row["phi"] == pytest.approx(np.corrcoef(solution, trace)[0, 1])
            assert row["phi_low"] is None or row["phi_low"] <= row["phi"] <= row["phi_high"]
    for row in analysis.given(table, ["parses"]).iter_rows(named=True):
        part = whole.filter(arm=row["arm"], split=row["split"])
        columns = {"solution": part["solution_valid"], "trace": part["trace_parses"]}
        condition = columns[row["given"]]
        assert row["n"] == condition.sum()
        assert row["value"] == (columns[row["of"]].filter(condition).mean() if row["n"] else None)


def test_reasons_and_first_errors_add_up(table):
    counted = reasons(table)
    for row in first_errors(table).iter_rows(named=True):
        mine = counted.filter(arm=row["arm"], split=row["split"])
        assert mine["count"].sum() == row["n"]
        assert 0 <= row["q25"] <= row["q50"] <= row["q75"] <= 1
        low, high = (row[f"share_before_error_{end}"] for end in ("low", "high"))
        alike = row["q25"] == row["q75"] == row["share_before_error"]  # then nothing is known of others
        assert low is high is None if alike else low <= row["share_before_error"] <= high


def test_lengths(table):
    found = analysis.length_against(table.filter(pl.col("split") == "wilson"), "expansions")
    for row in found.iter_rows(named=True):
        assert row["reference_spearman"] > 0.8
        assert row["reference_spearman_low"] <= row["reference_spearman"] <= row["reference_spearman_high"]
        assert 0 <= row["censored"] <= 1
        assert row["partial_low"] <= row["partial"] <= row["partial_high"], "given the prompt's length"
    with pytest.raises(ValueError, match="'difficulty' is no column"):
        analysis.length_against(table, "difficulty")


def test_both_confidences_are_calibrated(table):
    curves, summary = calibrations(table, threshold=0.5)
    assert set(summary["confidence"]) == {"probability", "vote"}
    whole = table.select("arm", "split", "problem_key", "mean_logprob", "solution_valid").collect()
    for row in summary.filter(confidence="probability").iter_rows(named=True):
        mine = whole.filter(arm=row["arm"], split=row["split"])
        sure = mine["mean_logprob"].exp()
        assert (
            row["n"]
            == len(mine)
            == curves.filter(arm=row["arm"], split=row["split"], confidence="probability")["n"].sum()
        )
        assert row["sure_wrong"] == pytest.approx(((sure >= 0.5) & ~mine["solution_valid"]).mean())
        assert row["sure_wrong_low"] <= row["sure_wrong"] <= row["sure_wrong_high"]
        assert row["brier"] == pytest.approx(
            ((sure - mine["solution_valid"].cast(pl.Float64)) ** 2).mean(), rel=1e-5
        )
    votes = summary.filter(confidence="vote")
    assert (votes["mean"] >= 0.5).all(), "the commonest of two samples"
    assert votes["n"].to_list() == [48 if arm == "correct" else 24 for arm in votes["arm"]]


def test_stability_counts_problems_and_completions(table):
    whole = table.filter(pl.col("split") == "wilson").collect()
    problems = per_problem(table.filter(pl.col("split") == "wilson"))
    assert problems.height == 3 * 24
    assert (problems["samples"] == 2).all()
    assert problems["correct"].sum() == whole["solution_valid"].sum()
    agree = whole.group_by("arm", "seed", "index").agg(pl.col("solution_hash").n_unique() == 1)
    assert (problems["vote"] == 1).sum() == agree["solution_hash"].sum()
    for row in analysis.stability(table).iter_rows(named=True):
        assert row["faithful"] is None or row["faithful"] + row["unfaithful"] == pytest.approx(1)


def test_gaps_between_test_sets(table):
    found = gaps(table, "trace_parses", "wilson")
    shares = analysis.rates(table, "trace_parses", by=["arm", "split"])
    assert set(found["split"]) == {"dfs"}
    for row in found.iter_rows(named=True):
        there, here = (
            shares.filter(arm=row["arm"], split=split)["value"][0] for split in (row["split"], row["base"])
        )
        assert row["difference"] == pytest.approx(there - here)
        assert row["low"] <= row["difference"] <= row["high"]
        assert row["p_holm"] >= row["p"]


def test_a_dose_and_its_response(study):
    found = dose_response(study, column="solution_valid", split="wilson")
    assert found.select("kind", "dose", "seeds", "n").rows() == [("mixed", 0.5, 1, 48), ("none", 0.0, 2, 96)]
    with pytest.raises(ValueError, match="no run there was trained on corrupted"):
        dose_response(study / "correct-0", column="solution_valid", split="wilson")


# --- interventions -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def intervened(study):
    run = Run.open(study / "correct-0")
    record, task = run.read_json("run.json"), build_task(run.settings.task)
    task, examples = sets.test_sets(run.settings, task)["wilson"]
    model = trained_model(run, task, "last", record["context"])
    found = of_run(run)
    write(found, run.folder / "interventions.parquet")
    return run, model, task, examples, pl.from_arrow(found)


def test_the_models_own_trace_changes_nothing(intervened):
    *_, found = intervened
    own = found.filter(intervention="own")
    assert not own["changed"].any()
    whole = found.filter(intervention="prefix", dose=1.0)
    parsed = own.join(whole, on="index", suffix="_whole").filter(
        pl.col("trace_tokens") == pl.col("trace_tokens_whole")
    )
    assert parsed.height > 0
    assert not parsed["changed_whole"].any()


def test_doses_and_lengths(intervened):
    *_, task, examples, found = intervened
    every = {path.stem for path in (CONF / "trace").glob("*.yaml")}
    empty = {"solution_only", "latent", "speculative"}  # nothing to impose, or a model to be asked
    assert set(found["intervention"]) == {"own", "none", "prefix", "matched"} | every - empty
    assert (found.filter(intervention="none")["trace_tokens"] == 0).all()
    assert (found.filter(intervention="prefix", dose=0.0)["trace_tokens"] == 1).all()
    reference = task.codec.encode(task.codec.trace, examples.trace).lengths + 1
    at = {int(i): n for i, n in zip(examples.index, reference, strict=True)}
    off = {}  # tokens by which a trace is longer or shorter than the reference
    for name in ("correct", "filler", "swapped", "matched"):
        part = found.filter(intervention=name)
        ours = np.array([at[i] for i in part["index"]])
        off[name] = np.abs(part["trace_tokens"].to_numpy() - ours).mean()
    assert off["correct"] == off["filler"] == 0
    assert off["matched"] < off["swapped"] / 3
    assert set(found.filter(intervention="corrupted")["dose"]) == {0.1, 0.5, 1.0}


def test_traces_that_do_not_fit_are_named_and_the_rest_goes_on(intervened, monkeypatch, capsys):
    run, model, task, examples, _ = intervened
    ends = task.prompts(examples).lengths.max() + examples.solution.lengths.max()
    monkeypatch.setattr(model, "context", int(ends) + 6)  # room for no more than a step
    found = table_of(model, task, examples, run.settings.eval, 6, {"split": "wilson"})
    kinds = set(found["intervention"].to_pylist())
    assert "none" in kinds
    assert "correct" not in kinds
    assert "correct is left out: no such trace fits" in capsys.readouterr().err


def test_likelihoods_are_the_models(intervened):
    """Of the reference solution behind the reference trace, one problem at a time."""
    _, model, task, examples, found = intervened
    codec, part = task.codec, found.filter(intervention="correct")
    trace, solution = (
        codec.encode(codec.trace, examples.trace),
        codec.encode(codec.solution, examples.solution),
    )
    whole = codec.assemble(task.prompts(examples), trace, solution)
    row = 3
    (at,) = np.flatnonzero(examples.index == part["index"][row])
    tokens = torch.from_numpy(whole.tokens[int(at)].astype(np.int64))[None]
    with torch.no_grad():
        logprobs = model.logits(model.hidden(tokens[:, :-1])).log_softmax(-1)[0]
    begins = int(whole.prompt[at] + whole.trace[at])  # of the solution's opening word
    wanted = sum(float(logprobs[k - 1, tokens[0, k]]) for k in range(begins + 1, tokens.shape[1]))
    assert part["reference_logprob"][row] == pytest.approx(wanted, rel=1e-4)
    assert part["reference_tokens"][row] == tokens.shape[1] - begins - 1


def test_shares_of_interventions(study, intervened):
    *_, found = intervened
    table = by_intervention(load_interventions(study))
    assert table["intervention"].to_list()[:2] == ["own", "none"]
    for row in table.iter_rows(named=True):
        dose = pl.col("dose").is_null() if row["dose"] is None else pl.col("dose") == row["dose"]
        part = found.filter(pl.col("intervention") == row["intervention"], dose)
        assert row["n"] == part.height
        assert row["valid"] == pytest.approx(part["valid"].mean())
        if row["intervention"] in ("swapped", "matched"):
            assert row["follows_low"] <= row["follows"] <= row["follows_high"]
        else:
            assert row["follows"] is row["follows_low"] is row["follows_high"] is None
    with pytest.raises(ValueError, match=r"python -m tracelab.intervene"):
        load_interventions(study / "correct-1")


def test_an_answer_follows_another_problems_trace_or_none(study, intervened, tmp_path, capsys):
    """Whoever gave the traces, none is its own problem's; files of older versions are read so, too."""
    run, *_, found = intervened
    given = found.group_by("intervention").agg(pl.col("follows").is_not_null().any())
    assert set(given.filter("follows")["intervention"]) == {"swapped", "matched"}
    assert found.filter(pl.col("intervention").is_in(["swapped", "matched"]))["follows"].null_count() == 0
    older = found.with_columns(pl.col("follows").fill_null(pl.col("valid")))
    older.write_parquet(tmp_path / "older.parquet")
    assert shares_of(tmp_path / "older.parquet").equals(shares_of(run.folder / "interventions.parquet"))
    print_interventions(shares_of(tmp_path / "older.parquet").filter(intervention="none"), "x", tmp_path)
    assert "–" in capsys.readouterr().out
    figures.imposed(tmp_path / "figure", by_intervention(load_interventions(study)))
    assert "none" in (tmp_path / "figure.csv").read_text()
