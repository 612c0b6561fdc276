"""How validity of traces and of solutions go together."""

import numpy as np
import polars as pl
import pytest

from tracelab import analysis


@pytest.mark.parametrize(("valid", "known"), [(1, False), (3, False), (5, True), (40, True)])
def test_phi_that_hangs_on_few_problems_has_no_interval(valid, known):
    """Of 200 problems; resampling leaves out those few in e^-valid of all cases, and then there is no phi."""
    place = np.arange(200)
    columns = {"solution_valid": place < 100, "trace_strict": place < valid, "problem_key": place}
    table = pl.DataFrame(columns).with_columns(arm=pl.lit("correct"), split=pl.lit("wilson"))
    (row,) = analysis.joint(table.lazy()).iter_rows(named=True)
    assert row["phi"] > 0
    assert (row["phi_low"] is not None) == known == (row["phi_high"] is not None)
