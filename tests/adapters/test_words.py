"""Problems in English, answers between tags: what is asked for is read and valid, what is damaged is not."""

import json

import pytest

from tests.helpers.runs import task_names
from tracelab.adapters.naming import names, read, task_named, written
from tracelab.adapters.prompts import APART, prompt_of, tagged
from tracelab.adapters.rules import TASKS
from tracelab.adapters.words import Weights, between, drawn, scores
from tracelab.data import splits
from tracelab.search.backtracking.problem import RULES
from tracelab.tasks.countdown import space as countdown
from tracelab.tasks.planning import heuristics as planning
from tracelab.tasks.sokoban import space as sokoban

PUBLISHED = {
    "outer_walls": True,
    "heuristic": "open_docks",
    "deadlocks": "corners",
    "longest": 200,
}
SETTINGS = [
    *((name, {}) for name in names()),
    ("maze", {"size": 5, "format": "searchformer"}),  # these formats have no word before a solution
    ("sokoban", {"format": "published", **PUBLISHED}),
]


@pytest.fixture(params=SETTINGS, ids=lambda setting: f"{setting[0]}{'-'.join(map(str, setting[1].values()))}")
def task(request):
    name, knobs = request.param
    return task_named(name, **knobs)


@pytest.fixture
def questions(task):
    return drawn(task, 6, "train", seed=0)


def judged(questions, answers, **more):
    return scores([question.reference for question in questions], answers, **more)


def parts_of(question):
    return [between(question.answer, tag).strip() for tag in ("trace", "solution")]


def is_valid(task, parts):
    return parts["solution"] == 1 and all(parts[f"trace_{level}"] == 1 for level in task.levels)


def test_the_form_that_is_asked_for_is_read(task, questions):
    """Whatever is said around it, earlier attempts included."""
    for answers in (
        [q.answer for q in questions],
        [f"<trace>no</trace> <solution> </solution> Better:\n{q.answer}\nThat is all." for q in questions],
    ):
        for parts in judged(questions, answers):
            assert is_valid(task, parts)
            assert parts["first_bad_step"] == -1
            assert parts["solution_reason"] == parts["trace_reason"] == "ok"
            assert Weights().of(parts) == 1


def test_a_damaged_trace_leaves_the_solution(task, questions):
    for at in (0, 1):
        damaged = []
        for question in questions:
            trace, solution = parts_of(question)
            words = trace.split()
            damaged.append(tagged(" ".join(words[:at] + words[at + 1 :]), solution))
        for parts in judged(questions, damaged):
            assert parts["solution"] == 1
            assert parts["trace_local"] == parts["trace_strict"] == 0
            assert at > 0 or parts["trace_parses"] == 0
            assert parts["first_bad_step"] == 0
            assert Weights().of(parts) == 0.5


def test_a_damaged_solution_leaves_the_trace(questions):
    pairs = [parts_of(question) for question in questions]
    for damage in (lambda words: words[:-1], lambda words: ["so:", *words], lambda words: []):
        answers = [tagged(trace, " ".join(damage(solution.split()))) for trace, solution in pairs]
        for parts in judged(questions, answers):
            assert parts["solution"] == 0
            assert parts["trace_parses"] == parts["trace_local"] == 1


def test_without_tags_nothing_is_read(questions):
    for strip in (
        lambda answer: "",
        lambda answer: answer.replace("<", "[").replace(">", "]"),
        lambda answer: answer.replace("</trace>", "").replace("</solution>", ""),
        lambda answer: answer.replace("<trace>", "").replace("<solution>", ""),
    ):
        for parts in judged(questions, [strip(question.answer) for question in questions]):
            assert parts["solution"] == parts["trace_parses"] == 0


def test_tags_alone_part_an_answer(task, questions):
    """What the wrong tag holds counts for nothing, the format's own markers or not."""
    written_form = task.codec.format
    for question in questions:
        trace, solution = parts_of(question)
        opens, stop = written_form.solution_open, written_form.stop
        whole = f"{written_form.trace_open} {trace} {opens} {solution} {stop}"
        for parts in judged(
            [question] * 3,
            [tagged(whole, ""), tagged(f"{trace} {opens} {solution} {stop}", ""), tagged("", whole)],
        ):
            assert parts["solution"] == parts["trace_strict"] == 0


def test_native_answers_are_completions(task, questions):
    form = task.codec.format
    completions = []
    for question in questions:
        trace, solution = parts_of(question)
        completions.append(f"{form.trace_open} {trace} {form.solution_open} {solution} {form.stop}")
    assert all(is_valid(task, parts) for parts in judged(questions, completions, native=True))
    assert not any(is_valid(task, parts) for parts in judged(questions, completions))


def test_a_prompt_says_what_there_is_to_know(task, questions):
    prompt, form = questions[0].prompt, task.codec.format
    assert prompt.startswith(TASKS[task.name])
    assert prompt.endswith(questions[0].problem)
    for template in [*form.prompt.values(), *form.trace.values(), *form.solution.values()]:
        assert f"\n  {' '.join(template.split())}\n" in prompt
    assert all(f"\n  {level}: " in prompt for level in task.levels)
    assert "<trace>\n" in prompt
    assert "\n</solution>" in prompt
    for knob, value in vars(task).items():
        if knob in type(task).__dataclass_fields__ and knob not in APART:
            assert f"{knob}={value}" in prompt
    other = questions[1]
    shown = prompt_of(task, questions[0].problem, (other.problem, other.answer))
    assert other.answer in shown.partition(questions[0].problem)[0]


# What each reason of a verdict on a trace is told by, in the rules of its grammar or, TASKS, of a task.
TOLD = {
    "maze": {
        "not_a_state": "never into a wall",
        "nothing_closed": "At first the start alone is open",
        "not_a_successor": "`create` names a successor of the state closed last",
        "already_closed": "one that was never created, or",
        "no_improvement": "one that is open and reached at less cost than before",
        "wrong_g": "with its true costs",
        "wrong_h": "h the Manhattan distance to the goal",
        "not_open": "`close` names an open state",
        "cost_mismatch": "with the costs of its latest creation",
        "not_best": "each closed state is one of the first in its order",
        "missing_successor": "all that can legally be created after a closing is created before the next",
        "after_goal": "no step follows it",
        "goal_not_closed": "a goal is closed last",
        "solution_differs": "the solution is the way that was found",
        "wrong_move": "or says how that state leads to it",
    },
    "sat": {
        "no_such_variable": "what is decided is open",
        "already_assigned": "what is propagated is open",
        "not_in_domain": "its value one that it may have",
        "does_not_follow": "and follows",
        "not_a_conflict": "a conflict is real",
        "no_conflict": "comes only after a conflict, of which there was none since",
        "no_decision": "the latest decision with a value left",
        "wrong_decision": "gives the latest decision with a value left",
        "value_tried": "one of the values left",
        "conflict_left": "`backtrack` follows a conflict at once",
        "conflict_missed": "nothing is decided while there is a conflict",
        "propagation_missed": "or something follows",
        "wrong_variable": "decisions are those of the setting `rule`",
        "after_end": "and not beyond",
        "unfinished": "the search ends where everything has its value without a conflict, or",
        "solution_differs": "The solution is what it ends in",
    },
    "deduction": {
        "not_given": "its statement is given",
        "wrong_rule": "with its own rule",
        "premise_missing": "its premises are given or derived before it",
        "wrong_premise": "as it names them",
        "wrong_conclusion": "its result is what the rule gives",
        "repeated": "nothing is derived twice",
        "not_needed": "nothing is done that the setting's solver has no need of",
        "after_answer": "none follows it",
        "unanswered": "the last step answers the question",
        "solution_differs": "the solution is what was derived",
        "other_search": "with solver=backward `try` opens a goal",
        "not_a_goal": "a premise of a rule for an open goal",
        "rule_left": "gives one up for which no rule is left",
    },
    "game": {
        "illegal_move": "moves are legal",
        "game_over": "none is entered where the game is over",
        "not_over": "`leaf` stands where it is over, and nowhere else",
        "moves_left": "is returned once every legal move was entered",
        "not_settled": "a cut comes where the best value so far is the highest there is, or no better",
        "wrong_value": "a value is that of the rules or the best of what came back",
        "repeated": "no move is entered twice in a position",
        "cut_missed": "alphabeta does where it may",
        "not_pruned": "minimax never cuts",
        "nothing_left": "and a legal move is left",
        "after_end": "no step follows the value of the first position",
        "unfinished": "the first position gets its value last",
        "solution_differs": "the solution is a move that was found to be best",
    },
}
OF_ANY_TRACE = {"ok", "syntax", "truncated", "empty"}
OF_SOLUTIONS = {
    "maze": {"wrong_start", "illegal_move", "goal_not_reached"},
    "sat": {"repeated", "incomplete", "violated", "satisfiable"},
    "deduction": {"wrong_answer", "too_much"},
    "game": {"too_much", "worse_move"},
}


@pytest.mark.parametrize("name", TOLD)
def test_every_reason_to_reject_a_trace_is_told(name):
    """A model that keeps to the prompt's rules is not rejected for one that it was not told."""
    task = task_named(name)
    prompt = drawn(task, 1, "train", seed=0)[0].prompt
    assert {*TOLD[name], *OF_ANY_TRACE, *OF_SOLUTIONS[name]} == set(task.reasons)
    assert [words for words in TOLD[name].values() if words not in prompt] == []


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("planning", planning.HEURISTICS),
        ("sokoban", sokoban.HEURISTICS),
        ("countdown", countdown.HEURISTICS[1:]),
    ],
)
def test_every_heuristic_is_told(name, choices):
    """h stands in the trace: who is not told what it is cannot write one."""
    assert [choice for choice in choices if f"heuristic={choice}" not in TASKS[name]] == []


@pytest.mark.parametrize("name", ["sat", "sudoku", "knights_knaves"])
def test_every_rule_of_decisions_is_told(name):
    assert RULES == ("first", "most_constrained", "any")
    assert all(words in TASKS[name] for words in ("(rule=first: ", "; most_constrained: "))


def test_every_task_is_said_in_english():
    assert set(TASKS) == set(names()) == set(task_names())


def test_the_first_bad_step_is_named():
    task = task_named("maze", size=5)
    (question,) = drawn(task, 1, "train", seed=1)
    trace, solution = parts_of(question)
    steps = trace.replace("create", "\ncreate").replace("close", "\nclose").split("\n")[1:]
    steps[2] = " ".join([*steps[2].split()[:-1], "c24"])
    (parts,) = judged([question], [tagged(" ".join(steps), solution)])
    assert parts["first_bad_step"] == 2
    assert judged([question], [tagged(" ".join(steps), solution)], level="parses")[0]["first_bad_step"] == -1
    with pytest.raises(ValueError, match="level='perfect'"):
        judged([question], [question.answer], level="perfect")


def test_several_tasks_at_once():
    mixed = [q for name in ("maze", "sat") for q in drawn(task_named(name), 2, "test", seed=3)]
    order = [mixed[i] for i in (2, 0, 3, 1)]
    answers = [q.answer if i != 1 else mixed[1].answer for i, q in enumerate(order)]
    assert [Weights().of(parts) for parts in judged(order, answers)] == [1, 0, 1, 1]


def test_a_split_may_be_a_test_set_out_of_distribution():
    """By its name, as models are tested on it; the task that is named beside a problem is that set's."""
    task = task_named("maze", size=5, ood=[{"generator": "dfs"}])
    ours, (other, examples) = drawn(task, 3, "dfs", seed=0), splits.test_sets(task, 0, 3)["dfs"]
    assert [q.problem for q in ours] == [task.codec.words_of(prompt) for prompt in task.prompts(examples)]
    assert all("generator=dfs" in question.prompt for question in ours)
    same, _ = read(ours[0].reference)
    assert (same.generator, same.codec.vocabulary) == ("dfs", other.codec.vocabulary)
    assert all(is_valid(task, parts) for parts in judged(ours, [question.answer for question in ours]))
    with pytest.raises(ValueError, match=r"split='ood' is unknown; .*by its name: dfs$"):
        drawn(task, 1, "ood", seed=0)


def test_a_problem_is_found_again(task, questions):
    same, problem = read(questions[0].reference)
    assert problem == questions[0].problem
    assert same is read(questions[1].reference)[0]
    assert written(same, problem) == questions[0].reference
    assert same.codec.vocabulary == task.codec.vocabulary


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({"task": "../maze", "knobs": {}}, "there is no task"),
        ({"task": "maze", "knobs": {"_target_": "os.mkdir"}}, "no knob '_target_'"),
        ({"task": "maze", "knobs": {"sise": 5}}, "no knob 'sise'"),
        ({"task": "maze", "knobs": {"size": [5, {}]}}, "size"),
        ({"task": "maze"}, "a problem is written as"),
        ([], "a problem is written as"),
        ({"task": "maze", "knobs": {}, "problem": "start 0,0"}, "cannot be judged"),
    ],
)
def test_what_is_no_problem_is_refused(told, reason):
    with pytest.raises(ValueError, match=reason):
        scores([json.dumps(told)], [""])


def test_answers_and_references_come_in_pairs(questions):
    references = [question.reference for question in questions]
    for answers in ([""], [""] * (len(references) + 1)):
        with pytest.raises(ValueError, match=f"^{len(answers)} answers to {len(references)} references"):
            scores(references, answers)


def test_a_strangers_text_makes_nothing_but_tasks(tmp_path):
    mark = tmp_path / "made"
    evil = {"_target_": "os.mkdir", "_args_": [str(mark)]}
    for knobs in ({"size": evil}, {"ood": [evil]}, {"reach": evil}, {"_target_": evil}):
        with pytest.raises((ValueError, TypeError)):
            scores([json.dumps({"task": "maze", "knobs": knobs, "problem": ""})], [""])
    assert not mark.exists()
