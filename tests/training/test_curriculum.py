"""Training on what changes: where turns begin, and a run over several stages of latents that is stopped."""

import shutil
import signal

import numpy as np
import pytest
import torch

from tests.helpers.engine import sequences
from tests.helpers.runs import small
from tests.models.test_models import interrupt_at
from tests.posttraining.test_posttrain import settings
from tracelab.evaluation.judging import judge_model, trained_model
from tracelab.evaluation.outcomes import write
from tracelab.exchange.exporting import export
from tracelab.posttraining.experiment import posttrain
from tracelab.probes.exposure import seen
from tracelab.probes.latents import Latents
from tracelab.report.sections import latents as section
from tracelab.report.study import study_of
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import load_progress, load_weights
from tracelab.runs.sets import prepared
from tracelab.runs.sets import test_sets as sets_of
from tracelab.runs.settings import Amounts
from tracelab.traces.base import Turn
from tracelab.traces.correct import Correct
from tracelab.training.budget import begun_with, extended, short_first
from tracelab.training.curriculum import Curriculum, Quotas, quotas
from tracelab.training.experiment import build_loaders, train
from tracelab.training.learner import Learner

LOSSES = ("loss.step_weight=1", "loss.distillation_weight=1")
LATENT = (
    "trace=latent",
    "trace.stages=2",
    "trace.anew=true",
    "trainer.precision=32-true",
    "threads=1",
    *LOSSES,
)
SETS = [sequences(30, seed=seed) for seed in range(2)]  # chunks of every turn


def curriculum(amounts, in_sequences=False, anew=True):
    turns = tuple((Turn(0.0, Correct(), anew), lambda k: SETS[k % 2]) for _ in range(len(amounts) + 1))
    return Curriculum(turns, Quotas(amounts, in_sequences))


def test_turns_take_their_share_of_tokens_and_go_on_where_the_last_one_ended():
    chunk = curriculum([200.0, 900.0, 0.0, 100.0])
    parts = [chunk.part(k) for k in range(9)]
    assert [part.turn for part in parts[-3:]] == [4, 4, 4]
    stream = [(part.chunk, row) for part in parts for row in range(part.start, part.stop)]
    assert stream == [(k, row) for k in range(len(stream) // 30 + 1) for row in range(30)][: len(stream)]
    tokens = np.bincount(
        [part.turn for part in parts], [chunk(k).tokens.lengths.sum() for k in range(9)], minlength=5
    )
    for turn, wanted in enumerate([200, 900, 0, 100]):
        assert wanted - 40 < tokens[turn] < wanted + 40, "but for one sequence"
    starts = [k for k in range(9) if chunk.begins_anew(k)]
    assert starts == [k for k in range(1, 9) if parts[k].turn != parts[k - 1].turn]
    assert not any(curriculum([200.0], anew=False).begins_anew(k) for k in range(4))


def test_turns_count_sequences_where_the_budget_does():
    chunk = curriculum([10.0, 25.0], in_sequences=True)
    assert [chunk.part(k)[1:] for k in range(4)] == [(0, 0, 10), (0, 10, 30), (1, 0, 5), (1, 5, 30)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of a run that was stopped in one stage and resumed into the next ("run"), and one that was not."""
    folder, before = tmp_path_factory.mktemp("latent"), signal.getsignal(signal.SIGINT)
    assert train(small(folder / "whole", *LATENT)).metrics is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Learner, "on_train_batch_start", interrupt_at(3))
        assert train(small(folder / "run", *LATENT)).metrics is None
    signal.signal(signal.SIGINT, before)  # Lightning ignores it from here on
    trained = train(small(folder / "run", *LATENT))
    assert trained.state == "resumed"
    return folder, trained.run


def test_a_run_goes_on_bit_for_bit_across_a_change_of_stage(folder):
    folder, _ = folder
    weights = [load_weights(folder / run / "checkpoints" / "last.ckpt") for run in ("whole", "run")]
    assert "feed.factor" in weights[0]
    logged = set((folder / "run" / "metrics.csv").read_text().splitlines()[0].split(","))
    assert logged >= {f"train/{name}_loss" for name in ("steps", "distillation", "teacher")}
    assert all(torch.equal(a, b) for a, b in zip(weights[0].values(), weights[1].values(), strict=True))
    other, last = (
        torch.load(folder / run / "checkpoints" / "last.ckpt", weights_only=True) for run in ("whole", "run")
    )
    decoder = [name for name in last["state_dict"] if name.startswith("decoder.")]
    assert decoder, "it is in the checkpoint, not among the model's weights"
    assert all(torch.equal(last["state_dict"][name], other["state_dict"][name]) for name in decoder)
    steps = {float(own["step"]) for own in last["optimizer_states"][0]["state"].values() if "step" in own}
    assert max(steps) < 12 - 4, "after the stop, at step 4, the optimiser began anew"


def test_a_larger_budget_adds_to_the_last_stage(folder, tmp_path, monkeypatch):
    """The same command, with more of it: what was trained on stays where it was."""
    folder, run = folder
    words, seen = (*LATENT, "budget.steps=15"), []
    monkeypatch.setattr(
        Learner, "on_train_batch_start", lambda self, *_: seen.append(self.trainer.train_dataloader)
    )
    shutil.copytree(folder / "whole", tmp_path / "longer")
    longer = train(small(tmp_path / "longer", *words)).run
    progress = load_progress(longer.checkpoint())
    assert len(seen) == 3
    assert progress["steps"] == 15
    begun = build_loaders(run.settings, prepared(run.settings), 512)[0].chunk
    k = seen[-1].trained[0]
    assert [seen[-1].chunk.part(j) for j in range(k + 2)] == [begun.part(j) for j in range(k + 2)]
    assert begun.part(k).turn == 3


def test_a_budget_that_was_extended_is_known_to_the_last_token():
    had, wanted = Amounts(tokens=12_345_678), Amounts(tokens=20_000_000)
    assert extended(had, wanted) == "12345678 tokens"
    assert extended(Amounts(tokens=5_000_000), wanted) == "5e+06 tokens"
    for before in (had, Amounts(tokens=5_000_000)):
        found = begun_with(wanted, [extended(before, wanted), "13000000 tokens"])
        assert (found.unit, found.amount) == ("tokens", before.tokens)
    assert begun_with(wanted, []).amount == 20_000_000


def test_shares_of_a_budget_are_those_of_the_first_one_and_know_how_many_batches_a_step_has(tmp_path):
    lengths = np.full(9, 50)
    words = ("data.short_first=0.5", "data.batch_tokens=300", "budget.steps=null")
    tokens = small(tmp_path, *words, "budget.tokens=4000")
    assert short_first(tokens, lengths) == 2000
    assert short_first(tokens, lengths, ["1000 tokens", "3000 tokens"]) == 500
    assert short_first(small(tmp_path, *words, "budget.examples=40"), lengths) == 1000
    for batches in (1, 2):
        more = f"+trainer.accumulate_grad_batches={batches}"
        steps = small(tmp_path, *words[:2], "budget.steps=10", more)
        assert short_first(steps, lengths) == 0.5 * 10 * 300 * batches
        assert quotas(steps, [0.2, 0.8]).amounts == [0.2 * 10 * 300 * batches]


def test_latents_stand_behind_prompts_wherever_a_model_is_asked(folder):
    """Judged, forced to answer after fewer of them, and post-trained."""
    folder, run = folder
    task, examples = next(iter(sets_of(run.settings, build_task(run.settings.task)).values()))
    model = trained_model(run, task, "last", run.read_json("run.json")["context"])
    assert model.lead == (len(task.codec.vocabulary),) * 2
    found = judge_model(model, task, examples, run.settings.eval, 20).completions
    model.lead = ()
    assert (
        judge_model(model, task, examples, run.settings.eval, 20).completions.mean_logprob
        != found.mean_logprob
    ).any()
    probe = Latents(problems=5)
    write(probe(run), run.folder / probe.file)
    assert {row[0] for row in probe.shown(run.folder / probe.file).rows} == {"needed", "replaced"}
    (folder / "page_data").mkdir()
    page = section.section(study_of([run.folder], folder / "page.html"))
    assert page.count("<tr>") == 1 + 2 * 3 + 2 + 1 + 2 * 5
    assert (folder / "page_data" / "latents_0.svg").is_file()
    after = posttrain(settings(folder / "run", folder / "after", "budget.steps=1", "reward=[length]"))
    assert after.state == "finished"


def test_what_latents_do_not_go_with_says_so(folder, tmp_path, monkeypatch):
    _, run = folder
    with pytest.raises(ValueError, match="no other library computes"):
        export(run, tmp_path / "out")
    with pytest.raises(ValueError, match="take a run of another treatment"):
        seen(run.settings, build_task(run.settings.task), 10)
    monkeypatch.setattr("tracelab.training.experiment.prepare", lambda *_, **__: pytest.fail("drawn"))
    for knobs, message in {
        ("data.packing=256",): "computed row by row",
        ("trainer.devices=2",): "wait for each other",
        ("budget.steps=null", "budget.minutes=1"): "give budget.tokens",
        ("trace.stage=4",): "the last stage of",
        ("trace.feedback=pause",): "not made of states",
        ("trace.feedback=none",): "ask something of latents",
        ("trace.feedback=typo",): "choose one of recycled",
    }.items():
        with pytest.raises(ValueError, match=message):
            train(small(tmp_path / "run", *LATENT, *knobs))
