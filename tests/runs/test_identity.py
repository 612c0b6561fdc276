"""What makes a run what it is: what may differ without effect, going on, and beginning from weights."""

import hashlib
import re
import shutil
from dataclasses import replace

import pytest
import torch
import yaml

from tests.helpers.runs import KEPT, post_training, small
from tracelab import analysis
from tracelab.core.paths import CLONE, CONF
from tracelab.models.precision import Precision
from tracelab.runs.arms import arms_of, config_of, described
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import load_progress, load_weights
from tracelab.runs.folder import Run
from tracelab.runs.identity import arm_of, with_checksums
from tracelab.runs.knobs import SAME_BITS, SAME_BUT_FOR_ROUNDING, WITHOUT_EFFECT
from tracelab.training.checkpoint import Checkpoints
from tracelab.training.experiment import train
from tracelab.training.initial import build_initial, with_source
from tracelab.training.resuming import Before, before, begin, resume_from

FEW = ("budget.steps=3", "eval.problems=4", "validate_problems=0", "task.ood=[]", "threads=1")
TRIED = {  # another value than FEW, SMALL and the defaults have
    "logger": "logger.csv.path=${run_dir}/metrics.csv",
    "checkpoint_every": "checkpoint_every=1",
    "validate_problems": "validate_problems=2",
    "data.workers": "data.workers=1",
    "data.backend": "data.backend=loky",
    "trainer.log_every_n_steps": "trainer.log_every_n_steps=1",
    "trainer.enable_progress_bar": "trainer.enable_progress_bar=true",
    "trainer.enable_model_summary": "trainer.enable_model_summary=true",
    "trainer.default_root_dir": "+trainer.default_root_dir=elsewhere",
    "threads": "threads=2",
    "attention": "attention=plain",
    "trainer.deterministic": "trainer.deterministic=true",
    "trainer.accelerator": "trainer.accelerator=auto",
}
BY_PROCESSES = "tests/training/test_processes.py::test_losses_norms_and_weights_are_those_of_one_process"
ELSEWHERE = {
    "run_dir": "tests/runs/test_identity.py::test_what_is_without_effect_is",
    "ckpt_path": "tests/runs/test_identity.py::test_a_checkpoint_of_the_same_run_goes_on",
    "data.address": "tests/data/test_frozen.py::test_processes_give_the_same_bytes",
    "trainer.val_check_interval": "tests/training/test_train.py::test_bad_input_says_what_is_wrong",
    "compile": "tests/runs/test_identity.py::test_compiled_losses_are_the_same",
    "trainer.devices": BY_PROCESSES,
    "trainer.num_nodes": "tests/training/test_launched.py::test_two_machines_train_the_run_of_one_process",
    "trainer.strategy": BY_PROCESSES,
    "trainer.plugins": BY_PROCESSES,
}


def weights(run):
    return load_weights(run.checkpoint())


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return train(small(tmp_path_factory.mktemp("base"), *FEW)).run


def test_each_is_tried():
    assert TRIED.keys() | ELSEWHERE.keys() == {*WITHOUT_EFFECT}
    for path, _, name in (place.partition("::") for place in ELSEWHERE.values()):
        assert f"def {name}(" in (CLONE / path).read_text()
    excluded = yaml.safe_load((CONF / "run.yaml").read_text())["hydra"]["job"]["config"]["override_dirname"]
    assert {*excluded["exclude_keys"]} - {"trainer"} <= {*WITHOUT_EFFECT}


@pytest.mark.parametrize("name", TRIED)
def test_what_is_without_effect_is(base, tmp_path, name):
    """The same weights; and asked for with it, a finished run is finished."""
    other = weights(train(small(tmp_path, *FEW, TRIED[name])).run)
    for key, mine in weights(base).items():
        if name in SAME_BITS:
            assert torch.equal(mine, other[key])
        else:
            assert name in SAME_BUT_FOR_ROUNDING
            assert torch.allclose(mine, other[key], atol=1e-5)
    assert train(small(base.folder, *FEW, TRIED[name])).state == "skipped"
    torch.use_deterministic_algorithms(False)  # it is the whole process's


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch, of its own parts
def test_compiled_losses_are_the_same(base, tmp_path):
    compiled = weights(train(small(tmp_path, *FEW, "compile=true")).run)
    assert all(torch.allclose(mine, compiled[key], atol=1e-5) for key, mine in weights(base).items())
    assert train(small(base.folder, *FEW, "compile=true")).state == "skipped"


@pytest.mark.parametrize("knob", ["trainer.gradient_clip_val=0.001", "trainer.precision=bf16-mixed"])
def test_what_changes_numbers_makes_another_run(base, tmp_path, knob):
    with pytest.raises(
        ValueError, match=rf"another config \(it differs in {re.escape(knob.split('=')[0])}\)"
    ):
        train(small(base.folder, *FEW, knob))
    other = train(small(tmp_path, *FEW, knob)).run
    arms = analysis.runs(base.folder, other.folder)["arm"]
    assert arms.n_unique() == 2
    assert any(knob.rpartition(".")[2] in arm for arm in arms)


def test_a_resumed_run_keeps_the_precision_that_it_was_given(tmp_path):
    """Whoever asks for none does not take it away, in its config neither."""
    words = (*FEW, "trainer.precision=32-true")
    train(small(tmp_path, *words))
    assert train(small(tmp_path, *FEW)).state == "skipped"
    train(small(tmp_path, *FEW, "eval.problems=5"))
    assert Run.open(tmp_path).settings.trainer["precision"] == "32-true"


def test_a_checkpoint_of_another_run_is_not_gone_on_with(base, tmp_path):
    path = base.checkpoint()
    for knob, name in (
        ("trace=swapped", "names.trace"),
        ("seed=7", "seed"),
        ("optim.optimizer.lr=1e-5", "lr"),
    ):
        with pytest.raises(ValueError, match=rf"of another run \(it differs in .*{name}.*init_from="):
            train(small(tmp_path / "x", *FEW, knob, f"ckpt_path={path}"))
        with pytest.raises(ValueError, match="of another run"):
            train(small(base.folder, *FEW, knob, f"ckpt_path={path}"))
    alone = tmp_path / "checkpoints" / "last.ckpt"
    alone.parent.mkdir()
    alone.write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match=r"lies in no run's folder.*init_from="):
        train(small(tmp_path / "x", *FEW, f"ckpt_path={alone}"))
    assert not (tmp_path / "x" / "config.yaml").exists()


def test_a_checkpoint_of_the_same_run_goes_on(base, tmp_path, capsys):
    words = (*FEW[1:], f"ckpt_path={base.checkpoint()}")
    longer = train(small(tmp_path / "longer", *words, "budget.steps=5"))
    assert load_progress(longer.run.checkpoint())["steps"] == 5
    assert longer.run.read_json("run.json")["extended_from"] == ["3 steps"]
    assert "No step was taken" not in capsys.readouterr().err
    copied = train(small(tmp_path / "copied", *words, "budget.steps=3"))
    assert (
        "No step was taken: the checkpoint had used the whole budget, at step 3." in capsys.readouterr().err
    )
    assert all(
        torch.equal(a, b) for a, b in zip(weights(base).values(), weights(copied.run).values(), strict=True)
    )
    for budget in (["budget.steps=2"], ["budget.steps=null", "budget.tokens=9000000"]):
        with pytest.raises(ValueError, match="a budget of 3 steps, which can be extended, not changed"):
            train(small(tmp_path / "less", *words, *budget))


def test_a_budget_is_extended_in_place_and_the_arm_says_so(tmp_path):
    train(small(tmp_path / "run", *FEW))
    train(small(tmp_path / "run", *FEW, "budget.steps=4"))
    again = train(small(tmp_path / "run", *FEW, "budget.steps=6"))
    assert load_progress(again.run.checkpoint())["steps"] == 6
    assert again.run.settings.budget.steps == 6
    fresh = train(small(tmp_path / "fresh", *FEW, "budget.steps=6", "seed=1")).run
    arms = dict(zip(*analysis.runs(tmp_path).select("run", "arm"), strict=True))
    assert arms[str(fresh.folder)] == "correct extended_from="
    assert arms[str(again.run.folder)] == "correct extended_from=3 steps+4 steps"


def test_a_new_run_begins_with_the_weights_of_another(base, tmp_path):
    words = (*FEW[1:], "trace=swapped", "seed=7", "optim.optimizer.lr=1e-9", "optim.optimizer.adam_lr=1e-9")
    begun = train(small(tmp_path / "begun", *words, "budget.steps=2", f"init_from={base.folder}"))
    assert begun.state == "finished"
    assert load_progress(begun.run.checkpoint())["steps"] == 2
    after = weights(begun.run)
    assert all(torch.allclose(a, after[name], atol=1e-6) for name, a in weights(base).items())
    record = begun.run.read_json("run.json")
    assert record["init_from"]["run"] == base.name
    assert record["init_from"]["progress"]["steps"] == 3
    plain = train(small(tmp_path / "plain", *words, "budget.steps=2")).run
    arms = dict(zip(*analysis.runs(begun.run.folder, plain.folder).select("run", "arm"), strict=True))
    assert arms[str(begun.run.folder)] == f"swapped from {arm_of(base)}"
    assert arm_of(base).startswith("correct ")
    assert arms[str(plain.folder)] == "swapped"


def test_two_arms_never_have_one_name_and_two_seeds_do(tmp_path):
    """Of those whose weights others begin with."""
    half, whole, again = (
        Run.start(small(tmp_path / name, "trace=corrupted", *words))
        for name, words in (
            ("half", ["trace.rate=0.5"]),
            ("whole", ["trace.rate=1"]),
            ("again", ["trace.rate=1", "seed=4", "threads=2"]),
        )
    )
    assert arm_of(half) != arm_of(whole) == arm_of(again)


def test_one_and_one_point_nought_are_one_arm(tmp_path):
    """In arms' names, also of older runs, and in what is written down for those that begin with them."""
    runs = {
        name: Run.start(small(tmp_path / name, "trace=corrupted", f"trace.rate={rate}", f"seed={seed}"))
        for seed, (name, rate) in enumerate({"whole": "1", "fraction": "1.0", "half": "0.5"}.items())
    }
    for run in runs.values():
        run.write_json("run.json", {})
    opened = {name: Run.open(run.folder) for name, run in runs.items()}
    assert arm_of(opened["whole"]) == arm_of(opened["fraction"]) != arm_of(opened["half"])
    older = (tmp_path / "whole" / "config.yaml").read_text()
    assert older.count("rate: 1.0\n") == 1
    (tmp_path / "whole" / "config.yaml").write_text(older.replace("rate: 1.0\n", "rate: 1\n"))
    assert config_of(tmp_path / "whole")["trace"]["rate"] == 1
    arms = arms_of([described(run.folder) for run in runs.values()])
    assert arms == ["corrupted rate=1.0", "corrupted rate=1.0", "corrupted rate=0.5"]
    levels = [{**described(runs["half"].folder), "task": {"levels": each}} for each in ([1, 2], [1.0, 2])]
    assert arms_of(levels) == ["corrupted"] * 2


def test_another_class_with_the_same_knobs_is_another_arm(tmp_path):
    """It is named where knobs do not tell the runs apart, and nowhere else."""
    run = Run.start(small(tmp_path))
    run.write_json("run.json", {})
    config = described(tmp_path)

    def other(part, target, **knobs):
        inner = {**config["optim"][part], "_target_": target, **knobs}
        return {**config, "optim": {**config["optim"], part: inner}}

    mine = other("schedule", "mine.Sqrt")
    assert arms_of([config, config, mine]) == ["correct schedule=Linear"] * 2 + ["correct schedule=Sqrt"]
    named = "tracelab.optim.schedule.Linear"
    assert arms_of([config, other("schedule", "mine.Linear")]) == [
        f"correct schedule={named}",
        "correct schedule=mine.Linear",
    ]
    assert arms_of([config, other("schedule", "mine.Sqrt", warmup=7)]) == [
        "correct warmup=100",
        "correct warmup=7",
    ]
    assert arms_of([config, {**config, "logger": {"csv": {"_target_": "mine.CSV"}}}]) == ["correct"] * 2


def test_what_is_begun_does_not_need_its_source(base, tmp_path):
    source = shutil.copytree(base.folder, tmp_path / "source")
    words = (*FEW[1:], "budget.steps=2", f"init_from={source}")
    first = train(small(tmp_path / "begun", *words)).run.read_json("run.json")
    shutil.rmtree(source)
    assert train(small(tmp_path / "begun", *words)).state == "skipped"
    longer = train(small(tmp_path / "begun", *words, "budget.steps=3"))
    assert longer.run.read_json("run.json")["init_from"] == first["init_from"]


def test_what_goes_on_elsewhere_has_the_origin_that_it_had(base, tmp_path):
    """Whatever has become of its source since."""
    source = shutil.copytree(base.folder, tmp_path / "source")
    words = (*FEW[1:], f"init_from={source}")
    first = train(small(tmp_path / "begun", *words, "budget.steps=2")).run
    train(small(source, *FEW, "budget.steps=4"))
    words = (*words, f"ckpt_path={first.checkpoint()}", "budget.steps=3")
    longer = train(small(tmp_path / "elsewhere", *words)).run
    assert load_progress(longer.checkpoint())["steps"] == 3
    assert longer.settings.names.source == first.settings.names.source
    before, after = (run.read_json("run.json") for run in (first, longer))
    assert all(after[name] == before[name] for name in ("init_from", "ancestors", "began"))


def test_what_has_no_checkpoint_begins_with_its_source_as_it_is(base, tmp_path):
    """And is called so; what has one, or is done, keeps the name that it began with."""
    source = Run.open(shutil.copytree(base.folder, tmp_path / "source"))
    asked = small(tmp_path / "begun", *FEW, f"init_from={source.folder}")
    run = Run.start(with_source(asked))
    run.write_json("run.json", {"status": "training"})
    before = run.settings.names.source
    source.write_json("run.json", {**source.read_json("run.json"), "extended_from": ["2 steps"]})
    assert before != arm_of(source) == with_source(asked).names.source
    run.check_same(with_source(asked))
    run.write_json("run.json", {"status": "evaluated"})
    assert with_source(asked).names.source == before
    run.write_json("run.json", {"status": "training"})
    run.checkpoint().parent.mkdir()
    run.checkpoint().touch()
    assert with_source(asked).names.source == before


@pytest.mark.filterwarnings("ignore:.*an older spelling")  # of the kept run
def test_a_post_training_elsewhere_has_its_sources_name_as_it_was(tmp_path):
    folder = tmp_path / "begun"
    begun = post_training(f"run={KEPT}", f"run_dir={folder}")
    Run.start(replace(begun, names=replace(begun.names, source="its name"))).write_json("run.json", {})
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "last.ckpt").touch()
    words = f"run={KEPT}", f"run_dir={tmp_path / 'elsewhere'}", f"ckpt_path={folder}/checkpoints/last.ckpt"
    assert post_training(*words).names.source == "its name"


def test_what_went_on_elsewhere_goes_on_from_its_own_checkpoint(base, tmp_path, capsys):
    """The same command again: what was trained there since is not thrown away. Nor is the source needed."""
    source = shutil.copytree(base.folder, tmp_path / "source")
    words = (*FEW[1:], f"ckpt_path={source}/checkpoints/last.ckpt")
    run = train(small(tmp_path / "there", *words, "budget.steps=6")).run
    longer = small(tmp_path / "there", *words, "budget.steps=7")
    went = before(longer)
    assert (went.checkpoint, went.steps) == (run.checkpoint(), 6)
    assert f"is further than ckpt_path={source}" in capsys.readouterr().err
    shutil.rmtree(source)
    assert train(small(tmp_path / "there", *words, "budget.steps=6")).state == "skipped"
    after = train(longer)
    assert after.state == "resumed"
    assert load_progress(run.checkpoint())["steps"] == 7
    assert after.run.read_json("run.json")["extended_from"] == ["3 steps", "6 steps"]
    with pytest.raises(ValueError, match="there is no such file"):
        train(small(tmp_path / "nowhere", *words, "budget.steps=6"))


def test_the_best_checkpoint_until_then_is_brought_along(base, tmp_path, capsys):
    """Without it, a run that finds no better one could not be judged by its best."""
    vocabulary = tuple(base.read_json("vocab.json"))
    config = {**base.config, "eval": {**base.config["eval"], "checkpoint": "best"}}
    for name, steps in {"elsewhere": 3, "earlier": 2}.items():
        run = Run(tmp_path / name, config)
        run.folder.mkdir()
        path = resume_from(run, vocabulary, Before(base.checkpoint(), {}, steps, (), {}))
        assert path == base.checkpoint()
        said = "lies no best.ckpt of steps before" in capsys.readouterr().err
        assert said == (not run.checkpoint("best").exists()) == (name == "earlier")
    brought = tmp_path / "elsewhere" / "checkpoints" / "best.ckpt"
    assert brought.read_bytes() == base.checkpoint("best").read_bytes()


def test_a_best_checkpoint_of_steps_that_are_taken_again_is_set_aside(base, tmp_path):
    """They may come out otherwise, as with a larger budget, and none of them be as good."""
    run = Run.open(shutil.copytree(base.folder, tmp_path / "run"))
    vocabulary, best = tuple(run.read_json("vocab.json")), run.checkpoint("best")
    content = best.read_bytes()
    resume_from(run, vocabulary, Before(run.checkpoint(), {}, 3, (), {}))
    assert best.read_bytes() == content
    resume_from(run, vocabulary, Before(run.checkpoint(), {}, 2, (), {}))
    assert not best.exists()
    assert best.with_name("best_of_later.ckpt").read_bytes() == content


def test_an_extension_is_counted_once(base, tmp_path):
    """Killed between what run.json and config.yaml say of it, and given again, or not."""
    run = Run.open(shutil.copytree(base.folder, tmp_path / "run"))
    longer = small(run.folder, *FEW, "budget.steps=5")
    begin(longer, before(longer))
    (run.folder / "config.yaml").write_text((base.folder / "config.yaml").read_text())
    assert run.read_json("run.json")["extended_from"] == ["3 steps"]
    assert before(longer).budgets == ("3 steps",)
    asked = small(run.folder, *FEW)
    assert before(asked).budgets == ()
    assert "extended_from" not in begin(asked, before(asked)).read_json("run.json")


def test_an_extension_is_noted_before_the_budget_changes(tmp_path, monkeypatch):
    """Whatever ends it in between, and however often."""
    train(small(tmp_path, *FEW))
    monkeypatch.setattr("tracelab.training.experiment.prepare", lambda *_, **__: 1 / 0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            train(small(tmp_path, *FEW, "budget.steps=5"))
    monkeypatch.undo()
    done = train(small(tmp_path, *FEW, "budget.steps=5"))
    assert done.run.read_json("run.json")["extended_from"] == ["3 steps"]


def test_ctrl_c_before_a_checkpoint_is_loaded_loses_no_progress(base, tmp_path, monkeypatch):
    run = Run.open(shutil.copytree(base.folder, tmp_path / "run"))

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoints, "setup", stop)
    assert train(small(run.folder, *FEW, "budget.steps=5")).metrics is None
    record = run.read_json("run.json")
    assert (record["status"], record["progress"]["steps"]) == ("interrupted", 3)


def test_weights_that_do_not_fit_are_refused(base, tmp_path):
    with pytest.raises(
        ValueError, match=r"init_from=.*weights are of another model .*'width': 32.*'width': 64"
    ):
        train(small(tmp_path, *FEW, "model.width=64", f"init_from={base.checkpoint()}"))
    words = build_task(base.settings.task).codec.vocabulary
    latent = small(tmp_path, *FEW, "trace=latent", f"init_from={base.folder}")
    with pytest.raises(ValueError, match=r"has no latents and this one 6 latents of recycled.*feedback, or"):
        build_initial(latent, words, 256, Precision("32-true", ""), resumed=False)
    scaled = small(tmp_path, *FEW, "model.embed_scaled=true", f"init_from={base.folder}")
    with pytest.warns(UserWarning, match=r"fit, but .* \(embed_scaled: False there, True here\)"):
        build_initial(scaled, words, 256, Precision("32-true", ""), resumed=False)
    with pytest.raises(ValueError, match=r"init_from=nowhere is neither the folder of a run"):
        train(small(tmp_path, *FEW, "init_from=nowhere"))


@pytest.mark.parametrize("knob", ["optim.optimizer.lr=1e-5", "optim=adamw", "budget.steps=9"])
def test_post_trained_arms_tell_their_sources_apart(tmp_path, knob):
    """By whatever makes an arm of them; seeds do not. What all have in common is not said."""
    folders = {}
    for name, words in (("one", []), ("again", ["seed=1"]), ("other", [knob])):
        source = Run.start(small(tmp_path / name, *words))
        source.write_json("run.json", {})
        folders[name] = tmp_path / f"{name}-post"
        asked = post_training(f"run={source.folder}", f"run_dir={folders[name]}")
        Run.start(asked).write_json("run.json", {})
        assert post_training(f"run={source.folder}", f"run_dir={folders[name]}") == asked
    configs = [described(folder) for folder in folders.values()]
    one, again, other = arms_of(configs)
    assert one == again != other
    assert one == f"correct from {arm_of(Run.open(tmp_path / 'one'))} grpo(solution)"
    assert arms_of(configs[:2]) == ["correct grpo(solution)"] * 2
    for folder in folders.values():  # as versions wrote it that did not note the source's arm
        config = (folder / "config.yaml").read_text()
        (folder / "config.yaml").write_text(re.sub(r"  source: .*", "  source: null", config))
    assert arms_of([described(folder) for folder in folders.values()]) == [one, again, other]


@pytest.mark.parametrize("name", ["outcomes.parquet", "metrics.json"])
def test_what_was_deleted_of_an_evaluation_is_made_again(tmp_path, name):
    asked = small(tmp_path, *FEW)
    train(asked)
    (tmp_path / name).unlink()
    assert Run.finished(asked) is None
    again = train(asked)
    assert (again.state, again.run.read_json("run.json")["progress"]["steps"]) == ("resumed", 3)
    assert (tmp_path / name).is_file()
    assert train(asked).state == "skipped"


def test_how_a_source_is_judged_is_none_of_its_arm(tmp_path):
    """Post-trained before and after it was judged anew, by this version or an older one: one arm."""
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder, problems in zip(folders, (24, 48), strict=True):
        source = Run.start(small(tmp_path / "source", f"eval.problems={problems}"))
        source.write_json("run.json", {})
        asked = post_training(f"run={source.folder}", f"run_dir={folder}", "eval.problems=24")
        Run.start(asked).write_json("run.json", {})
    configs = [described(folder) for folder in folders]
    assert configs[0]["names"]["source"] == configs[1]["names"]["source"] == arm_of(source)
    assert len(set(arms_of(configs))) == 1
    older = (folders[0] / "config.yaml").read_text().replace(arm_of(source), arm_of(source, older=True))
    (folders[0] / "config.yaml").write_text(older)
    assert config_of(folders[0])["names"]["source"] != arm_of(source)
    assert described(folders[0]) == configs[0]


def test_an_extended_source_and_its_best_weights_are_arms_of_their_own(tmp_path):
    run = Run.start(small(tmp_path))
    run.write_json("run.json", {})
    names = {arm_of(run), arm_of(run, "best")}
    run.write_json("run.json", {"extended_from": ["3 steps"]})
    assert len(names | {arm_of(run)}) == 3


def test_another_content_of_a_file_is_another_run(tmp_path):
    """Going on with it is refused by name, for runs of versions that noted it on the data card alone, too."""
    path, folder = tmp_path / "a.jsonl", tmp_path / "run"
    path.write_text("one")
    words = (folder, f"data.files=[{path}]")
    run = Run.start(with_checksums(small(*words)))
    run.write_json("run.json", {})
    run.check_same(with_checksums(small(*words)))
    config = (folder / "config.yaml").read_text()
    whole = hashlib.sha256(b"one").hexdigest()
    for older in (False, True):
        if older:
            (folder / "config.yaml").write_text(re.sub(r"  checksums:\n  - .*\n", "", config))
            run.write_json("data_card.json", {"read": {"files": [{"path": str(path), "sha256": whole}]}})
        path.write_text("other")
        with pytest.raises(ValueError, match=rf"differs in the content of data.files={path}"):
            Run.open(folder).check_same(with_checksums(small(*words)))
        path.write_text("one")
        Run.open(folder).check_same(with_checksums(small(*words)))
    path.unlink()
    assert with_checksums(small(*words)).data.checksums == [whole[:16]]
    with pytest.raises(ValueError, match=rf"data.files={path}: there is no such file"):
        with_checksums(small(tmp_path / "new", words[1]))
