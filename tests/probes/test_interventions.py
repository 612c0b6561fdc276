"""Who answers by the trace that stands before it, and who does not: found where it is known."""

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn.functional import one_hot

from tracelab.analysis.interventions import of_run
from tracelab.core.ragged import Ragged
from tracelab.data.frozen import drawn
from tracelab.evaluation.outcomes import write
from tracelab.models.base import Model, Words
from tracelab.models.past import Past
from tracelab.probes import interventions
from tracelab.probes.imposing import Imposed, opening, solutions, trace_and_solution
from tracelab.probes.interventions import _follows, table
from tracelab.runs.settings import Sampling
from tracelab.runs.tables import print_interventions
from tracelab.tasks.arithmetic import Arithmetic
from tracelab.tasks.maze import Maze
from tracelab.traces.base import reference

TASK = Maze(size=5, format="compact", ood=[])
EXAMPLES = drawn(TASK, 0, "test", "problem", 0, 12)
OPENS = TASK.codec.token[TASK.codec.format.solution_open]
RIGHT = {
    tuple(prompt.tolist()): (trace.tolist(), solution.tolist())
    for prompt, trace, solution in zip(
        TASK.prompts(EXAMPLES),
        opening(TASK, reference(TASK, EXAMPLES)),
        solutions(TASK, EXAMPLES),
        strict=True,
    )
}
LED_TO = {tuple(trace): solution for trace, solution in RIGHT.values()}  # trace -> where it leads


def by_problem(prompt, trace):
    """The solution, whatever the trace says."""
    return RIGHT[prompt][1]


def by_trace(prompt, trace):
    """The solution that the trace leads to, whatever the problem; none, if it is no whole one."""
    return LED_TO.get(trace, [TASK.codec.stop])


class Read(Past):
    """The tokens that were read."""

    def __init__(self, start):
        self.start, self.tokens = start, torch.empty((len(start), 0), dtype=torch.long)

    def keep(self, rows):
        self.start, self.tokens = self.start[rows], self.tokens[rows]

    branch = keep


class Scripted(Model):
    """Writes the reference trace of each prompt, and then what a rule says."""

    context = 400

    def __init__(self, rule):
        super().__init__()
        self.vocab_size, self.rule = len(TASK.codec.vocabulary), rule
        self.embed = Words(self.vocab_size, 1)

    def reading(self, start):
        return Read(start)

    def hidden(self, tokens, past=None, documents=None):
        past = past or Read(torch.zeros(len(tokens), dtype=torch.long))
        past.tokens = torch.cat([past.tokens, tokens], 1)
        new = range(past.tokens.shape[1] - tokens.shape[1] + 1, past.tokens.shape[1] + 1)
        rows = [
            [self.next(row[begin:end]) for end in new]
            for row, begin in zip(past.tokens.tolist(), past.start.tolist(), strict=True)
        ]
        return one_hot(torch.tensor(rows), self.vocab_size).float()

    def next(self, read):
        """The token behind what was read; within a prompt any."""
        prompt = next((p for k in range(len(read)) if (p := tuple(read[: k + 1])) in RIGHT), None)
        if prompt is None:
            return 0
        behind = read[len(prompt) :]
        if OPENS not in behind:
            return RIGHT[prompt][0][min(len(behind), len(RIGHT[prompt][0]) - 1)]
        cut = behind.index(OPENS) + 1
        answer = self.rule(prompt, tuple(behind[:cut]))
        return answer[min(len(behind) - cut, len(answer) - 1)]

    def logits(self, hidden):
        return 100 * hidden


def imposed_on(rule):
    """What each intervention comes to, the means over all problems."""
    doses = {"rates": (1.0,), "prefixes": (0, 1)}
    rows = pl.from_arrow(table(Scripted(rule), TASK, EXAMPLES, Sampling(problems=12), 200, {}, **doses))
    figures = pl.col("valid", "changed", "follows", "reference_logprob").mean()
    every = rows.group_by("intervention", "dose").agg(pl.len(), figures)
    assert set(every["len"]) == {len(EXAMPLES)}
    return {(row["intervention"], row["dose"]): row for row in every.iter_rows(named=True)}


def test_who_knows_the_answer_gives_it_behind_any_trace():
    found = imposed_on(by_problem)
    for row in found.values():
        assert (row["valid"], row["changed"]) == (1, 0)
        assert row["reference_logprob"] == pytest.approx(0, abs=1e-6)
    assert found["swapped", None]["follows"] == found["matched", None]["follows"] == 0


def test_who_reads_it_off_the_trace_goes_where_that_leads():
    found = imposed_on(by_trace)
    for its in (("own", None), ("prefix", 1.0), ("correct", None)):
        assert (found[its]["valid"], found[its]["changed"]) == (1, 0)
        assert found[its]["reference_logprob"] == pytest.approx(0, abs=1e-6)
    for its in (("swapped", None), ("matched", None)):
        assert (found[its]["valid"], found[its]["changed"], found[its]["follows"]) == (0, 1, 1)
        assert found[its]["reference_logprob"] < -100
    for its in (("none", None), ("prefix", 0.0), ("corrupted", 1.0), ("filler", None)):
        assert (found[its]["valid"], found[its]["changed"], found[its]["follows"]) == (0, 1, None)


def test_who_is_right_for_both_problems_follows_no_trace():
    """Modulo 4 some donors' answers are right here as well, and say nothing of the trace."""
    task = Arithmetic(modulus=4, operations=[2, 4], distractors=0, ood=[])
    examples = drawn(task, 0, "test", "problem", 0, 40)
    donors = examples.take(np.roll(np.arange(40), 1))
    theirs, own = solutions(task, donors), solutions(task, examples)
    same = [np.array_equal(a, b) for a, b in zip(theirs, own, strict=True)]
    assert 0 < sum(same) < 40
    imposed = Imposed("swapped", None, opening(task, reference(task, donors)), theirs)
    rows = np.arange(40)
    for answers, follows in ((theirs, True), (own, False)):
        found = _follows(task, examples, answers, imposed, rows).to_pylist()
        assert found == [None if alike else follows for alike in same]


def test_a_completion_without_solution_ends_before_its_stop_word():
    """The stop word is no part of its trace: imposed, it would end the answer before it begins."""
    codec = TASK.codec
    trace, solution = next(iter(RIGHT.values()))
    steps = trace[1:-1]
    completions = [[*trace, *solution], [trace[0], *steps, codec.stop], [trace[0], *steps], [codec.stop]]
    traces, answers = trace_and_solution(TASK, Ragged.of(completions))
    assert [row.tolist() for row in traces] == [steps, steps, steps, []]
    assert [row.tolist() for row in answers] == [solution, [], [], []]


def test_the_table_says_of_how_many_problems_a_figure_is(tmp_path, capsys):
    """Problems whose prompt does not fit into the context with the trace are left out."""
    model = Scripted(by_problem)
    trace = TASK.prompts(EXAMPLES).lengths + opening(TASK, reference(TASK, EXAMPLES)).lengths
    model.context = int(np.median(trace)) + int(solutions(TASK, EXAMPLES).lengths.max())
    doses = {"rates": (1.0,), "prefixes": (0,)}
    found = table(model, TASK, EXAMPLES, Sampling(problems=12), 200, {"split": "test"}, **doses)
    write(found, tmp_path / "interventions.parquet")
    frame = of_run(tmp_path / "interventions.parquet")
    counts = {row["intervention"]: row["n"] for row in frame.iter_rows(named=True)}
    assert 0 < counts["correct"] < counts["none"] == len(EXAMPLES)
    print_interventions(frame, "a", tmp_path)
    lines = [line.replace("┃", "│").split("│") for line in capsys.readouterr().out.splitlines()]
    head, *rows = ([cell.strip() for cell in cells[1:-1]] for cells in lines if len(cells) > 3)
    place, name = head.index("n"), head.index("imposed trace")
    shown = {row[name]: int(row[place]) for row in rows if row[place]}
    assert shown["correct"] == counts["correct"]
    assert shown["none"] == counts["none"]


def test_a_format_without_opening_words_is_refused_before_the_model_writes(monkeypatch):
    monkeypatch.setattr(interventions, "generate", lambda *_, **__: pytest.fail("a model writes already"))
    task = Maze(size=5, format="searchformer", ood=[])
    with pytest.raises(ValueError, match="this format has no word that opens a solution"):
        table(Scripted(by_problem), task, EXAMPLES, Sampling(problems=12), 200, {})
