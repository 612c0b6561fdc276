"""Every task against its oracle; `python -m tests.helpers.task_checks` is the same at full size."""

import pytest

from tests.helpers import task_checks


@pytest.mark.parametrize("name", task_checks.NAMES)
@pytest.mark.parametrize("check", task_checks.CHECKS)
def test_against_the_oracle(name, check):
    task_checks.CHECKS[check](name, 500)
