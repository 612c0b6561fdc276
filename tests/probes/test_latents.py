"""What latents are for: of models that do not look at them, that do, and in which a trace is planted."""

import numpy as np
import polars as pl
import pytest
import torch

from tests.oracles import arithmetic as oracle
from tracelab.analysis.latents import shares
from tracelab.core.ragged import Ragged
from tracelab.core.types import Task
from tracelab.data.frozen import drawn
from tracelab.models.gpt import GPT, Norm
from tracelab.models.latent import FEEDS, thinking
from tracelab.probes import tested
from tracelab.probes.chaining import Versions, chains, number_words, stands, varied_of
from tracelab.probes.forcing import Forced, forced, repeated
from tracelab.probes.latents import Forcing, Latents
from tracelab.probes.readings import alike, decoded, expected, read_off, steps_of
from tracelab.probes.task_vectors import is_gain
from tracelab.probes.thoughts import imposed, readings, replaced, states_of, thoughts_of
from tracelab.runs.settings import Sampling
from tracelab.tasks.arithmetic import Arithmetic

TASK: Task = Arithmetic(operations=4, distractors=1)
EXAMPLES = drawn(TASK, 0, "test", "problem", 0, 24)
PROMPTS = TASK.prompts(EXAMPLES)
K = 4
SAMPLING, MAX_NEW = Sampling(problems=24), 4


def model_of(feedback, looks):
    """looks: does attention write anything? If not, a place sees itself alone."""
    model = GPT(len(TASK.codec.vocabulary), 96, layers=2, width=32, heads=2, mlp=48)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel())))
            p.mul_(float(looks or not name.endswith("out.weight")))
    return thinking(model, K, feedback, 0.5, seed=0).eval()


def answered(feedback, looks):
    return forced(model_of(feedback, looks), TASK, EXAMPLES, SAMPLING, MAX_NEW)


def asked_of(model, own):
    """All that is counted of a model's latents, as shares."""
    asked = tested.Tested(model, {}, SAMPLING, MAX_NEW, {})
    parts = [
        pl.DataFrame({"true": one.true, "of": one.of}, schema={"true": pl.Float64, "of": pl.Float64}).select(
            pl.lit("run").alias("run"),
            *(pl.lit(getattr(one, name)).alias(name) for name in ("question", "what", "counted")),
            pl.Series("problem_key", EXAMPLES.identity),
            pl.Series("right", own.valid[-1]),
            "true",
            "of",
        )
        for one in Latents().counts(asked, TASK, EXAMPLES, own)
    ]
    return shares(pl.concat(parts).lazy(), by=())


# --- whether they are needed ---------------------------------------------------------------------------


@pytest.mark.parametrize("feedback", FEEDS)
def test_a_model_that_ignores_latents_answers_the_same_after_any_of_them_whatever_they_are(feedback):
    found, plain = answered(feedback, looks=False), answered("pause", looks=False)
    assert found.agrees.all()
    assert all(one.same(plain.answers[0]).all() for one in found.answers)
    assert not found.first.any()
    assert not found.stable.any()
    assert (found.accuracy == found.accuracy[0]).all()


def test_one_that_looks_at_them_does_not():
    found = answered("recycled", looks=True)
    assert found.agrees[K].all()
    assert not found.agrees[0].all()


@pytest.mark.parametrize(
    ("agrees", "first", "stable"),
    [([0, 0, 0, 1], 3, 3), ([0, 1, 0, 1], 1, 3), ([1, 1, 1, 1], 0, 0), ([1, 0, 1, 1], 0, 2)],
)
def test_first_and_stable_agreement(agrees, first, stable):
    column = np.array(agrees, bool)[:, None]
    found = Forced((), column, column)
    assert (found.first.item(), found.stable.item()) == (first, stable)
    assert found.accuracy.tolist() == agrees


# --- others in their place -----------------------------------------------------------------------------


def test_in_a_model_that_ignores_latents_nothing_is_found():
    """No intervention changes an answer, and no more of the trace is there than of other problems' traces."""
    model = model_of("recycled", looks=False)
    found = asked_of(model, forced(model, TASK, EXAMPLES, SAMPLING, MAX_NEW))
    changed = found.filter(counted="answer changed")
    assert set(changed["what"]) == {"removed", "noised", "mean", "permuted", "other"}
    assert set(changed["share"]) == {0}
    gold = found.filter(
        pl.col("what").is_in(["gold", "own"]), pl.col("question") != "replaced", answers="all"
    )
    assert set(gold["counted"]) >= {"result", "step", "whole trace", "reached", "causal", "verified"}
    assert (gold["above_low"] <= 0).all()
    assert gold.filter(counted="result")["share"].item() > 0, "some words are there by chance"


def test_a_models_own_latents_put_in_their_place_change_nothing_and_others_do():
    """The last latents of all feedbacks are read as they were."""
    model = model_of("recycled", looks=True)
    own = forced(model, TASK, EXAMPLES, SAMPLING, MAX_NEW)
    force, thoughts = Forcing(model, TASK, EXAMPLES, SAMPLING, MAX_NEW), thoughts_of(model, PROMPTS)
    with imposed(model, thoughts.inputs) as lead:
        assert force(lead).same(own.answers[K]).all()
        again = states_of(model, PROMPTS, PROMPTS.joined(lead))
    torch.testing.assert_close(again, thoughts.states, rtol=1e-3, atol=1e-3)
    assert model.given is None
    changed = {}
    for name, inputs in replaced(thoughts.inputs, seed=0, noise=1.0):
        with imposed(model, inputs) as lead:
            changed[name] = (~force(lead).same(own.answers[K])).mean()
    assert changed["removed"] == (~own.agrees[0]).mean()
    assert min(changed.values()) > 0


def test_what_latents_are_replaced_by():
    inputs = torch.randn(6, 3, 5, generator=torch.Generator().manual_seed(0))
    found = dict(replaced(inputs, seed=0, noise=0.1))
    assert found["removed"].shape == (6, 0, 5)
    assert 0.05 < (found["noised"] - inputs).std() < 0.2
    torch.testing.assert_close(found["mean"][2], inputs.mean(0))
    for mine, theirs in zip(inputs, found["permuted"], strict=True):
        assert sorted(map(tuple, theirs.tolist())) == sorted(map(tuple, mine.tolist()))
        assert not (mine == theirs).all(1).any()
    rows = [row.flatten().tolist() for row in found["other"]]
    assert sorted(rows) == sorted(row.flatten().tolist() for row in inputs)
    assert all(row != mine.flatten().tolist() for row, mine in zip(rows, inputs, strict=True))
    one = dict(replaced(inputs[:, :1], seed=0, noise=0.1))
    torch.testing.assert_close(one["permuted"], inputs[:, :1])


# --- the trace read off them ---------------------------------------------------------------------------


def test_a_planted_trace_is_read_off():
    """Each latent is the word of a step's result, in a model that hands on what it reads."""
    model = thinking(
        GPT(len(TASK.codec.vocabulary), 96, layers=1, width=64, heads=2, mlp=8), K, "pause", 1, 0
    )
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.mul_(float(not name.endswith(("out.weight", "down.weight"))))
    traces = list(EXAMPLES.trace)
    results = [[step.result[0] for step in steps_of(TASK, trace)] for trace in traces]
    with imposed(model, model.embed(torch.tensor(results)).detach()) as lead:
        words = readings(model, states_of(model, PROMPTS, PROMPTS.joined(lead)), top=1)
    assert words[:, 1:, 0].tolist() == results
    own = decoded(TASK, traces, words, PROMPTS)
    assert all(read.result == read.step == read.steps == K for read in own)
    operands = {"let": 0, "other": 0}
    for read, trace in zip(own, traces, strict=True):
        assert read.with_operands == (trace[:, 0] > 0).sum()
        operands["other"] += read.inside
    assert operands["other"] > 0
    donors = alike(EXAMPLES.trace.lengths, 5, seed=0)
    assert (donors >= 0).all()
    assert all(i not in row for i, row in enumerate(donors))
    control = decoded(TASK, [traces[row[0]] for row in donors], words, PROMPTS)
    assert sum(read.result for read in control) < 0.75 * K * len(control)
    theirs = expected(TASK, EXAMPLES.trace, donors, words, PROMPTS)
    assert theirs[:, 0].sum() > 0.9 * K * len(own)
    assert theirs[:, 2].sum() < 0.75 * theirs[:, 0].sum()
    assert theirs[:, 4].sum() < 0.75 * operands["other"]


def test_places_that_repeat_the_prompt_say_no_more_than_the_control():
    """Much of a problem's own trace stands in its prompt, and less of others'."""
    random = np.random.default_rng(0)
    words = np.stack([[random.permutation(np.unique(row))[:10] for _ in range(5)] for row in PROMPTS])
    donors = alike(EXAMPLES.trace.lengths, 5, seed=0)
    own = np.array(decoded(TASK, list(EXAMPLES.trace), words, PROMPTS), float)
    as_they_are = np.mean(
        [
            decoded(TASK, [EXAMPLES.trace[k] for k in column], words, PROMPTS.take(column))
            for column in donors.T
        ],
        axis=0,
    )
    theirs = expected(TASK, EXAMPLES.trace, donors, words, PROMPTS)
    for kind, of in ((2, 0), (3, 0), (4, 1)):
        share = own[:, kind].sum() / own[:, of].sum()
        assert share - as_they_are[:, kind].sum() / as_they_are[:, of].sum() > 0.15
        assert abs(share - theirs[:, kind].sum() / theirs[:, of].sum()) < 0.06


def test_a_step_is_held_against_others_of_its_kind():
    """Two problems whose prompts hold 1 and 2: of others' steps one is of the own's kind, and it is read."""
    code = [TASK.codec.token[word] for word in "123"]
    traces = Ragged.of([[[0, 0, -1, -1, 1], [0, 1, -1, -1, 3]], [[0, 0, -1, -1, 2], [0, 1, -1, -1, 2]]])
    prompts = Ragged.of([[code[0], code[1]]] * 2)
    words = np.array([[[code[1]]], [[code[1]]]])
    found = expected(TASK, traces, np.array([[1, -1], [-1, -1]]), words, prompts)
    assert found.tolist() == [[1, 0, 1, 1, 0], [2, 0, 2, 2, 0]], "a 3 stands in no prompt"
    assert not expected(TASK, traces, np.full((2, 1), -1), words, prompts).any()


def test_operands_come_before_results():
    task, tokens = TASK, TASK.codec.token
    row = [1, 0, 3, 4, 7]  # add A 3 4 7
    steps, nothing = steps_of(task, np.array([row])), np.array([tokens["ask"]])
    three, four, seven, other = (tokens[word] for word in ("3", "4", "7", "Z"))
    for words, prompt, counted in (
        ([[three, four], [seven, other]], nothing, (1, 1, 1)),
        ([[seven, other], [three, four]], nothing, (1, 0, 0)),
        ([[three, other], [seven, other]], np.array([four]), (1, 1, 0)),
        ([[other, other], [seven, other]], np.array([four, three]), (1, 1, 0)),
        ([[three, four], [other, other]], np.array([seven]), (0, 0, 0)),
    ):
        read = read_off(steps, np.array(words), prompt)
        assert (read.result, read.step, read.inside) == counted
        assert (read.steps, read.with_operands) == (1, 1)


# --- a trace that is found -----------------------------------------------------------------------------


def planted(prompt, order, wrong=False):
    """Versions of a problem in whose latents its values stand, each as it is in that version, by an oracle.

    order: of the steps; wrong: are changes read, too?
    """
    words = number_words(TASK)
    rows, numbers = varied_of(prompt, words, 3, np.random.default_rng(0))
    read = np.zeros((len(rows), len(order), TASK.modulus), bool)
    for v, row in enumerate(rows):
        definitions, modulus, _ = oracle.read(TASK.parse(rows[0] if wrong else row))
        for place, name in enumerate(order):
            read[v, place, oracle.value(definitions, modulus, oracle.name_of(name))] = True
    return Versions(rows, numbers, read)


def test_a_trace_that_stands_in_latents_is_found_and_verified():
    """And not where results come before operands, nor where they do not change with the prompt."""
    names = [trace[:, 1].tolist() for trace in EXAMPLES.trace]
    answers = [int(rows[0, 1]) for rows in EXAMPLES.solution]

    def ways(versions, answers=answers):
        return {way: found.mean() for way, found in chains(TASK, EXAMPLES, versions, answers).items()}

    versions = [planted(prompt, order) for prompt, order in zip(PROMPTS, names, strict=True)]
    found = ways(versions)
    assert found["reached"] == 1
    assert found["verified"] > 0.6, "but for answers that no number changes three times"
    assert found["causal"] >= found["verified"]
    alone = [planted(prompt, order, wrong=True) for prompt, order in zip(PROMPTS, names, strict=True)]
    assert ways(alone)["causal"] == ways(alone)["verified"] == 0
    backwards = [planted(prompt, order[::-1]) for prompt, order in zip(PROMPTS, names, strict=True)]
    assert ways(backwards)["verified"] < 0.3 * found["verified"]
    wrong = ways(versions, [(answer + 1) % TASK.modulus for answer in answers])
    assert wrong["verified"] == 0
    assert not any(ways(versions, [None] * len(answers)).values())
    swapped = [one.read_as(versions[k - 1]) for k, one in enumerate(versions)]
    assert ways(swapped)["verified"] < 0.3 * found["verified"]


def test_an_answer_that_stands_in_the_prompt_is_not_found_in_latents_that_say_nothing():
    task = Arithmetic(operations=1, distractors=1)
    examples = drawn(task, 0, "test", "problem", 0, 8)
    answers = [int(rows[0, 1]) for rows in examples.solution]
    versions = []
    for prompt in task.prompts(examples):
        rows, numbers = varied_of(prompt, number_words(task), 3, np.random.default_rng(0))
        versions.append(Versions(rows, numbers, np.zeros((len(rows), K + 1, task.modulus), bool)))
    assert not any(found.any() for found in chains(task, examples, versions, answers).values())


@pytest.mark.parametrize(
    ("changed", "stood"), [([1, 2, 3], True), ([1, 2], False), ([1], False), ([], False)]
)
def test_a_step_stands_as_many_changes_as_are_asked_for(changed, stood):
    """It is read in all four versions; in the others of these its result is the first's."""
    results = np.array([[5, *(k if k in changed else 5 for k in (1, 2, 3))]])
    read = np.zeros((4, 1, 10), bool)
    read[np.arange(4), 0, results[0]] = True
    versions = Versions(PROMPTS, np.zeros((0, 4), np.int64), read)
    assert stands(versions, 0, results, changes=3).tolist() == [stood]
    assert stands(versions, 0, results, changes=len(changed)).tolist() == [True]
    read[1] = False
    assert stands(versions, 0, results, changes=3).tolist() == [False]


def test_shares_are_ratios_beside_their_control():
    rows = [
        {"question": "read", "what": what, "counted": "step", "problem_key": key, "right": key < 2}
        | {"true": float(true), "of": 2.0, "run": "a"}
        for what, true in (("gold", 2), ("control", 1))
        for key in range(4)
    ]
    found = shares(pl.DataFrame(rows).lazy(), by=())
    assert dict(found.filter(what="gold").select("answers", "problems").rows()) == {
        "all": 4,
        "right": 2,
        "wrong": 2,
    }
    assert found.filter(what="gold")["share"].to_list() == [1, 1, 1]
    assert found.filter(what="gold")["above"].to_list() == [0.5, 0.5, 0.5]
    assert found.filter(what="control")["above"].to_list() == [None] * 3


def test_a_share_is_held_against_the_control_of_the_same_problems():
    """Of three problems the last has no donor, and the first has five times as many as the second."""
    rows = [
        {"question": "read", "what": what, "counted": "step", "problem_key": key, "right": True, "run": "a"}
        | {"true": float(true), "of": float(of)}
        for what, counts in (
            ("gold", [(1, 2), (1, 2), (2, 2)]),
            ("control", [(10, 10), (0, 2), (0, 0)]),
        )
        for key, (true, of) in enumerate(counts)
    ]
    found = shares(pl.DataFrame(rows).lazy(), by=()).filter(what="gold", answers="all")
    assert found.select("share", "above").row(0) == (pytest.approx(4 / 6), pytest.approx(0))


@pytest.mark.parametrize("feedback", FEEDS)
def test_what_a_latent_is_fed_with_is_no_gain_of_a_norm(feedback):
    model = model_of(feedback, looks=True)
    gains = {name for name, weight in model.named_parameters() if is_gain(name, weight)}
    norms = {f"{name}.weight" for name, part in model.named_modules() if isinstance(part, Norm)}
    assert gains == norms


def test_more_changes_than_there_are_numbers_are_refused():
    with pytest.raises(ValueError, match=r"changed into 9 others.*take probe.changes=9"):
        Latents(changes=TASK.modulus).check(TASK)
    Latents(changes=TASK.modulus - 1).check(TASK)
    Latents(ask=["needed"], changes=TASK.modulus).check(TASK)


def test_the_knob_that_is_none():
    with pytest.raises(ValueError, match=r"probe.ask='typo' is unknown; choose one of needed, read"):
        Latents(ask=["typo"])
    assert repeated((1, 2), 2).values.tolist() == [1, 2, 1, 2]
