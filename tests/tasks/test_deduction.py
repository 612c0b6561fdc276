"""Deduction: two answers that nothing shallow tells apart, both searches, every reason."""

from collections import Counter

import numpy as np
import pytest

from tests.helpers.garbling import KINDS, garble, mutate
from tests.oracles import deduction as oracle
from tracelab.core import rng
from tracelab.core.jit import njit
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import references
from tracelab.search.derivation.problem import identity, load
from tracelab.tasks.deduction import Deduction
from tracelab.tasks.deduction.text import parts_of

SETTINGS = (
    {},
    {"solver": "backward", "tie_break": "random", "logic": ["and", "or", "not", "forall"], "width": 3},
    {"logic": ["or"], "width": 3, "depth": 4, "solver": "backward"},
    {"logic": ["forall", "not"], "depth": [1, 6], "tie_break": "random", "distractors": [0, 8]},
    {"logic": [], "depth": [1, 2], "distractors": [0, 2]},
)


def drawn(n=60, purpose="problem", **knobs):
    task = Deduction(**knobs)
    return task, task.generate(rng.keys(0, "train", 0, n, purpose), "train")


def text(task, tokens):
    vocabulary = task.codec.vocabulary
    return [vocabulary[t] if 0 <= t < len(vocabulary) else "<|unk|>" for t in tokens]


def verdicts_agree(task, examples, completions):
    verdicts = task.judge(examples, completions)
    for i, tokens in enumerate(completions):
        levels = dict(zip(task.levels, verdicts.trace_ok[i].tolist(), strict=True))
        got = bool(verdicts.solution_valid[i]), bool(verdicts.solution_optimal[i]), levels
        words = text(task, tokens)
        assert got == oracle.judge(task, examples.problem[i], words), (task, " ".join(words))
    return verdicts


@pytest.mark.parametrize("knobs", SETTINGS)
def test_problems_are_what_the_knobs_say(knobs):
    task, examples = drawn(**knobs)
    prompts = task.prompts(examples)
    for i, problem in enumerate(examples.problem):
        theory = oracle.read(task, problem)
        known = oracle.saturated(theory)
        derivable = theory.query in known
        assert examples.complexity["derivable"][i] == derivable
        assert (examples.solution[i][0, 0] == 0) == derivable
        if derivable:
            assert len(examples.solution[i]) == oracle.shortest(theory) == examples.complexity["proof"][i]
        low, high = np.broadcast_to(task.depth, 2)
        assert low <= examples.complexity["depth"][i] <= high
        for literal in known:  # nothing is contradicted
            sign, _, rest = literal.partition(" ")
            assert sign != "not" or f"is {rest}" not in known
        words = set(text(task, prompts[i]))
        assert words <= {*task.codec.words}
        assert words & {"and", "or", "not"} <= set(task.logic)
        assert ("x" in words) <= ("forall" in task.logic)


@pytest.mark.parametrize("knobs", SETTINGS)
def test_the_oracle_agrees(knobs):
    task, examples = drawn(**knobs)
    completions = references(task, examples)
    verdicts = verdicts_agree(task, examples, completions)
    assert verdicts.trace_ok.all()
    assert verdicts.solution_optimal.all()
    draw, size = np.random.default_rng(0), len(task.codec.vocabulary)
    for _ in range(3):
        verdicts_agree(task, examples, Ragged.of([mutate(row, size, draw) for row in completions]))
    for kind in range(KINDS):
        rows = [
            garble(kind, row, completions[int(draw.integers(len(examples)))], task.codec, draw)
            for row in completions
        ]
        verdicts_agree(task, examples, Ragged.of(rows, dtype=np.int64))


def test_other_orders_are_valid_searches():
    for solver in ("forward", "backward"):
        for logic in (["and", "not"], ["and", "or", "forall"]):
            task, examples = drawn(200, solver=solver, logic=logic)
            _, others = drawn(200, solver=solver, logic=logic, tie_break="random")
            assert np.array_equal(examples.problem.values, others.problem.values)
            assert not np.array_equal(examples.trace.values, others.trace.values)
            assert task.judge_traces(examples, others.trace).all()


def test_one_solvers_trace_is_not_the_others():
    task, examples = drawn(100)
    other, backward = drawn(100, solver="backward")
    assert not task.judge_traces(examples, backward.trace).any()
    assert other.judge_traces(backward, examples.trace).mean() < 0.2


def features(task, examples):
    """What can be counted without following rules, of the problem and of the query in it."""
    rows = []
    prompts = task.prompts(examples)
    for i, problem in enumerate(examples.problem):
        theory = oracle.read(task, problem)
        bodies = [p for rule in theory.rules for p in rule.premises]
        heads = [rule.head for rule in theory.rules]
        loose = [p for p in bodies if p not in theory.facts and p not in heads]
        words = text(task, prompts[i])
        atom = next(w for w in theory.query.split() if w not in ("is", "not"))
        about = Counter(parts_of(problem)[0][:, 1].tolist())  # facts of each entity
        asked = about.pop(int(problem[6]), 0)
        rows.append(
            [
                len(theory.rules), len(theory.facts), len(words), words.count(atom), len(loose),
                heads.count(theory.query), bodies.count(theory.query), heads.index(theory.query) / len(heads),
                theory.query in theory.facts, theory.query.startswith("not"), words.count("not"),
                sum(h in theory.facts for h in heads), sum(p in theory.facts for p in bodies),
                sum(p in heads for p in bodies), len(set(heads)), words.index("then"),
                asked, asked - max(about.values(), default=0),
            ]
        )  # fmt: skip
    return np.array(rows, float)


@pytest.mark.parametrize("knobs", [*SETTINGS[:2], {"logic": ["and", "forall"]}])
def test_nothing_shallow_tells_the_answer(knobs):
    """A linear model of all counts, fitted on half, is right about half of the other half as by chance."""
    task, examples = drawn(4000, **knobs)
    answer = examples.complexity["derivable"]
    assert abs(answer.mean() - 0.5) < 4 * 0.5 / np.sqrt(len(answer))
    table = features(task, examples)
    spread = table.std(axis=0)
    table = (table[:, spread > 0] - table[:, spread > 0].mean(axis=0)) / spread[spread > 0]
    correlations = table.T @ (answer - answer.mean()) / len(answer) / answer.std()
    assert np.abs(correlations).max() < 4.5 / np.sqrt(len(answer))
    table = np.column_stack([table, np.ones(len(table))])
    half = len(table) // 2
    weights = np.linalg.lstsq(table[:half], answer[:half] - 0.5, rcond=None)[0]
    right = ((table[half:] @ weights > 0) == answer[half:]).mean()
    assert abs(right - 0.5) < 4 * 0.5 / np.sqrt(half)


@pytest.mark.parametrize("split", ["train", "test", "ood"])
def test_both_answers_are_as_likely_in_a_small_space(split):
    """Whole problems fall into one split or another, but never one answer alone."""
    task = Deduction(**SETTINGS[4])
    keys = rng.keys(0, split, 0, 4000, "problem")
    answer = task.generate(keys, split).complexity["derivable"]
    assert abs(answer.mean() - 0.5) < 4 * 0.5 / np.sqrt(len(answer))


@njit
def identify(theory, problem):
    load(theory, problem)
    return identity(theory)


@pytest.mark.parametrize("knobs", SETTINGS)
def test_identity_is_blind_to_names_and_order(knobs):
    task, examples = drawn(40, **knobs)
    draw, words = np.random.default_rng(0), task._words
    signs = words["signs"]
    for i, problem in enumerate(examples.problem):
        atoms, labels = draw.permutation(words["atoms"]), draw.permutation(words["labels"])
        entities, flips = draw.permutation(words["entities"]), draw.integers(0, signs, words["atoms"])

        def literal(x, atoms=atoms, flips=flips):
            return np.where(x < 0, -1, signs * atoms[x // signs] + (x % signs ^ flips[x // signs]))

        facts, rules = (part.copy() for part in split(problem))
        facts[:, 0], facts[:, 1] = literal(facts[:, 0]), entities[facts[:, 1]]
        rules[:, 0], rules[:, 2] = labels[rules[:, 0]], np.where(rules[:, 2] < 0, -1, entities[rules[:, 2]])
        rules[:, 3:] = literal(rules[:, 3:])
        header = [*problem[:2], words["atoms"], *problem[3:5], literal(problem[5]), entities[problem[6]]]
        order = draw.permutation(len(facts)), draw.permutation(len(rules))
        other = np.concatenate([header, facts[order[0]].ravel(), rules[order[1]].ravel()]).astype(np.int16)
        assert identify(task._system(), other) == examples.identity[i]


def split(problem):
    ends = 7 + 2 * int(problem[1])
    return problem[7:ends].reshape(-1, 2), problem[ends:].reshape(-1, 7)


# facts A, B; r0: A and B then C; r1: C then D; r2: E then D; r3: B then F; r4: E then F
FACTS, RULES = [0, 0, 1, 0], [[0, 0, 0, 2, 0, 1, -1], [1, 0, 0, 3, 2, -1, -1], [2, 0, 0, 3, 4, -1, -1]]
PLACES = {"C": 2, "D": 3, "E": 4, "F": 5}


def case(query, solver):
    rules = [*RULES, [3, 0, 0, 5, 1, -1, -1], [4, 0, 0, 5, 4, -1, -1]]
    numbers = [5, 2, 6, 1, 2, query, 0, *FACTS, *(x for rule in rules for x in rule)]
    task, examples = drawn(1, logic=["and"], solver=solver)
    return task, type(examples)(**{**vars(examples), "problem": Ragged.of([numbers], dtype=np.int16)})


@pytest.mark.parametrize(
    ("solver", "query", "trace", "solution", "local", "strict", "solved"),
    [
        ("forward", "D", "apply r0 C apply r1 D", "r0 C r1 D", "ok", "ok", "ok"),
        ("forward", "D", "apply r3 F apply r0 C apply r1 D", "r0 C r1 D", "ok", "ok", "ok"),
        ("forward", "D", "apply r0 C apply r1 D", "r3 F r0 C r1 D", "ok", "solution_differs", "ok"),
        ("forward", "D", "apply r3 F apply r0 C apply r1 D", "r3 F r0 C r1 D", "ok", "ok", "ok"),
        ("forward", "D", "apply r0 C apply r1 D apply r3 F", "r0 C r1 D", "ok", "after_answer", "ok"),
        ("forward", "D", "apply r0 C apply r0 C apply r1 D", "r0 C r1 D", "ok", "repeated", "ok"),
        ("forward", "D", "apply r1 D", "r0 C r1 D", "premise_missing", "premise_missing", "ok"),
        ("forward", "D", "apply r0 D", "r1 D", "wrong_conclusion", "wrong_conclusion", "premise_missing"),
        ("forward", "D", "apply r7 D", "r0 D", "not_given", "not_given", "wrong_conclusion"),
        ("forward", "D", "apply r0 C", "r0 C", "ok", "unanswered", "wrong_answer"),
        ("forward", "D", "try r1 C", "unknown", "other_search", "other_search", "wrong_answer"),
        ("forward", "D", "apply r0 C apply r1 D", "r0 C r1 D r3 F", "ok", "solution_differs", "wrong_answer"),
        ("forward", "E", "apply r0 C apply r1 D apply r3 F", "unknown", "ok", "ok", "ok"),
        ("forward", "E", "apply r0 C apply r1 D", "unknown", "ok", "unanswered", "ok"),
        (
            "forward",
            "E",
            "apply r0 C apply r1 D apply r3 F",
            "unknown unknown",
            "ok",
            "solution_differs",
            "too_much",
        ),
        (
            "forward",
            "E",
            "apply r0 C apply r1 D apply r3 F",
            "r0 C",
            "ok",
            "solution_differs",
            "wrong_answer",
        ),
        ("forward", "E", "", "", "empty", "empty", "empty"),
        ("forward", "E", "apply r0", "r0", "syntax", "syntax", "syntax"),
        ("backward", "D", "try r1 C apply r0 C apply r1 D", "r0 C r1 D", "ok", "ok", "ok"),
        ("backward", "D", "try r2 E fail E try r1 C apply r0 C apply r1 D", "r0 C r1 D", "ok", "ok", "ok"),
        ("backward", "D", "try r2 E try r1 C apply r0 C apply r1 D", "r0 C r1 D", "ok", "not_needed", "ok"),
        ("backward", "D", "try r2 E fail E try r2 E", "r0 C r1 D", "ok", "repeated", "ok"),
        ("backward", "D", "try r1 C fail C", "r0 C r1 D", "rule_left", "rule_left", "ok"),
        ("backward", "D", "fail C", "r0 C r1 D", "not_a_goal", "not_a_goal", "ok"),
        ("backward", "D", "try r1 E", "r0 C r1 D", "not_a_goal", "not_a_goal", "ok"),
        ("backward", "D", "try r9 E", "r0 C r1 D", "not_given", "not_given", "ok"),
        ("backward", "D", "try r1 C apply r3 F", "r0 C r1 D", "ok", "not_needed", "ok"),
        ("backward", "F", "apply r3 F", "r3 F", "ok", "ok", "ok"),
        ("backward", "F", "try r4 E fail E apply r3 F", "r3 F", "ok", "not_needed", "ok"),
        ("backward", "E", "fail E", "unknown", "ok", "ok", "ok"),
        ("backward", "E", "fail E fail E", "unknown", "not_a_goal", "not_a_goal", "ok"),
        ("backward", "E", "fail E apply r0 C", "unknown", "ok", "after_answer", "ok"),
    ],
)
def test_every_reason(solver, query, trace, solution, local, strict, solved):
    names = {key: oracle.ONSETS[a] + oracle.VOWELS[a % 5] + oracle.CODAS[a] for key, a in PLACES.items()}
    task, one = case(PLACES[query], solver)
    words = f"reasoning {trace} solution {solution} end".split()
    words = [names.get(word, word) for word in words]
    verdicts = task.judge(one, Ragged.of([task.codec.tokens_of(" ".join(words))]))
    assert [task.reasons[r] for r in verdicts.trace_reason[0, 1:]] == [local, strict]
    assert task.reasons[verdicts.solution_reason[0]] == solved
    right, best, levels = oracle.judge(task, one.problem[0], words)
    assert right == (solved == "ok")
    assert best == bool(verdicts.solution_optimal[0])
    assert levels == dict(zip(task.levels, verdicts.trace_ok[0].tolist(), strict=True))


def test_the_variants_are_harder():
    task = Deduction(ood=[{"depth": [5, 6]}, {"width": 3}, {"distractors": 10}])
    assert list(task.test_sets()) == ["depth_5x6", "width_3", "distractors_10"]
    usual = task.generate(rng.keys(0, "ood", 0, 200, "problem"), "ood")
    for variant in task.test_sets().values():
        examples = variant.generate(rng.keys(0, "ood", 0, 200, "problem"), "ood")
        assert variant.judge(examples, references(variant, examples)).trace_ok.all()
        assert variant.prompts(examples).lengths.mean() > task.prompts(usual).lengths.mean()


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"solver": "sideways"}, r"task\.solver='sideways'"),
        ({"tie_break": "last"}, r"task\.tie_break='last'"),
        ({"logic": ["xor"]}, r"task\.logic='xor'"),
        ({"depth": 0}, r"task\.depth=0 must be from 1 to 16"),
        ({"depth": [5, 3]}, r"task\.depth=\[5, 3\]"),
        ({"distractors": "many"}, r"task\.distractors=many"),
        ({"width": 4}, r"task\.width=4 must be from 1 to 3"),
        ({"entities": 1}, r"task\.entities=1 must be from 2"),
        ({"reach": {"atoms": 5}}, r"task\.reach: atoms=5 is below the \d+"),
        ({"reach": {"labels": 5}}, r"task\.reach: labels=5 is below the \d+"),
        ({"ood": [{"logic": ["or"]}]}, r"'logic' is no knob that may differ"),
    ],
)
def test_bad_knobs(knobs, message):
    with pytest.raises(ValueError, match=message):
        Deduction(**knobs)


@pytest.mark.parametrize(
    "farther",
    [{"reach": {"labels": 60}}, {"reach": {"atoms": 60}, "depth": 1}, {"logic": ["and", "not"]}],
)
def test_what_has_no_word_here_is_refused_by_all_that_read_problems(farther):
    """Names are any of the drawing task's words: a few of them may be beyond those of another."""
    task, (_, examples) = Deduction(logic=["and"]), drawn(10, **{"logic": ["and"], **farther})
    trace, solution, keys = examples.trace, examples.solution, np.zeros(10, np.uint64)
    for ask in (
        lambda: task.judge(examples, trace),
        lambda: task.judge_traces(examples, trace),
        lambda: task.detours(examples, np.ones(10, np.int64), keys),
        lambda: task.needed(examples, trace, solution),
        lambda: task.provenance(examples, trace, solution),
        lambda: task.tree(examples, trace, solution),
        lambda: task.alternatives(examples, keys),
        lambda: task.solved(examples.problem),
        lambda: task.prompts(examples),
    ):
        with pytest.raises(ValueError, match="take the task that drew it"):
            ask()


def test_there_are_as_many_distractors_as_are_asked_for():
    """Beside two towers of three rules and a fact, of which one is lacking or of the other entity."""
    _, examples = drawn(60, logic=["forall"], entities=2, depth=3, distractors=8)
    assert set(examples.complexity["rules"] + examples.complexity["facts"]) == {7 + 8, 8 + 8}


def test_too_small_a_space():
    task = Deduction(depth=1, distractors=0, logic=[])
    with pytest.raises(ValueError, match=r"20,?000 draws gave no problem.*task\.depth"):
        task.generate(rng.keys(0, "test", 0, 5, "problem"), "test")


def test_drawing_with_the_search():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    task, examples = drawn(5, solver="backward", logic=["and", "or", "not", "forall"])
    figure, ax = plt.subplots()
    for i in range(5):
        assert "derived: none" in task.draw(examples, i, step=0) or examples.trace[i][0, 0] == 0
        for bad in (None, 0, 2):
            task.plot(ax, examples.problem[i], examples.trace[i], examples.solution[i], bad)
    plt.close(figure)


def test_another_question_has_a_depth_of_its_own():
    """Of two rules in a row, the one below is asked for."""
    task = Deduction(logic=[])
    problem = task.parse(task.codec.tokens_of("r0 bab then dek r1 dek then fim fact bab prove fim"))
    examples = task.solved(Ragged.of([problem], np.int16))
    again = task.ask_again(examples, rng.keys(0, "train", 0, 1, "perturbation"))
    words = task.codec.words_of(task.prompts(again)[0])
    assert words.endswith("prove dek")
    assert [part.complexity["depth"].tolist() for part in (examples, again)] == [[2], [1]]
    assert again.problem[0].tolist() == task.parse(task.codec.tokens_of(words)).tolist()
