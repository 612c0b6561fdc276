"""Impose traces on a trained model: interventions.parquet in its folder, and what came of each.

python -m tracelab.intervene run=runs/...
"""

from __future__ import annotations

from omegaconf import DictConfig

from tracelab.runs.entry import entry


@entry("intervene")
def main(config: DictConfig) -> None:
    """Intervene on the in-distribution test set, or those that are named."""
    from tracelab.analysis.interventions import of_run as shares_of
    from tracelab.evaluation import outcomes
    from tracelab.probes.interventions import of_run
    from tracelab.runs.folder import Run
    from tracelab.runs.tables import print_interventions
    from tracelab.training import accelerate

    accelerate.start(config.threads)
    run = Run.open(config.run)
    doses = {"rates": tuple(config.rates), "prefixes": tuple(config.prefixes)}
    path = run.folder / "interventions.parquet"
    outcomes.write(of_run(run, config.splits, config.problems, **doses), path)
    print_interventions(shares_of(path), run.name, path)


if __name__ == "__main__":
    main()
