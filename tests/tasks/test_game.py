"""Games: known counts, closed forms, textbook searches word for word, every reason; the game-tree grammar."""

from functools import reduce
from itertools import product
from operator import xor

import numpy as np
import pytest

from tests.oracles import game as oracle
from tests.tasks.test_task_contract import SMALL
from tracelab.core import rng
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import references
from tracelab.data.splits import test_sets as sets_of
from tracelab.search.game_tree.game import DRAW
from tracelab.search.game_tree.search import ENTER
from tracelab.tasks.game import Game

CLASSIC = {"board": [3, 3], "line": 3}


def drawn(n=40, **knobs):
    task = Game(**knobs)
    return task, task.generate(rng.keys(0, "train", 0, n, "problem"), "train")


def given(task, prompt):
    """The problem that a prompt's words write, with its search."""
    problem = task.parse(task.codec.tokens_of(prompt))
    return task.solved(Ragged.of([problem], np.int16))


def test_the_whole_of_tic_tac_toe():
    """255,168 games, 5,478 positions, and nobody wins."""
    _, examples = drawn(1, **CLASSIC, left=9, telling=False, longest=1_200_000)
    assert examples.complexity["leaves"].tolist() == [255_168]
    assert examples.trace[0][-1].tolist() == [2, -1, DRAW]
    marks, seen, line, mover = [0] * 9, {(0,) * 9}, [], int(examples.problem[0][2])
    for op, move, _ in examples.trace[0].tolist():
        if op == ENTER:
            marks[move] = mover if len(line) % 2 == 0 else 3 - mover
            line.append(move)
            seen.add(tuple(marks))
        elif line:
            marks[line.pop()] = 0
    assert len(seen) == 5_478
    _, others = drawn(1, **CLASSIC, left=9, telling=False, longest=1_200_000, search="alphabeta")
    assert others.trace[0][-1, 2] == DRAW
    assert others.complexity["leaves"][0] < 255_168 / 30


@pytest.mark.parametrize("misere", [False, True])
def test_nim_is_what_the_exclusive_or_says(misere):
    """Of every position of three heaps of up to three: the moves that leave a lost one, if there are any."""
    task = Game(game="nim", heaps=3, left=9, misere=misere, ood=(), search="alphabeta")

    def lost(sizes):
        small = misere and max(sizes) <= 1
        return sum(sizes) % 2 == 1 if small else reduce(xor, sizes) == 0

    for sizes in product(range(4), repeat=3):
        if not any(sizes):
            continue
        examples = given(
            task, " ".join(f"{name} {size}" for name, size in zip("ABC", sizes, strict=True) if size)
        )
        after = oracle.moves(("nim", 0, misere), sizes)
        rows = [task.codec.tokens_of(f"solution {move} end") for move in after]
        asked = examples.take(np.zeros(len(rows), int))
        valid = task.judge(asked, Ragged.of(rows)).solution_valid
        wins = [lost(position) for position in after.values()]
        assert valid.tolist() == (wins if any(wins) else [True] * len(wins))
        assert (examples.trace[0][-1, 2] == 2) == any(wins)


@pytest.mark.parametrize("search", ["minimax", "alphabeta"])
@pytest.mark.parametrize(
    "knobs", [CLASSIC, {"game": "connect"}, {"game": "nim"}, {**CLASSIC, "misere": True}]
)
def test_word_for_word_the_textbook(knobs, search):
    """A recursion writes the same; what it finds is the value, and the answer keeps it."""
    task, examples = drawn(25, **knobs, search=search)
    places = {task._written(move): move for move in range(task._moves)}
    for i, problem in enumerate(examples.problem):
        rules, position = oracle.position_of(task, problem)
        value, words = oracle.textbook(
            rules, position, search == "alphabeta", lambda options: sorted(options, key=places.get)
        )
        trace = task.codec.encode(task.codec.trace, examples.trace)[i]
        assert task.codec.words_of(trace).split() == words
        assert value == oracle.value(rules, position)
        assert task._written(int(examples.solution[i][0, 1])) in oracle.best(rules, position)


@pytest.mark.parametrize("knobs", SMALL["game"])
def test_positions_are_what_the_knobs_say(knobs):
    task, examples = drawn(**knobs)
    low, high = np.broadcast_to(task.left, 2)
    for i, problem in enumerate(examples.problem):
        rules, position = oracle.position_of(task, problem)
        if task.game == "nim":
            left = sum(position)
        else:
            rows, mover = position
            flat = [mark for row in rows for mark in row]
            left = flat.count(0)
            assert flat.count(3 - mover) - flat.count(mover) in (0, 1)
            assert [len(rows), len(rows[0])] == list(task.board)
        assert low <= left == examples.complexity["left"][i] <= high
        assert oracle.final(rules, position) is None
        moves, best = oracle.moves(rules, position), oracle.best(rules, position)
        assert not task.telling or len(best) < len(moves)
    assert examples.trace.lengths.max() <= task.longest
    assert (examples.trace.lengths == 2 * examples.complexity["nodes"] - 1).all()


def test_orders_differ_and_are_all_valid_and_alpha_beta_sees_less():
    first, examples = drawn(**CLASSIC)
    _, others = drawn(**CLASSIC, tie_break="random")
    assert np.array_equal(examples.problem.values, others.problem.values)
    assert not np.array_equal(examples.trace.values, others.trace.values)
    assert first.judge_traces(examples, others.trace).all()
    pruned, less = drawn(**CLASSIC, search="alphabeta")
    assert np.array_equal(examples.problem.values, less.problem.values)
    assert less.complexity["nodes"].mean() < examples.complexity["nodes"].mean()
    found = [part.trace.values[part.trace.offsets[1:] - 1, 2] for part in (examples, less)]
    assert np.array_equal(*found)
    crossed = first.judge(examples, references(pruned, less))
    assert crossed.trace_ok[:, 1].all()
    assert not crossed.trace_ok[less.complexity["cuts"] > 0, 2].any()


def test_identity_is_blind_to_symmetries_and_to_nothing_else():
    for knobs in (CLASSIC, {"game": "connect"}, {"board": [3, 4], "line": 3}):
        task, examples = drawn(20, **knobs)
        keys = rng.keys(0, "train", 0, 20, "perturbation")
        for kind in task.changes:
            changed = task.perturb(examples, kind, keys)
            assert len(changed) > 10
            assert (changed.identity == examples.identity[changed.index]).all()
    nim, examples = drawn(20, game="nim")
    moved = nim.perturb(examples, "permute_heaps", rng.keys(0, "train", 0, 20, "perturbation"))
    assert (moved.identity != examples.identity[moved.index]).all()


@pytest.mark.parametrize(
    ("heaps", "found"), [("A 2 B 2", set()), ("A 2 B 2 C 1", {(1, 2, 2), (2, 1, 2)}), ("A 2 B 1", {(1, 2)})]
)
def test_no_heap_grows_beyond_what_can_be_written(heaps, found):
    """An object is moved where there is room, if there is any."""
    task = Game(game="nim", heaps=len(heaps) // 4 + 1, left=2, longest=20_000, ood=())
    some = given(task, heaps).take(np.zeros(12, int))
    changed = task.perturb(some, "move_object", rng.keys(0, "train", 0, 12, "perturbation"))
    assert {tuple(problem[2:].tolist()) for problem in changed.problem} == found
    task.prompts(changed)


@pytest.mark.parametrize("telling", [True, False])
def test_changed_positions_are_as_telling_as_drawn_ones(telling):
    """An object that moves may leave a position in which every move loses."""
    task, examples = drawn(60, game="nim", telling=telling)
    changed = task.perturb(examples, "move_object", rng.keys(0, "train", 0, 60, "perturbation"))
    positions = (oracle.position_of(task, problem) for problem in changed.problem)
    found = [len(oracle.best(*at)) < len(oracle.moves(*at)) for at in positions]
    assert len(found) > 10
    assert all(found) == telling


CASE = "X O X / O O X / . . . to X"
A3 = "enter a3 enter b3 leaf loss enter c3 enter b3 leaf draw return draw return loss"
CUT = "enter a3 enter b3 leaf loss cut loss"  # the same by alpha-beta
B3 = "enter b3 enter a3 enter c3 leaf win return win enter c3 enter a3 leaf draw return draw return draw"
C3 = "enter c3 leaf win"


@pytest.mark.parametrize(
    ("search", "trace", "solution", "local", "strict", "solved"),
    [
        ("minimax", f"{A3} {B3} {C3} return win", "c3", "ok", "ok", "ok"),
        ("minimax", f"{C3} {B3} {A3} return win", "c3", "ok", "ok", "ok"),
        ("minimax", f"{A3} {B3} {C3} return win", "b3", "ok", "solution_differs", "worse_move"),
        ("minimax", f"{A3} {B3} {C3} return win", "c3 c3", "ok", "solution_differs", "too_much"),
        ("minimax", f"{A3} {B3} {C3} return win", "a1", "ok", "solution_differs", "illegal_move"),
        ("minimax", f"{A3} {B3} {C3} return win", "", "ok", "solution_differs", "empty"),
        ("minimax", f"{A3} {B3} {C3} return win", "win", "ok", "solution_differs", "syntax"),
        ("minimax", "enter a1", "c3", "illegal_move", "illegal_move", "ok"),
        ("minimax", "enter c3 enter a3", "c3", "game_over", "game_over", "ok"),
        ("minimax", "leaf win", "c3", "not_over", "not_over", "ok"),
        ("minimax", "enter c3 leaf draw", "c3", "wrong_value", "wrong_value", "ok"),
        ("minimax", f"{C3} return win", "c3", "moves_left", "moves_left", "ok"),
        ("minimax", f"{C3} cut win", "c3", "ok", "not_pruned", "ok"),
        ("minimax", f"{C3} cut draw", "c3", "wrong_value", "wrong_value", "ok"),
        ("minimax", f"{B3} cut draw", "c3", "not_settled", "not_settled", "ok"),
        ("minimax", f"{A3} {B3} {C3} return draw", "c3", "wrong_value", "wrong_value", "ok"),
        ("minimax", f"{C3} {C3} {A3} {B3} return win", "c3", "ok", "repeated", "ok"),
        ("minimax", f"{A3} {B3} {C3} return win leaf win", "c3", "after_end", "after_end", "ok"),
        ("minimax", f"{A3} {B3} {C3}", "c3", "ok", "unfinished", "ok"),
        ("minimax", "", "c3", "empty", "empty", "ok"),
        ("minimax", "enter win", "c3", "syntax", "syntax", "ok"),
        ("alphabeta", f"{CUT} {B3} {C3} return win", "c3", "ok", "ok", "ok"),
        ("alphabeta", f"{C3} cut win", "c3", "ok", "ok", "ok"),
        ("alphabeta", f"{A3} {B3} {C3} return win", "c3", "ok", "cut_missed", "ok"),
        ("alphabeta", f"{CUT} {B3} {C3} cut win", "c3", "ok", "nothing_left", "ok"),
        ("alphabeta", f"{C3} {CUT} cut win", "c3", "ok", "cut_missed", "ok"),
    ],
)
def test_every_reason(search, trace, solution, local, strict, solved):
    task = Game(**CLASSIC, search=search)
    one = given(task, CASE)
    words = " ".join(f"reasoning {trace} solution {solution} end".split())
    verdicts = task.judge(one, Ragged.of([task.codec.tokens_of(words)]))
    assert [task.reasons[r] for r in verdicts.trace_reason[0, 1:]] == [local, strict]
    assert task.reasons[verdicts.solution_reason[0]] == solved
    right, _, levels = oracle.judge(task, one.problem[0], words.split())
    assert right == (solved == "ok")
    assert levels == dict(zip(task.levels, verdicts.trace_ok[0].tolist(), strict=True))


def test_what_comes_back_from_later_moves_may_be_a_bound():
    """A draw is found first; another move comes back as one because the search was cut: it loses."""
    task, examples = drawn(200, **CLASSIC, left=4, search="alphabeta")
    traces, met = task.codec.encode(task.codec.trace, examples.trace), 0
    for i, problem in enumerate(examples.problem):
        rules, position = oracle.position_of(task, problem)
        worth = {
            move: 2 - oracle.value(rules, after) for move, after in oracle.moves(rules, position).items()
        }
        bounds = [move for move, value in came_back(task, examples.trace[i]).items() if value == DRAW]
        bounds = [move for move in bounds if worth[move] < DRAW == max(worth.values())]
        for move in bounds:
            words = f"reasoning {task.codec.words_of(traces[i])} solution {move} end"
            verdicts = task.judge(examples.take(np.array([i])), Ragged.of([task.codec.tokens_of(words)]))
            assert task.reasons[verdicts.solution_reason[0]] == "worse_move"
            assert task.reasons[verdicts.trace_reason[0, 2]] == "solution_differs"
            met += 1
    assert met > 0


def came_back(task, trace):
    """First move -> the value that came back from it."""
    came, line = {}, []
    for op, move, value in trace.tolist():
        if op == ENTER:
            line.append(move)
        elif line:
            first = line.pop()
            if not line:
                came[task._written(first)] = value
    return came


def proves(rules, position, below, value, at_least, asked):
    """Do the positions below one, move by move, prove that it is worth so much to the side that is asked?"""
    over = final(rules, position, asked)
    if over is not None:
        return not below and (over >= value if at_least else over <= value)
    options = oracle.moves(rules, position)
    enough = len(below) == 1 if asked == at_least else set(below) == set(options)
    each = (proves(rules, options[move], its, value, at_least, not asked) for move, its in below.items())
    return enough and all(each)


def final(rules, position, asked):
    over = oracle.final(rules, position)
    return over if over is None or asked else 2 - over


@pytest.mark.parametrize("search", ["minimax", "alphabeta"])
@pytest.mark.parametrize("game", [{**CLASSIC, "left": [3, 5]}, {"game": "nim", "heaps": 6, "left": 5}])
def test_what_is_needed_is_a_proof_and_no_more(game, search):
    """Of the move that is given: so much at least, and of the others no more, unless it wins."""
    task, examples = drawn(30, **game, search=search)
    flags, settled = task.needed(examples, examples.trace, examples.solution)
    for i, problem in enumerate(examples.problem):
        rules, position = oracle.position_of(task, problem)
        root, value = {}, oracle.value(rules, position)
        stack, mine = [root], task._written(int(examples.solution[i][0, 1]))
        for op, move, _ in examples.trace[i][flags[i]].tolist():
            if op == ENTER:
                stack.append(stack[-1].setdefault(task._written(move), {}))
            else:
                stack.pop()
        options = oracle.moves(rules, position)
        assert set(root) == (set(options) if value < 2 else {mine})
        for move, below in root.items():
            assert proves(rules, options[move], below, value, move == mine, False)
        assert value == 2 or settled[i] == len(examples.trace[i]) - 1
    assert flags.values.mean() < 1


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"game": "chess"}, r"task\.game='chess'"),
        ({"search": "mcts"}, r"task\.search='mcts'"),
        ({"tie_break": "last"}, r"task\.tie_break='last'"),
        ({"board": [3]}, r"task\.board=\[3\] must be"),
        ({"board": [3, 9]}, r"task\.board=\[3, 9\] must be"),
        ({"line": 5}, r"task\.line=5 must be from 2 to the board's 4"),
        ({"heaps": 0}, r"task\.heaps=0 must be"),
        ({"left": 17}, r"task\.left=17 must be from 1 to 16"),
        ({"game": "nim", "left": [5, 3]}, r"task\.left=\[5, 3\]"),
        ({"longest": 2}, r"task\.longest=2"),
        ({"reach": {"rows": 9}}, r"task\.reach: rows=9 is above 8"),
        ({"reach": {"heaps": 7}}, r"task\.reach: 'heaps' is unknown; choose from rows, columns"),
        ({"ood": [{"misere": True}]}, r"task\.ood: 'misere' is no knob that may differ"),
    ],
)
def test_bad_knobs(knobs, message):
    with pytest.raises(ValueError, match=message):
        Game(**knobs)


def test_too_small_a_space():
    task = Game(game="nim", heaps=1, left=2)
    with pytest.raises(ValueError, match=r"20,?000 draws gave no problem.*task\.left"):
        task.generate(rng.keys(0, "test", 0, 2, "problem"), "test")


@pytest.mark.parametrize(
    ("knobs", "count"),
    [({"ood": [{"left": 5}]}, 256), ({"left": [3, 5], "search": "alphabeta", "ood": [{"left": 6}]}, 512)],
)
def test_nim_has_enough_positions(knobs, count):
    """As it comes for test sets of the default size, with more objects for larger ones."""
    task = Game(game="nim", **knobs)
    for _, examples in sets_of(task, 0, count).values():
        assert len(np.unique(examples.identity)) == count
    examples = task.generate(rng.keys(0, "train", 0, 1000, "problem"), "train")
    assert len(np.unique(examples.identity)) > 600


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize(
    ("knobs", "advice"),
    [
        ({"game": "nim", "heaps": 6}, r"more task\.heaps, or more objects: task\.left"),
        ({**CLASSIC, "left": 2}, r"task\.board, or more task\.left"),
    ],
)
def test_too_few_positions_for_a_test_set(knobs, advice):
    with pytest.raises(ValueError, match=rf"too few problems for splits .*larger space \({advice}\)"):
        sets_of(Game(**knobs), 0, 512)


def test_positions_whose_search_is_too_long_are_refused_without_a_look_ahead_to_their_end():
    """To weigh the moves of an empty board of sixteen cells takes days."""
    task = Game(left=16, longest=3, ood=[])
    with pytest.raises(ValueError, match=r"lower task\.left or raise task\.longest"):
        task.generate(rng.keys(0, "train", 0, 1, "problem"), "train")


@pytest.mark.parametrize(
    ("game", "prompt", "message"),
    [
        ("tictactoe", "X O X O O X . . . to X", "rows of one length"),
        ("tictactoe", "X O X / O O X / . . . X", "at its end who is to move"),
        ("tictactoe", "X O X / O O X / X . . to X", "as many or one more"),
        ("tictactoe", "X X X / O O . / . . . to O", "the game is over"),
        ("connect", "X . . / . . . / O . . to X", "marks fall"),
        ("nim", "B 1 A 2", "in the order of their names"),
    ],
)
def test_what_no_game_comes_to_is_not_read(game, prompt, message):
    task = Game(game=game, **(CLASSIC if game != "nim" else {}))
    with pytest.raises(ValueError, match=message):
        task.parse(task.codec.tokens_of(prompt))
