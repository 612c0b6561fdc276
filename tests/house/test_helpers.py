"""The suite's own helpers: a test sees nothing that another left behind."""

import os

from tests.helpers import forked

SAY = "import os; print(os.environ.get('OMP_NUM_THREADS'), os.environ.get('TRACELAB_SAID'))"


def test_a_library_sets_the_number_of_threads():
    """As Lightning does in a process that trains on several."""
    os.environ["OMP_NUM_THREADS"] = "17"
    done = forked.run("-c", SAY, env={"TRACELAB_SAID": "yes"})
    assert done.stdout.split() == [str(forked.AT_IMPORT["OMP_NUM_THREADS"]), "yes"]


def test_and_it_is_gone_in_the_next():
    assert os.environ.get("OMP_NUM_THREADS") != "17"
