"""Train a small transformer from scratch on traces, then judge what it writes.

python -m tracelab.train task=maze trace=corrupted
python -m tracelab.train -m trace=correct,solution_only,swapped,corrupted seed=0,1
"""

from __future__ import annotations

from tracelab.runs.entry import entry
from tracelab.training.settings import Training


@entry("train", Training)
def main(experiment: Training) -> float:
    """Train, evaluate, print the table -> solution accuracy, for sweepers that optimise it."""
    from tracelab.runs.tables import print_trained
    from tracelab.training.experiment import train

    return print_trained(train(experiment))


if __name__ == "__main__":
    main()
