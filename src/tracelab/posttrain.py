"""Post-train a trained run by reinforcement learning with verifiable rewards.

python -m tracelab.posttrain run=runs/... algorithm=grpo reward=solution
"""

from __future__ import annotations

from typing import Any

from tracelab.runs.entry import entry


@entry("posttrain", dict)
def main(config: dict[str, Any]) -> float:
    """Post-train, evaluate, print the table -> solution accuracy."""
    from tracelab.posttraining.experiment import posttrain
    from tracelab.posttraining.settings import inherited
    from tracelab.runs.tables import print_trained

    return print_trained(posttrain(inherited(config)))


if __name__ == "__main__":
    main()
