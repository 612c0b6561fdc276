"""Tables of what the study's models do behind other traces, on answers that are known."""

import polars as pl
import pytest

from tests.helpers.bench import script
from tracelab.data.frozen import drawn
from tracelab.probes.imposing import opening
from tracelab.tasks.arithmetic import Arithmetic
from tracelab.traces.base import reference


@pytest.fixture
def asked():
    """bench/asked.py."""
    with script("asked") as module:
        yield module


def answers(right, problems=4, seeds=2, **more):
    """Rows of an arm: right(seed, problem) -> is the answer right?"""
    rows = [
        {"arm": "correct", "seed": s, "index": i, "problem_key": 100 + i, "valid": right(s, i), **more}
        for s in range(seeds)
        for i in range(problems)
    ]
    return pl.DataFrame(rows)


def test_a_share_is_the_mean_of_seeds_on_the_problems_that_all_have(asked):
    table = answers(lambda s, i: i < 2)
    assert asked.mean_of(table.lazy(), pl.col("valid")).startswith("50.0 [")
    without = table.filter(
        ~((pl.col("seed") == 1) & (pl.col("index") == 0))
    )  # which no longer counts for seed 0
    assert asked.mean_of(without.lazy(), pl.col("valid")).startswith("33.3 [")
    assert asked.mean_of(table.filter(index=0).lazy(), pl.col("valid")) == "–"
    assert asked.mean_of(table.clear().lazy(), pl.col("valid")) == "–"


def test_what_was_never_seen_has_an_interval_by_problems_alone(asked):
    """Of 2,000 problems as of 2,000, however many seeds there are."""
    few, many = (answers(lambda s, i: False, 2000, seeds).lazy() for seeds in (2, 5))
    assert asked.mean_of(few, pl.col("valid")) == asked.mean_of(many, pl.col("valid")) == "0.0 [0.0, 0.1]"


def test_a_column_counts_its_rows_alone(asked):
    table = pl.concat([answers(lambda s, i: True, behind="own"), answers(lambda s, i: False, behind="none")])
    columns = {
        name: asked.share(pl.col("behind") == name, pl.col("valid")) for name in ("own", "none", "other")
    }
    head, _, row, _ = asked.by_arm(table.lazy(), columns)
    assert head == "| arm | seeds | problems | own | none | other |"
    cells = row.split(" | ")
    assert cells[0].removeprefix("| ") == "correct"
    assert [cell.split(" [")[0].removesuffix(" |") for cell in cells[1:]] == ["2", "4", "100.0", "0.0", "–"]


def test_a_gap_is_of_the_same_problems(asked):
    """Two problems of four gain, one loses; a problem that was not asked behind both counts for neither."""
    own = answers(lambda s, i: i == 3, intervention="own")
    other = answers(lambda s, i: i < 2, intervention="correct")
    table = pl.concat([own, other])
    assert asked.gap(table.lazy(), "correct").startswith("25.0 [")
    fewer = pl.concat([own, other.filter(pl.col("index") > 0)])
    assert asked.gap(fewer.lazy(), "correct").startswith("0.0 [-")
    losing = pl.concat([answers(lambda s, i: True, intervention="own"), other])
    assert asked.gap(losing.lazy(), "correct").startswith("-50.0 [-")


def test_damage_is_told_with_the_columns_that_it_changes(asked):
    assert asked.damaged(Arithmetic(), "cost") == "cost: left, right, value"
    assert asked.damaged(Arithmetic(), "state") == "state: name"
    assert [asked.damaged(Arithmetic(), kind) for kind in ("op", "drop")] == ["op", "drop"]


def test_the_words_of_a_step_stand_where_they_are_written():
    """What a place is called is what stands there, in the traces of drawn problems."""
    task = Arithmetic(operations=(2, 4))
    examples = drawn(task, 0, "test", "problem", 0, 16)
    vocabulary = task.codec.vocabulary
    with script("words") as words:
        for steps, text in zip(examples.trace, opening(task, reference(task, examples)), strict=True):
            names = words.layout(steps[:, 0].tolist())
            assert len(names) == len(text)
            said = [
                [vocabulary[token] for name, token in zip(names, text, strict=True) if name == word]
                for word in words.WORDS
            ]
            of = dict(zip(words.WORDS, said, strict=True))
            lets, sums = steps[steps[:, 0] == 0], steps[steps[:, 0] != 0]
            numbers = {"given": lets[:, 4], "left": sums[:, 2], "right": sums[:, 3], "result": sums[:, 4]}
            for word, column in numbers.items():
                assert of[word] == [str(number) for number in column]
            assert len(of["name"]) == len(of["operation"]) == len(steps)
            assert not any(word.isdigit() for word in [*of["name"], *of["operation"]])
