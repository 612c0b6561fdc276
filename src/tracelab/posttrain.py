"""Post-train a trained run by reinforcement learning with verifiable rewards.

python -m tracelab.posttrain run=runs/... algorithm=grpo reward=solution
"""

from __future__ import annotations

from omegaconf import DictConfig

from tracelab.runs.entry import entry


@entry("posttrain")
def main(config: DictConfig) -> float:
    """Post-train, evaluate, print the table -> solution accuracy."""
    from tracelab.posttraining.experiment import posttrain
    from tracelab.runs.tables import print_trained

    return print_trained(posttrain(config))


if __name__ == "__main__":
    main()
