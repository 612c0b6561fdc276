"""Laws of effort: known ones are found, with who never got there; the likelier of two; real runs."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import optimize, stats

from tests.helpers.runs import small
from tracelab.analysis import efforts, intervals, laws
from tracelab.core.files import read_json
from tracelab.report.sections import laws as section
from tracelab.report.study import study_of
from tracelab.runs.arms import described
from tracelab.runs.folder import Run
from tracelab.training.experiment import train

PLACES = (2, 3, 4, 6, 8)
SPREAD, EVERY = 0.25, 5  # of the logarithm; between two looks
EXPONENT, RATE = 1.6, 0.45


def study(draw, log_effort, seeds=3, most=np.inf, law="a", every=EVERY, spread=SPREAD):
    """As of `efforts.until`: runs watched every so many steps until `most`. log_effort: x -> its mean."""
    rows = []
    for x in PLACES:
        for seed in range(seeds):
            k = np.ceil(np.exp(log_effort(x) + spread * draw.standard_normal()) / every)
            there = bool(k * every <= most)
            ends = ((k - 1) * every, k * every) if there else (most, np.inf)
            rows.append((law, seed, float(x), "", there, *map(float, ends)))
    return frame_of(rows)


def frame_of(rows):
    names = ["law", "seed", "x", "run", "reached", "low", "high"]
    return pl.DataFrame(rows, names, orient="row", infer_schema_length=None)


def ties(*looks):
    """Three seeds at each x, all of which got there between the same two looks: (x, low, high)."""
    return frame_of([("a", seed, x, "", True, low, high) for x, low, high in looks for seed in range(3)])


def power(x):
    return np.log(20) + EXPONENT * np.log(x / 2)


def exponential(x):
    return np.log(20) + RATE * (x - 2)


def test_the_line_is_the_likeliest():
    """Another optimiser finds the same maximum of the likelihood as it is written down, by interval."""
    known = study(np.random.default_rng(1), power, most=150)
    x = known["x"].log().to_numpy()
    with np.errstate(divide="ignore"):
        low, high = (np.log(known[name].to_numpy()) for name in ("low", "high"))

    def unlikely(at):
        ends = [stats.norm.cdf((y - at[0] - at[1] * x) / np.exp(at[2])) for y in (high, low)]
        return -np.log(ends[0] - ends[1]).sum()

    wanted = optimize.minimize(unlikely, (2, 1, -1), method="Nelder-Mead", options={"fatol": 1e-9})
    line = intervals.fit(x, low, high, np.ones((1, len(x))))
    found = (line.intercept[0], line.slope[0], np.log(line.spread[0]))
    np.testing.assert_allclose(found, wanted.x, atol=2e-3)
    assert line.likelihood[0] == pytest.approx(-wanted.fun, abs=1e-2)


def test_a_weight_is_a_run_that_many_times():
    known = study(np.random.default_rng(2), power, most=200)
    x, low, high = known["x"].log().to_numpy(), known["low"].to_numpy(), known["high"].to_numpy()
    with np.errstate(divide="ignore"):
        ends = np.log(low), np.log(high)
    times = np.arange(len(x)) % 3
    weighted = intervals.fit(x, *ends, np.stack([np.ones(len(x)), times.astype(float)]))
    again = [np.repeat(values, times) for values in (x, *ends)]
    repeated = intervals.fit(*again, np.ones((1, times.sum())))
    assert weighted.slope[1] == pytest.approx(repeated.slope[0], rel=1e-3)
    assert weighted.spread[1] == pytest.approx(repeated.spread[0], rel=1e-3)
    assert weighted.slope[0] != pytest.approx(weighted.slope[1], rel=1e-2)


def test_the_exponents_interval_covers_it():
    """Of 60 studies of three seeds, in which a fifth of the runs are censored, at a nominal 95 %."""
    draw, hits, slopes, shares = np.random.default_rng(0), [], [], []
    for _ in range(60):
        (row,) = laws.fits(study(draw, power, most=150), resamples=100).iter_rows(named=True)
        hits.append(row["exponent_low"] <= EXPONENT <= row["exponent_high"])
        slopes.append(row["exponent"])
        shares.append(1 - row["reached"] / row["runs"])
    assert 0.85 <= np.mean(hits) < 1
    assert np.median(slopes) == pytest.approx(EXPONENT, abs=0.08)
    assert np.mean(shares) == pytest.approx(0.2, abs=0.06)


def test_the_interval_covers_it_where_looks_are_few():
    """Of 30 studies in which most seeds of an x get there between the same two looks, two fifths of the runs
    before the first look or never.
    """
    draw, hits, same, open_ = np.random.default_rng(7), [], [], []
    for _ in range(30):
        off = draw.uniform(0, 0.7)
        known = study(draw, lambda x, off=off: power(x) + off, most=160, every=40, spread=0.1)
        (row,) = laws.fits(known, resamples=20).iter_rows(named=True)
        hits.append(row["exponent_low"] <= EXPONENT <= row["exponent_high"])
        same.append((known.group_by("x").agg(pl.col("low").n_unique())["low"] == 1).mean())
        open_.append(((known["low"] == 0) | ~known["reached"]).mean())
    assert np.mean(hits) >= 0.95
    assert np.mean(same) > 0.6
    assert np.mean(open_) > 0.4


def test_where_nothing_varies_the_looks_are_the_interval():
    """All lines through the same intervals are as likely. Then no resample says which law is likelier."""
    known = ties((2.0, 20.0, 40.0), (4.0, 60.0, 80.0), (6.0, 100.0, 120.0))
    (row,) = laws.fits(known, resamples=20).iter_rows(named=True)
    flattest, steepest = np.log(100 / 40) / np.log(3), np.log(120 / 20) / np.log(3)
    assert row["exponent_low"] == pytest.approx(flattest, abs=0.03)
    assert row["exponent_high"] == pytest.approx(steepest, abs=0.03)
    assert row["better"] == "open"
    assert row["power_share"] is None
    assert row["why"] is None


def test_the_interval_of_exact_efforts_is_students():
    x = np.repeat(np.log(PLACES), 3)
    y = 1 + EXPONENT * x + SPREAD * np.random.default_rng(8).standard_normal(len(x))
    line = intervals.fit(x, y - 1e-6, y + 1e-6, np.ones((1, len(x))))
    wanted = stats.linregress(x, y)
    freedom = len(x) - 2
    half = stats.t.ppf(0.975, freedom) * wanted.stderr
    ends = intervals.likely(x, y - 1e-6, y + 1e-6, line, laws.drop(freedom))
    assert ends == pytest.approx((wanted.slope - half, wanted.slope + half), abs=1e-3)


def test_a_far_x_does_not_narrow_the_interval():
    """Runs that were there by the first look bear any steeper slope, however far their x is."""
    looks, found = ((15, 16, 15), (8, 8, 8), (3, 3, 3), (1, 1, 1)), []
    for last in (100.0, 1000.0):
        x = np.repeat([1.0, 2.0, 4.0, last], 3)
        high = np.ravel(looks).astype(float)
        with np.errstate(divide="ignore"):
            ends = np.log(high - 1), np.log(high)
        line = intervals.fit(x, *ends, np.ones((1, len(x))))
        found.append((*intervals.likely(x, *ends, line, laws.drop(8)), line.slope[0]))
    near, far = found
    assert far == pytest.approx(near, abs=2e-3)


def test_an_end_that_runs_do_not_decide_is_said():
    """Against what makes it easier, runs that got there at one x may be as steep downwards as you like."""
    rows = [
        ("a", seed, x, "", bool(there), *((50.0 * there, 50.0 * there + 50) if there else (200.0, np.inf)))
        for x, seeds in ((1.0, (0, 0, 0)), (2.0, (0, 0, 2)), (4.0, (1, 1, 2)))
        for seed, there in enumerate(seeds)
    ]
    (row,) = laws.fits(frame_of(rows), resamples=100).iter_rows(named=True)
    assert row["exponent_low"] is None
    assert row["exponent"] < row["exponent_high"] < np.inf
    assert "too few x" in row["why"]
    assert "[–, " in laws.in_words(laws.fits(frame_of(rows), resamples=100))[0][2]


def test_who_never_got_there_is_no_slow_run_and_no_missing_one():
    """Left out, or counted at their last look, censored runs would flatten the law."""
    draw = np.random.default_rng(3)
    known = study(draw, power, seeds=60, most=80)
    (row,) = laws.fits(known, resamples=2).iter_rows(named=True)
    assert 0.3 < 1 - row["reached"] / row["runs"] < 0.5
    assert row["exponent"] == pytest.approx(EXPONENT, abs=0.12)
    seen = known.filter("reached")
    as_if = known.with_columns(reached=True, high=pl.col("high").clip(upper_bound=80.5))
    for wrong in (seen, as_if):
        assert laws.fits(wrong, resamples=2)["exponent"].item() < row["exponent"] - 0.1


@pytest.mark.parametrize(("law", "winner"), [(power, "power"), (exponential, "exponential")])
def test_the_likelier_law_is_found(law, winner):
    draw = np.random.default_rng(4)
    (row,) = laws.fits(study(draw, law, seeds=12, most=400), resamples=50).iter_rows(named=True)
    assert row["better"] == winner
    assert row["aic"] * (1 if winner == "power" else -1) > laws.DECIDES
    assert (row["power_share"] > 0.9) == (winner == "power")
    name, slope = {"power": ("exponent", EXPONENT), "exponential": ("rate", RATE)}[winner]
    assert row[f"{name}_low"] < slope < row[f"{name}_high"]
    assert laws.predicted(row, winner, np.array([4.0])) == pytest.approx(np.exp(law(4)), rel=0.1)


def test_where_there_is_no_law_it_is_said_why():
    draw = np.random.default_rng(5)
    known = study(draw, power)
    never = known.with_columns(reached=False, low=pl.lit(10.0), high=pl.lit(np.inf), law=pl.lit("never"))
    two = known.filter(pl.col("x") < 4).with_columns(law=pl.lit("two"))
    found = laws.fits(pl.concat([known, never, two]), resamples=20)
    assert found["exponent"].null_count() == 2
    assert "fewer than two x" in found.filter(law="never")["why"].item()
    assert "2 different x" in found.filter(law="two")["why"].item()
    alone = laws.fits(known.filter(seed=0), resamples=20)
    assert alone.select("exponent_low", "exponent_high", "power_share").row(0) == (None, None, None)
    assert "one seed at an x" in alone["why"].item()
    words = laws.in_words(found)
    assert [len(row) for row in words] == [len(laws.HEADINGS)] * 3


# --- on runs --------------------------------------------------------------------------------------

TINY = (
    "task.ood=[]",
    "budget.steps=6",
    "validate_every=2",
    "eval.samples=2",
    "eval.temperature=1",
    "eval.problems=8",
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three sizes of data sets, two seeds of one of them."""
    folder = tmp_path_factory.mktemp("law")
    for size, seed in ((16, 0), (32, 0), (64, 0), (64, 1)):
        train(small(folder / f"{size}-{seed}", f"data.train_size={size}", f"seed={seed}", *TINY))
    return folder


def test_efforts_are_what_the_runs_have_logged(runs):
    """A share that all reach is reached at the first look; one that none does is censored at the last."""
    easy = efforts.until(runs, against="data.train_size", least={"truncated": 0.0})
    assert easy["x"].to_list() == [16, 32, 64, 64]
    assert easy["law"].unique().to_list() == ["correct"]
    assert easy["reached"].all()
    assert set(easy.select("low", "high").rows()) == {(0.0, 2.0)}
    hard = efforts.until(runs, against="data.train_size", of="tokens", least={"solution_valid": 1.0})
    assert not hard["reached"].any()
    for row in hard.iter_rows(named=True):
        assert row["low"] == read_json(Path(row["run"]) / "run.json")["progress"]["tokens"]
    with pytest.raises(ValueError, match=r"did you mean data\.train_size"):
        efforts.until(runs, against="data.trainsize")
    with pytest.raises(ValueError, match="has no val/solved in metrics"):
        efforts.until(runs, against="data.train_size", least={"solved": 0.5})
    with (
        pytest.warns(UserWarning, match=r"differ in data\.train_size, .*=\[names\.trace,data\.train_size\]"),
        pytest.raises(ValueError, match=r"two runs of the law .* have the seed 0"),
    ):
        efforts.until(runs, against="budget.steps", by=["names.trace"])
    looks = pl.DataFrame(
        {"step": [1, 3], "val/solution_valid": [0.0, 1.0]}
    )  # behind the second and the fourth
    assert efforts._first(looks, "step", {"solution_valid": 0.9}, "run")["high"] == 4.0


def test_the_first_look_that_is_good_enough():
    looks = pl.DataFrame(
        {"step": [0, 4, 8, 12], "rollout/reward": None, "val/solution_valid": [0.1, 0.2, 0.95, 0.5]}
    )
    seen = efforts._first(looks, "step", {"solution_valid": 0.9}, "run")
    assert seen == {"reached": True, "low": 4.0, "high": 8.0}
    never = efforts._first(looks, "step", {"solution_valid": 0.96}, "run")
    assert never == {"reached": False, "low": 12.0, "high": float("inf")}
    at_once = efforts._first(looks, "step", {"solution_valid": 0.1}, "run")
    assert at_once == {"reached": True, "low": 0.0, "high": 4.0}


@pytest.mark.parametrize("column", ["train/flops", "val/trace_strict"])
def test_a_run_that_an_older_version_began_is_refused(column):
    """Its first looks lack a figure: what it took to be so good may be among them."""
    looks = pl.DataFrame(
        {"train/flops": [0, 10, 20, 30], "val/solution_valid": 1.0, "val/trace_strict": [0.0, 0.0, 1.0, 1.0]}
    )
    least = {"solution_valid": 0.9, "trace_strict": 0.9}
    assert efforts._first(looks, "train/flops", least, "run")["high"] == 20.0
    older = looks.with_columns(pl.when(pl.int_range(pl.len()) > 1).then(pl.col(column)).alias(column))
    with pytest.raises(ValueError, match=rf"no {column} .* not at each look: of an older version"):
        efforts._first(older, "train/flops", least, "run")


def noted(folder, parameters, config):
    """What a run of so many parameters is, by its folder."""
    folder.mkdir()
    (folder / "run.json").write_text(f'{{"parameters": {parameters}}}')
    return {folder: config}


def with_model(config, kind="gpt.GPT", **knobs):
    return config | {"model": {"_target_": f"tracelab.models.{kind}", **knobs}}


def test_models_of_another_kind_are_another_law_of_size(runs, tmp_path):
    """Sizes alone follow the number of parameters."""
    config = described(runs / "16-0")
    shapes = [
        ("small", {"layers": 1, "heads": 1}),
        ("grouped", {"layers": 2, "heads": 4, "kv_heads": 2}),
        ("turned", {"layers": 2, "heads": 1, "rope_theta": 1e6}),
        ("mingru", {"kind": "recurrent.Recurrent", "layers": 2, "inner": 8}),
    ]
    known = {}
    for number, (name, knobs) in enumerate(shapes, 1):
        known |= noted(tmp_path / name, 100 * number, with_model(config, **knobs))
    rows = efforts.arranged(known, "parameters").select("run", "law").rows()
    laws_of = {Path(run).name: law for run, law in rows}
    assert laws_of["small"] == laws_of["grouped"]
    assert len({*laws_of.values()}) == 3
    assert "kind=Recurrent" in laws_of["mingru"]
    assert "rope_theta" in laws_of["turned"]
    with pytest.raises(ValueError, match=r"differ in more than their size \(model.kind, model.rope_theta\)"):
        efforts.arranged(known, "parameters", ["names.trace"])


def test_starts_of_several_arms_are_no_two_runs_of_one_law(runs, tmp_path):
    config = described(runs / "16-0")
    known = {}
    for name, trace in (("one", "swapped"), ("two", "solution_only")):
        names = config["names"] | {"trace": trace}
        known |= noted(tmp_path / name, 1, config | {"names": names})
        known |= noted(tmp_path / f"on_{name}", 1, config | {"init_from": str(tmp_path / name)})
    found = efforts.arranged(known, "data.train_size").filter(x=0)
    assert found["law"].to_list() == ["all: solution_only", "all: swapped"]
    alone = {folder: what for folder, what in known.items() if folder.name.endswith("one")}
    assert efforts.arranged(alone, "data.train_size")["law"].to_list() == [efforts.BEGUN, "correct"]


def test_a_report_asks_for_three_sizes_before_it_refuses(runs, tmp_path):
    """Two runs of one place are no fault of an ordinary report: one that draws no law says nothing of it."""
    for name in "ab":
        shutil.copytree(runs / "16-0", tmp_path / name)
        record = read_json(tmp_path / name / "run.json")
        (tmp_path / name / "run.json").write_text(json.dumps(record | {"id": name}))
    with pytest.raises(ValueError, match="two runs of the law"):
        efforts.places(tmp_path, against="parameters")
    assert section.drawn(tmp_path, [str(tmp_path)], "parameters") is None
    assert section.drawn(tmp_path, [str(tmp_path)], "rollout.group") is None


def test_shares_and_the_reports_section(runs, figures):
    shares = efforts.shares(runs, against="data.train_size")
    assert {"solution_valid", "trace_strict", "silent_failure", "ece"} <= set(shares["figure"])
    for row in shares.filter(figure="solution_valid").iter_rows(named=True):
        told = Run.open(row["run"]).read_json("metrics.json")["test sets"]
        assert row["value"] == pytest.approx(told["wilson"]["solution_valid"]["value"])
    about = study_of([runs], runs / "page.html")
    about.data.mkdir()
    page = section.section(about)
    assert "train_size" in page
    assert "Power law or exponential" in page
    drawn = pl.read_csv(about.data / "shares_train_size.csv")
    assert drawn.filter(figure="ece")["x"].to_list() == [16, 32, 64]
    assert drawn.filter(figure="ece")["seeds"].to_list() == [1, 1, 2]
    assert (about.data / "laws_train_size.svg").is_file()
    one = study_of([runs / "16-0"], runs / "one.html")
    assert section.section(one) is None


def test_a_law_from_the_command_line(runs, tmp_path):
    """Learning curves by hand: a power law of exponent 2, and one run that never gets there."""
    for size, seed in ((16, 0), (32, 0), (64, 0), (64, 1)):
        shutil.copytree(runs / f"{size}-{seed}", tmp_path / "runs" / f"{size}-{seed}")
        effort = (size / 16) ** 2 * 100 * (1.1 if seed else 1.0)
        steps = np.arange(0, 1650, 25)
        lines = [f"{step},{int(step >= effort)},8,{step},{step}" for step in steps]
        head = "step,val/solution_valid,val/problems,train/tokens,train/minutes"
        (tmp_path / "runs" / f"{size}-{seed}" / "metrics.csv").write_text("\n".join([head, *lines, ""]))
    asked = ["run=runs", "against=data.train_size", "out=found/law_0.9", "resamples=50"]
    words = ["-m", "tracelab.fit_law", *asked]
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "3 of 4" in done.stdout
    (row,) = pl.read_csv(tmp_path / "found" / "law_0.9_fits.csv").iter_rows(named=True)
    assert row["exponent"] == pytest.approx(2, abs=0.1)
    assert (tmp_path / "found" / "law_0.9.svg").is_file()
    assert len(pl.read_csv(tmp_path / "found" / "law_0.9.csv")) == 4
    assert "found/law_0.9.csv" in done.stdout
