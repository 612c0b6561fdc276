"""Train a small transformer from scratch on traces, then judge what it writes.

python -m tracelab.train task=maze trace=corrupted
python -m tracelab.train -m trace=correct,solution_only,swapped,corrupted seed=0,1
"""

from __future__ import annotations

from omegaconf import DictConfig

from tracelab.runs.entry import entry


@entry("train")
def main(config: DictConfig) -> float:
    """Train, evaluate, print the table -> solution accuracy, for sweepers that optimise it."""
    from tracelab.runs.tables import print_trained
    from tracelab.training.experiment import train

    return print_trained(train(config))


if __name__ == "__main__":
    main()
