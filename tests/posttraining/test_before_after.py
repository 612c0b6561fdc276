"""What post-training changed: by hand where it is known, and of a run with its source."""

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from omegaconf import OmegaConf

from tests.helpers.runs import KEPT, small
from tests.posttraining.test_posttrain import settings
from tests.runs.test_entry import run as command
from tracelab.analysis import before_after, likelihood
from tracelab.analysis.cells import TaskOutcomes
from tracelab.analysis.estimates import matrices
from tracelab.analysis.loading import load
from tracelab.evaluation.judging import evaluate
from tracelab.evaluation.outcomes import write
from tracelab.posttraining.experiment import posttrain
from tracelab.probes.arithmetic import Merge, check_related
from tracelab.probes.finding import reader_of
from tracelab.probes.likelihood import of_run
from tracelab.report.command import main as report
from tracelab.runs.arms import source_of
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import load_weights, save
from tracelab.runs.folder import Run
from tracelab.runs.sets import test_sets as sets_of
from tracelab.training.experiment import train

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*an older spelling:FutureWarning"),  # of KEPT's task's knobs
]

# --- by hand -------------------------------------------------------------------------------------


def pairs(before, after, seeds=1, samples=1):
    """Verdicts of each problem and sample, the same for all seeds: solution, then trace."""
    rows = [
        (
            f"r{seed}",
            f"s{seed}",
            "x",
            seed,
            when,
            "wilson",
            k // samples,
            k % samples,
            k // samples,
            *verdicts,
        )
        for seed in range(seeds)
        for when, every in (("before", before), ("after", after))
        for k, verdicts in enumerate(every)
    ]
    names = ["run", "source", "arm", "seed", "when", "split", "index", "sample", "problem_key"]
    return pl.DataFrame(rows, schema=[*names, "solution_valid", "trace_strict"], orient="row").lazy()


YES, NO, UNFAITHFUL = (True, True), (False, False), (True, False)


def test_problems_gained_and_lost():
    """Of nine, six are gained; traces: two kept, one lost."""
    before = [YES, YES, YES, *[NO] * 6]
    after = [YES, YES, UNFAITHFUL, *[UNFAITHFUL] * 6]
    solution, trace = before_after.moves(pairs(before, after, seeds=2)).iter_rows(named=True)
    assert [solution[name] for name in before_after.NAMES] == [6, 0, 12, 0]
    assert [trace[name] for name in before_after.NAMES] == [4, 2, 0, 12]
    assert (solution["n"], solution["seeds"], solution["of"]) == (9, 2, "solution_valid")
    assert solution["difference"] == pytest.approx(6 / 9)
    assert trace["difference"] == pytest.approx(-1 / 9)
    assert solution["mcnemar_p"] == pytest.approx(2 * 0.5**6)  # six discordant pairs, all one way
    assert trace["mcnemar_p"] == 1
    assert solution["low"] > 0 > trace["low"]


def test_runs_of_one_seed_are_told_apart_and_those_of_one_source_are_one():
    """Three post-trainings with the default seed, 0: of six, four, five and no problems more are solved."""
    before = [YES, YES, *[NO] * 8]
    parts = [
        pairs(before, [YES] * (2 + gained) + [NO] * (8 - gained)).with_columns(
            run=pl.lit(f"r{k}"), source=pl.lit(f"s{k}")
        )
        for k, gained in enumerate((4, 5, 0))
    ]
    three = pl.concat(parts)
    found = before_after.moves(three).row(0, named=True)
    assert [found[name] for name in before_after.NAMES] == [6, 0, 9, 15]
    assert found["seeds"] == 3
    assert found["difference"] == pytest.approx(0.3)
    assert found["low"] < 0, "one of three gained nothing"
    one = before_after.moves(three.with_columns(source=pl.lit("s0"))).row(0, named=True)
    assert one["seeds"] == 1
    assert one["difference"] == pytest.approx(0.3)
    numbered = three.with_columns(seed=pl.col("run").str.slice(1).cast(pl.Int64))
    assert before_after.moves(numbered).row(0, named=True) == found


def test_pass_at_k_with_a_valid_trace():
    """Two problems, four samples: right once in four and always; with a valid trace never and once."""
    samples = [UNFAITHFUL, NO, NO, NO, YES, UNFAITHFUL, UNFAITHFUL, UNFAITHFUL]
    found = before_after.passes(pairs(samples, samples, samples=4)).filter(when="after")
    values = {(row["of"], row["k"]): row["value"] for row in found.iter_rows(named=True)}
    assert values == pytest.approx(
        {
            ("solution", 1): (1 / 4 + 1) / 2,
            ("solution", 2): (1 / 2 + 1) / 2,
            ("solution", 4): 1.0,
            ("both", 1): 1 / 8,
            ("both", 2): 1 / 4,
            ("both", 4): 1 / 2,
        }
    )
    assert before_after.passes(pairs([YES, NO], [YES, NO])).is_empty()
    uneven = pairs(samples, samples, samples=4).filter((pl.col("index") > 0) | (pl.col("sample") > 0))
    with pytest.raises(ValueError, match="between 3 and 4 samples"):
        before_after.passes(uneven)


def test_pass_at_k_is_of_the_same_problems():
    """A problem that was judged before alone, and always right there, changes nothing."""
    samples, more = [YES, NO, NO, NO], [YES, NO, NO, NO, YES, YES, YES, YES]
    found = before_after.passes(pairs(more, samples, samples=4))
    assert found.equals(before_after.passes(pairs(samples, samples, samples=4)))
    assert set(found["n"]) == {1}


def test_sharpened_and_not_widened():
    """Six problems, four samples: three are right once before and always after, the others never are."""
    before, after = [YES, NO, NO, NO] * 3 + [NO] * 12, [UNFAITHFUL] * 12 + [NO] * 12
    found = before_after.sharpened(pairs(before, after, seeds=3, samples=4))
    rows = {(row["of"], row["k"]): row for row in found.iter_rows(named=True)}
    assert {key: row["difference"] for key, row in rows.items()} == pytest.approx(
        {
            ("solution", 1): 3 / 8,
            ("solution", 2): 1 / 4,
            ("solution", 4): 0.0,
            ("both", 1): -1 / 8,
            ("both", 2): -1 / 4,
            ("both", 4): -1 / 2,
        }
    )
    assert rows["solution", 4]["low"] < 0 < rows["solution", 4]["high"]
    assert (rows["solution", 1]["before"], rows["solution", 1]["after"]) == (1 / 8, 1 / 2)
    assert {(row["n"], row["seeds"]) for row in rows.values()} == {(6, 3)}
    assert before_after.sharpened(pairs([YES, NO], [YES, NO])).is_empty()


def test_what_has_no_problem_in_common_is_not_compared():
    apart = pl.col("problem_key") + pl.when(when="after").then(100).otherwise(0)
    with pytest.raises(ValueError, match="no problem there was judged both before and after"):
        before_after.moves(pairs([YES, NO], [YES, NO]).with_columns(problem_key=apart))


# --- a run and its source ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def after(tmp_path_factory):
    """A run of two rounds, judged on half of its source's problems."""
    folder = tmp_path_factory.mktemp("moved")
    shutil.copytree(KEPT, folder / "source")
    posttrain(settings(folder / "source", folder / "after", "budget.steps=2"))
    return folder / "after"


@pytest.fixture(scope="module")
def likely(after):
    found = of_run(Run.open(after))
    write(found, after / likelihood.FILE)
    return pl.from_arrow(found)


def outcomes_of(folder):
    return pl.read_parquet(folder / "outcomes.parquet").filter(split="wilson")


def test_each_models_own_completions_have_the_likelihood_that_it_gave_them(after, likely):
    for when, folder in (("before", after.with_name("source")), ("after", after)):
        mine = likely.filter(written=when)
        assert len(mine) == 12
        both = mine.join(outcomes_of(folder), on=["index", "sample"], suffix="_own")
        ours = both[f"{when}_logprob"].to_numpy() / both["tokens"].to_numpy()
        np.testing.assert_allclose(ours, both["mean_logprob"].to_numpy(), atol=2e-3)
    (whole,) = (
        likelihood.of_file(after / likelihood.FILE)
        .filter(pl.col("solution_valid").is_null(), written="after")
        .iter_rows(named=True)
    )
    mine = likely.filter(written="after")
    assert whole["moved"] == pytest.approx((mine["after_logprob"] - mine["before_logprob"]).mean())
    assert whole["n"] == 12


def test_the_same_problems_are_compared(after):
    table = before_after.load_pairs(after)
    before, later = (table.filter(pl.col("when") == when).collect() for when in before_after.WHEN)
    assert before.filter(split="wilson")["solution_valid"].to_list() == (
        outcomes_of(after.with_name("source"))["solution_valid"].to_list()
    )
    assert len(later.filter(split="wilson")) == 12 < len(before.filter(split="wilson"))
    found = before_after.moves(table).filter(split="wilson")
    assert found["of"].to_list()[:2] == ["solution_valid", "trace_parses"]
    assert (found.select(pl.sum_horizontal(before_after.NAMES)).to_series() == 12).all()


def test_samples_of_pass_at_k_are_kept_with_both_verdicts(after, tmp_path):
    """However the runs were judged, and wherever the source is: estimates are those of the JSON."""
    shutil.copytree(after, tmp_path / "alone")
    found = before_after.passes(before_after.load_passes(tmp_path / "alone"))
    for when in before_after.WHEN:
        told = json.loads((after / f"passes_{when}.json").read_text())
        mine = found.filter(when=when, of="solution")
        assert len(mine) > 1
        for row in mine.iter_rows(named=True):
            assert [row[name] for name in before_after.ENDS] == pytest.approx(
                [told[f"pass@{row['k']}"][name] for name in before_after.ENDS]
            )
        assert (found.filter(when=when, of="both")["value"] <= mine["value"]).all()
    changed = before_after.sharpened(before_after.load_passes(after))
    assert set(changed["seeds"]) == {1}
    assert len(changed) == len(found) / 2
    (tmp_path / "alone" / "passes_before.parquet").unlink()
    with (
        pytest.warns(UserWarning, match=r"it has no passes_before\.parquet"),
        pytest.raises(ValueError, match="no run there has samples of pass@k"),
    ):
        before_after.load_passes(tmp_path / "alone")


@pytest.mark.parametrize("other", ["problems", "limit"])
def test_what_was_judged_otherwise_is_named_and_left_out(after, other, tmp_path):
    for name in ("source", "after"):
        shutil.copytree(after.with_name(name), tmp_path / name)
    before = tmp_path / "source"
    if other == "problems":
        table = pl.read_parquet(before / "outcomes.parquet")
        table.with_columns(pl.col("problem_key") ^ 1).write_parquet(before / "outcomes.parquet")
        fault = "have no problem in common"
    else:
        record = json.loads((before / "run.json").read_text())
        (before / "run.json").write_text(json.dumps({**record, "max_new": record["max_new"] + 1}))
        fault = f"completions of {record['max_new'] + 1} tokens at most"
    config = tmp_path / "after" / "config.yaml"
    config.write_text(config.read_text().replace(str(after.parent), str(tmp_path)))
    with (
        pytest.warns(UserWarning, match=fault),
        pytest.raises(ValueError, match="no run there was post-trained"),
    ):
        before_after.load_pairs(tmp_path / "after")


def test_the_page_has_a_section(after, likely, tmp_path):
    report([str(after), "--out", str(tmp_path / "page.html"), "--examples", "0"])
    page = (tmp_path / "page.html").read_text()
    assert '<section id="before_after"' in page
    assert "Problems gained and lost" in page
    assert "How likely completions are" in page
    assert "pass@k before and after" in page
    assert len(pl.read_csv(tmp_path / "page_data" / "sharpened.csv"))
    moved = pl.read_csv(tmp_path / "page_data" / "moves.csv")
    assert set(before_after.NAMES) < set(moved.columns)


def test_a_source_that_moved_along_is_found_and_one_that_is_gone_is_named(after, tmp_path):
    for name in ("source", "after"):
        shutil.copytree(after.with_name(name), tmp_path / name)
    config = tmp_path / "after" / "config.yaml"
    config.write_text(config.read_text().replace(str(after.parent), "/nowhere"))
    assert before_after.load_pairs(tmp_path / "after").collect().height > 0
    done = command("tracelab.likelihood", f"run={tmp_path / 'after'}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "completion likelier after by" in done.stdout
    for far in ("runs", "posttrain"):
        (tmp_path / far).mkdir()
    shutil.move(tmp_path / "source", tmp_path / "runs" / "source")
    shutil.move(tmp_path / "after", tmp_path / "posttrain" / "after")
    assert source_of(tmp_path / "posttrain" / "after") == tmp_path / "runs" / "source"
    record = tmp_path / "runs" / "source" / "run.json"
    known = json.loads(record.read_text())
    record.write_text(json.dumps({**known, "id": "of another run"}))
    with pytest.raises(ValueError, match="which is gone"):
        source_of(tmp_path / "posttrain" / "after")
    shutil.copytree(tmp_path / "runs" / "source", tmp_path / "posttrain" / "source")
    with pytest.raises(ValueError, match="which is gone"):
        source_of(tmp_path / "posttrain" / "after")
    with (
        pytest.warns(UserWarning, match="which is gone: put it back, or beside it"),
        pytest.raises(ValueError, match="no run there was post-trained"),
    ):
        before_after.load_pairs(tmp_path / "posttrain" / "after")
    with pytest.raises(ValueError, match="was not post-trained"):
        of_run(Run.open(Path(after.with_name("source"))))


@pytest.fixture(scope="module")
def judged_alike(tmp_path_factory):
    """A run of one round, judged on its source's problems."""
    folder = tmp_path_factory.mktemp("alike")
    shutil.copytree(KEPT, folder / "source")
    posttrain(settings(folder / "source", folder / "after", "budget.steps=1", "eval.problems=24"))
    return folder


def test_a_run_is_compared_with_its_source_whatever_their_folders_are_called(
    judged_alike, tmp_path, monkeypatch
):
    """By a relative path, through a link, and of copies with the copy that is at hand."""
    monkeypatch.chdir(judged_alike)
    (tmp_path / "link").symlink_to(judged_alike)
    shutil.copytree(judged_alike, tmp_path / "copy")
    for folder in (Path(), tmp_path / "link", tmp_path / "copy"):
        outcomes = TaskOutcomes(load(folder))
        ((_, _, gains),) = outcomes.gains(pl.col("solution_valid"))
        assert gains.seeds == (str(folder / "source"),)
    assert not list(TaskOutcomes(load("after")).gains(pl.col("solution_valid")))


def test_what_went_on_from_one_run_is_one_seed_and_from_several_each_is(judged_alike):
    """Whatever the seed of the post-training was."""
    table = load(judged_alike).collect()
    (split, *_), mine = table["split"].unique(maintain_order=True), table.filter(algorithm="grpo")

    def columns(*parts):
        frames = matrices(pl.concat(parts).lazy(), "solution_valid", split)
        return {arm: frame.columns[2:] for arm, frame in frames.items()}

    scratch = table.filter(pl.col("algorithm").is_null())
    (plain,), (trained,) = scratch["arm"].unique(), mine["arm"].unique()
    again = mine.with_columns(run=pl.lit("again"), seed=pl.lit(7, pl.Int64))
    assert columns(table, again) == {plain: ["0"], trained: ["0"]}
    other = scratch.with_columns(run=pl.lit("other"), seed=pl.lit(5, pl.Int64))
    of_other = mine.with_columns(run=pl.lit("of other"), source=pl.lit("other"))
    assert columns(table, other, of_other) == {plain: ["0", "5"], trained: ["0", "5"]}


# --- from another checkpoint than the last -------------------------------------------------------


@pytest.fixture(scope="module")
def from_best(tmp_path_factory):
    """A run post-trained from its source's best weights, which differ from the last; judged at the last."""
    folder = tmp_path_factory.mktemp("best")
    shutil.copytree(KEPT, folder / "source")
    source = Run.open(folder / "source")
    content = torch.load(source.checkpoint(), weights_only=True)
    content["state_dict"] = {name: weight * 1.1 for name, weight in content["state_dict"].items()}
    save(source.checkpoint("best"), content)
    short = ("checkpoint=best", "budget.steps=1", "eval.problems=24")  # as many as the source has
    posttrain(settings(folder / "source", folder / "after", *short))
    return Run.open(folder / "after")


def judged_at_best(run, to):
    """A copy of both runs, in which the source was judged at its best checkpoint."""
    for name in ("source", "after"):
        shutil.copytree(run.folder.with_name(name), to / name)
    config = OmegaConf.load(to / "source" / "config.yaml")
    OmegaConf.update(config, "eval.checkpoint", "best", force_add=True)
    OmegaConf.save(config, to / "source" / "config.yaml")
    source = Run.open(to / "source")
    tests = sets_of(source.settings, build_task(source.settings.task))
    evaluate(source, source.settings.eval, tests, source.folder)
    return Run.open(to / "after")


def test_outcomes_of_another_checkpoint_are_not_what_was_before(from_best):
    wanted = r"post-trained from checkpoint=best of .* those of last: .* once more with eval\.checkpoint=best"
    with pytest.raises(ValueError, match=wanted):
        of_run(from_best)
    with pytest.warns(UserWarning, match=wanted), pytest.raises(ValueError, match="no run there was post"):
        before_after.load_pairs(from_best.folder)
    with pytest.warns(UserWarning, match=wanted):
        table = load(from_best.folder.parent)
    assert not list(TaskOutcomes(table).gains(pl.col("solution_valid")))


def test_before_is_the_checkpoint_that_was_gone_on_from(from_best, tmp_path):
    run = judged_at_best(from_best, tmp_path)
    config = OmegaConf.load(run.folder / "config.yaml")
    OmegaConf.save({**config, "run": str(tmp_path / "source")}, run.folder / "config.yaml")
    source, task = Run.open(tmp_path / "source"), build_task(run.settings.task)
    mine = pl.from_arrow(of_run(run)).filter(written="before")
    both = mine.join(outcomes_of(source.folder), on=["index", "sample"], suffix="_own")
    ours = both["before_logprob"].to_numpy() / both["tokens"].to_numpy()
    np.testing.assert_allclose(ours, both["mean_logprob"].to_numpy(), atol=2e-3)
    assert len(before_after.load_pairs(run.folder).collect()) > 0
    assert load(run.folder).select("source").unique().collect().item() == str(source.folder)
    still_last = Run.open(from_best.folder.with_name("source"))
    for other in (source, still_last):
        weights = reader_of(other, run, task).state_dict()
        assert all(torch.equal(weights[k], v) for k, v in load_weights(source.checkpoint("best")).items())
    weights = reader_of(still_last, source, task).state_dict()
    assert all(torch.equal(weights[k], v) for k, v in load_weights(source.checkpoint()).items())


# --- from a source that was trained on since -----------------------------------------------------

FEW = ("task.ood=[]", "data.train_size=64", "eval.problems=12", "threads=1")


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A run post-trained from a source of five steps, which has gone on to ten since."""
    folder = tmp_path_factory.mktemp("extended")
    train(small(folder / "source", *FEW, "budget.steps=5"))
    posttrain(settings(folder / "source", folder / "after", "budget.steps=1"))
    with warnings.catch_warnings(action="error"):
        assert before_after.load_pairs(folder / "after").collect().height > 0
        as_before_it_was_noted(folder / "after", folder / "older")
        assert before_after.load_pairs(folder / "older").collect().height > 0
    train(small(folder / "source", *FEW, "budget.steps=10"))
    return folder / "after"


def as_before_it_was_noted(folder, to):
    """A copy of a post-trained run, as versions left it that did not note how far its source was."""
    shutil.copytree(folder, to)
    record = json.loads((to / "run.json").read_text())
    assert record.pop("began") == {"checkpoint": "last", "steps": 5, "tokens": record_of_source(record)}
    (to / "run.json").write_text(json.dumps(record))


def record_of_source(record):
    """How many tokens its source had been trained on."""
    return json.loads((Path(record["source"]) / "run.json").read_text())["progress"]["tokens"]


def test_a_source_that_was_trained_on_is_not_what_was_before(extended):
    wanted = r"after began with .*source at step 5, which is at step 10 now: begin anew"
    with pytest.warns(UserWarning, match=wanted), pytest.raises(ValueError, match="no run there was post"):
        before_after.load_pairs(extended)
    with pytest.warns(UserWarning, match=wanted):
        assert load(extended).select("source").unique().collect().item() is None
    run, source = Run.open(extended), Run.open(extended.with_name("source"))
    with pytest.raises(ValueError, match=wanted):
        of_run(run)
    with pytest.raises(ValueError, match=wanted):
        reader_of(source, run, build_task(run.settings.task))
    with pytest.raises(ValueError, match=wanted):
        check_related(Merge(base=source, models=((run, 1.0),)))


def test_outcomes_may_be_judged_anew_before_the_weights_are(extended, tmp_path):
    """The source goes on: its outcomes are still those of before, its model is not."""
    for name in ("source", "after"):
        shutil.copytree(extended.with_name(name), tmp_path / name)
    source, run = Run.open(tmp_path / "source"), Run.open(tmp_path / "after")
    config = {**OmegaConf.load(run.folder / "config.yaml"), "run": str(source.folder)}
    OmegaConf.save(config, run.folder / "config.yaml")
    metrics = source.read_json("metrics.json")
    source.write_json("metrics.json", {**metrics, "judged": run.read_json("run.json")["began"]})
    assert before_after.load_pairs(run.folder).collect().height > 0
    with pytest.raises(ValueError, match=r"at step 5, which is at step 10 now"):
        of_run(Run.open(run.folder))


def test_of_older_runs_the_arm_says_that_the_source_may_be_another(extended):
    wanted = r"older began with .*source as correct \w{6}, which it is no more: if it was trained on since"
    with pytest.warns(UserWarning, match=wanted):
        assert before_after.load_pairs(extended.with_name("older")).collect().height > 0
