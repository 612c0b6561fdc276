"""Of more than a hundred rows all are looked at before a column's kind is settled."""

import json

import numpy as np
import polars as pl
import pytest

from tests.helpers.runs import KEPT
from tracelab import analysis

MANY = 101
NAMES = [f"{k:03}" for k in range(MANY)]


@pytest.mark.filterwarnings("ignore:.*an older spelling")
def test_a_hundred_runs_whose_record_lacks_something_and_one_that_has_it(tmp_path):
    config, record = (KEPT / "config.yaml").read_text(), json.loads((KEPT / "run.json").read_text())
    parameters = record.pop("parameters")
    for seed, name in enumerate(NAMES):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(config.replace("\nseed: 0\n", f"\nseed: {seed}\n"))
        more = {"parameters": parameters} if name == NAMES[-1] else {}
        (tmp_path / name / "run.json").write_text(json.dumps({**record, "id": name, **more}))
        (tmp_path / name / "outcomes.parquet").symlink_to(KEPT / "outcomes.parquet")
    found = analysis.runs(tmp_path)
    assert found["seed"].to_list() == list(range(MANY))
    assert found["parameters"].to_list() == [None] * (MANY - 1) + [parameters]


def test_a_hundred_arms_without_a_correlation_and_one_with():
    """Nor, of seeds that the base has not, a paired test."""
    problems = np.arange(8)
    parts = [
        pl.DataFrame(
            {
                "arm": name,
                "seed": [int(name != "base" and k < MANY - 1)] * 8,
                "run": name,
                "split": "near",
                "index": problems,
                "problem_key": problems,
                "solution_valid": problems % 2 == 0 if k == MANY - 1 else problems < 8,
                "trace_strict": problems % 4 < 2 if k == MANY - 1 else problems < 8,
            }
        )
        for k, name in enumerate([*NAMES, "base"])
    ]
    table = pl.concat(parts).lazy()
    phi = analysis.joint(table)["phi"].to_list()
    assert phi == [None] * (MANY - 1) + [0.0, None]
    tested = analysis.compare(table, "solution_valid", "near", base="base")["mcnemar_p"].to_list()
    assert tested == [None] * (MANY - 1) + [0.125]
