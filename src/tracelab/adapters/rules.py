"""What a prompt in English says of each task and of each grammar of traces, beside what the format shows."""

from __future__ import annotations

from tracelab.core.types import Task

TASKS = {
    "arithmetic": "Each definition gives a name its value; all values are whole numbers modulo the setting "
    "`modulus`, and `ask` names the value that is asked for. The solution is that value. A step evaluates "
    "one definition: `let` one that is a number, `add`, `sub` or `mul` one that computes, with the values "
    "of both operands and the result.",
    "countdown": "Combine the numbers by the setting's operations until the target is made. Each number is "
    "used at most once (exactly once with use_all=True), and every result is a whole number from 1 to the "
    "setting `limit`. The solution is the operations in their order. A state is the numbers at hand: a step "
    "`close` names them in ascending order, a step `create` names an operation, its result, then the other "
    "numbers in ascending order. g counts operations; h is the mean distance of the numbers to the target, "
    "rounded down (with heuristic=multiply the sum of their distances to the target's nearest factor).",
    "deduction": "Rules have a name, premises joined by `and` or `or`, and after `then` a conclusion; facts "
    "are given, and `prove` names what is asked. A literal with `not` is one like any other; x stands for "
    "anybody. The solution is a proof, a rule and its conclusion at a time, each after its premises and the "
    "asked one last, or `unknown` if there is none. A step `apply` derives a rule's conclusion; with "
    "solver=forward any step that derives something new is one of the search's; with solver=backward `try` "
    "opens a goal, a premise of a rule for an open goal, and `fail` gives one up for which no rule is left: "
    "the search serves the goal opened last, and tries no rule for it while another can be applied.",
    "game": "Two sides move in turn. In tictactoe and connect a side sets its mark, X or O, in an empty "
    "cell, and the setting `line` says how many of one side in a row, a column or a diagonal end the "
    "game; rows are written from the top, and `to` names who is to move. A cell is its column's letter "
    "and its row, counted from 1 at the top; in connect a move is a column, and the mark falls to its "
    "lowest empty cell. In nim a side takes one or more objects from one heap, and nothing left ends the "
    "game. Who makes the line or takes the last object wins, or loses with misere=True; a full board "
    "without a line is a draw. The solution is a move of the side to move that keeps the most that it can "
    "have: a win, else a draw. `enter` makes a move, `leaf` gives the value where the game is over, "
    "`return` that of a position whose moves have all been entered, `cut` that of one whose other moves "
    "cannot matter. Values are those of the side that was to move first.",
    "graph_path": "Find a way from the start to the goal (of two goals, the one that can be reached) along "
    "edges, each written as its two nodes and, where edges have costs, its cost. Edges lead both ways unless "
    "directed=True or, where the setting says None, the generator is star, dag or two_targets. `at` gives a "
    "node's place. The solution is the nodes of the way, both ends included; the best one costs least. g is "
    "the cost from the start; h, where it is written, the Manhattan distance to the goal.",
    "hops": "Each fact says what a relation (r1, r2, ...) gives of one entity, or a pairing (p1, p2, ...) of "
    "two in their order. The question is nested: what stands in parentheses is an entity, that which a fact "
    "gives. The solution is the entity that the outermost parentheses are. Parentheses are numbered in the "
    "order in which they close. A step `hop` or `join` answers one pair of them: its number, the relation or "
    "pairing, the one or two entities that it asks of, and the entity that the fact gives.",
    "knights_knaves": "What a knight says is true, what a knave says is false; everybody is one of them. A "
    "statement stands in prefix order, each connective before its one or two parts. The solution is the kind "
    "of everybody, in alphabetical order. `decide` supposes somebody's kind (rule=first: of the first whose "
    "kind is unknown; most_constrained: of one whom most undecided statements are by or about), `propagate` "
    "names a kind that follows from what the speaker at its end says, `conflict` a speaker who cannot have "
    "said so.",
    "maze": "Find a way from the start to the goal through a grid, one cell up, down, left or right at a "
    "time and never into a wall. A cell is its column and its row, counted from 0. The solution is the cells "
    "of the way, both ends included; the best one has the fewest moves. g is the number of moves from the "
    "start, h the Manhattan distance to the goal. With format=searchformer the first step creates the start.",
    "planning": "Find a plan that brings all things to where `goal` says; `init` says where they are. The "
    "hand holds one block: `pick-up` and `put-down` take it from and onto the table, `unstack` and `stack` "
    "from and onto the block named second; nothing may lie on a block that is taken or stacked on. "
    "`drive-truck` takes a truck to a location of its city, `fly-airplane` an airplane to another airport; "
    "`load-` and `unload-` take a package into the vehicle named second, and out of it, where that is. The "
    "solution is the actions in their order; the best one has the fewest. A step `close` names where each "
    "thing is, in their order, a step `create` the action (with format=states the state after it, too). g "
    "counts actions; h is 0 with heuristic=none, with heuristic=goals how many things are not where they are "
    "to be. With heuristic=misplaced, in blocksworld: a block that is held counts 1 if it has a goal; one "
    "that stands elsewhere than its goal says, or above such a block, counts 2 if it has a goal, else 1. In "
    "logistics: the loadings and unloadings that packages still need, and for trucks and airplanes the "
    "locations to which one has to come, of their own goals and of the packages' ways, where none of them is "
    "now.",
    "sat": "Give each variable a value so that every clause has a true literal: 3 says that variable 3 is "
    "true, -3 that it is false. `variables` names the last variable; then each clause has its name and its "
    "literals. The solution is a literal for each variable in their order, or `unsat` if there is none. "
    "`decide` supposes a literal (rule=first: of the first variable without a value; most_constrained: of "
    "one in most clauses without a true literal), `propagate` one that the clause at its end forces since "
    "all its others are false, `conflict` names a clause whose literals are all false.",
    "sliding_tiles": "Make the goal of the board by sliding tiles that lie beside the gap `_` into it. "
    "Boards are written row by row. The solution is the tiles in the order in which they slide; the best one "
    "has the fewest. A step `close` names a board, a step `create` the tile that slides and, with "
    "format=boards, the board after it. g counts moves; h is the heuristic of the setting: the Manhattan "
    "distances of all tiles, with or without linear conflicts, or 0.",
    "sokoban": "A worker moves one cell up, down, left or right at a time, not into walls; a box ahead of it "
    "is pushed if the cell behind is free (with deadlocks=True, not to where it could never reach a dock; "
    "with deadlocks=corners, only not into a corner of walls without a dock). All boxes must come to stand "
    "on docks. A cell is its column and its row, counted from 0; a wall surrounds the yard. The solution is "
    "the worker's cells, one a move, the start left out (with format=published it stands first). A step "
    "names the worker's cell and the boxes', with format=published without those on docks. Unless "
    "format=compact, the first step creates the start. With solver=astar a closed state that is reached at "
    "less cost is created again if the heuristic is open_docks, or worker with several boxes. g counts "
    "moves. h sums Manhattan distances: with heuristic=boxes of each box to its nearest dock; with "
    "heuristic=worker, unless that is 0, also of the worker to the nearest box that is not on a dock, less "
    "1; with heuristic=open_docks of each box that is on no dock to the nearest dock without a box.",
    "sudoku": "Fill the grid so that each row, column and box has every digit once; boxes are of 2x2 cells, "
    "of 2 rows and 3 columns, or of 3x3. r1c2 is row 1, column 2. The solution is all digits, row by row, "
    "the given ones too. `decide` supposes a digit (rule=first: in the first blank cell; most_constrained: "
    "in one with the fewest digits left), `propagate` writes one that follows, as the only digit that its "
    "cell has left (with hidden_singles=True also where a row, a column or a box has no other place for it), "
    "`conflict` names a cell with no digit left.",
}
PARSES = {"parses": "its words are steps, and it has at least one."}
BEST_FIRST = PARSES | {
    "local": "and each step is legal after those before. `create` names a successor of the state closed "
    "last, or says how that state leads to it, with its true costs: one that was never created, or with "
    "astar and dijkstra one that is open and reached at less cost than before. `close` names an open state "
    "with the costs of its latest creation. At first the start alone is open.",
    "strict": "and it is a search of the setting's solver: each closed state is one of the first in its "
    "order among the open ones (astar: least g + h, dijkstra: least g, greedy: least h, bfs: fewest steps "
    "from the start, dfs: created after the latest closing), all that can legally be created after a closing "
    "is created before the next, a goal is closed last, no step follows it, and the solution is the way that "
    "was found.",
    "paper": "apart from the levels before, more lenient rules, those of a published validator.",
}
BACKTRACKING = PARSES | {
    "local": "and each step is legal after those before: what is decided is open, and its value one that it "
    "may have, what is propagated is open and follows, a conflict is real, and `backtrack` comes only after "
    "a conflict, of which there was none since the last `backtrack`, and gives the latest decision with a "
    "value left one of the values left.",
    "strict": "and it is a search of the solver: `backtrack` follows a conflict at once, nothing is decided "
    "while there is a conflict or something follows, decisions are those of the setting `rule`, and the "
    "search ends where everything has its value without a conflict, or at a conflict where no decision has a "
    "value left, and not beyond. The solution is what it ends in.",
}
DERIVATION = PARSES | {
    "local": "and each step is legal after those before: its statement is given, with its own rule, its "
    "premises are given or derived before it, as it names them, and its result is what the rule gives.",
    "strict": "and nothing is derived twice, nothing is done that the setting's solver has no need of, "
    "the last step answers the question, none follows it, and the solution is what was derived.",
}
GAME_TREE = PARSES | {
    "local": "and each step is sound after those before: moves are legal, and none is entered where the game "
    "is over; `leaf` stands where it is over, and nowhere else; a value is that of the rules or the best of "
    "what came back for the side to move, and is returned once every legal move was entered; a cut comes "
    "where the best value so far is the highest there is, or no better for the other side than what it can "
    "have earlier on the line; no step follows the value of the first position.",
    "strict": "and it is a search of the setting's kind: no move is entered twice in a position, minimax "
    "never cuts, alphabeta does where it may and a legal move is left, the first position gets its value "
    "last, and the solution is a move that was found to be best (with alphabeta the first).",
}


def levels_of(task: Task) -> dict[str, str]:
    """What a trace must do at each of a task's levels, weak to strong, in English."""
    steps = task.codec.format.trace
    marks = {"close": BEST_FIRST, "backtrack": BACKTRACKING, "leaf": GAME_TREE}
    grammar = next((told for mark, told in marks.items() if mark in steps), DERIVATION)
    return {level: grammar[level] for level in task.levels}
