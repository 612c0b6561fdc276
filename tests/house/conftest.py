"""What several tests of pages read."""

import pytest

from tests.helpers.bench import script


@pytest.fixture
def page():
    """bench/findings.py."""
    with script("findings") as module:
        yield module
