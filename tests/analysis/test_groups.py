"""A group whose key is null, as the algorithm of runs that were not post-trained, is one like others."""

import polars as pl
import pytest

from tracelab.analysis import assessment, diff, latents, memorisation, minimality, reasking, states, trees
from tracelab.analysis.estimates import rates

N = 12
HALF = [k % 2 == 0 for k in range(N)]
BASE = {
    "run": "run",
    "seed": 0,
    "split": "near",
    "index": range(N),
    "sample": 0,
    "problem_key": range(N),
    "solution_valid": HALF,
    "trace_strict": HALF,
}
SETS = {"parent_solves": False, "recites": HALF, "times_trained": 1.0, "impossible": 0, "known": 0}
PAIRS = ("valid_logprob", "twin_logprob", "valid_first", "twin_first", "valid_tokens", "twin_tokens")
PROBED = {"trace": "correct", "search": "astar", "quantity": "g", "number": True, "at": "begin"}
LATENTS = {"question": "read", "counted": "latents", "right": HALF, "true": 1, "of": 2}


def each(name, *values, **columns):
    """A frame for each value of a column, one after the other."""
    frames = [pl.DataFrame({**BASE, **columns, name: value}) for value in values]
    return pl.concat(frames, how="vertical_relaxed")


@pytest.mark.parametrize(
    ("of", "table"),
    [
        (lambda t, by: rates(t.lazy(), "solution_valid", by), each("split", "near")),
        (minimality.minimal, each("after", 0, 1, needed=2, steps=3)),
        (trees.sound, each("wrong", 0, 1, nodes=3, sound=2, **dict.fromkeys(trees.PLACES, HALF))),
        (lambda t, by: memorisation.by_set(t.lazy(), by=by), each("split", "train", "turned", **SETS)),
        (
            lambda t, by: assessment.by_damage(t.lazy(), by),
            each("rate", None, 0.5, kind="drop", left_out=0, first_wrong=HALF, **dict.fromkeys(PAIRS, -1.0)),
        ),
        (
            lambda t, by: reasking.by_trace(t.lazy(), by),
            each("behind", "own", "none", second=HALF, first=False, held=HALF, left_out=0),
        ),
        (
            lambda t, by: diff.gains(t.lazy(), by),
            each("variant", *diff.VARIANTS, removed=0, trace_strict_reason="ok"),
        ),
        (states.best, each("place", "clock", "embed", "layer_0", score=0.5, **PROBED)),
        (lambda t, by: latents.shares(t.lazy(), by), each("what", "value", latents.CONTROL, **LATENTS)),
    ],
    ids=["rates", "minimal", "sound", "by_set", "by_damage", "by_trace", "gains", "best", "latents"],
)
def test_a_group_without_a_name_is_counted_as_others_are(of, table):
    names = pl.DataFrame({"group": ["a", None]})
    known = of(names.join(table, how="cross"), ["group"])
    named, unnamed = (known.filter(pl.col("group").eq_missing(name)).drop("group") for name in ("a", None))
    assert len(named) > 0
    assert named.equals(unnamed)
