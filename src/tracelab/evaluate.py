"""Judge a trained model on its test sets.

python -m tracelab.evaluate run=runs/... eval.problems=1000
"""

from __future__ import annotations

from omegaconf import DictConfig

from tracelab.runs.entry import entry, run_name


@entry("evaluate")
def main(config: DictConfig) -> None:
    """Evaluate; what is overridden goes into a folder of its own below the run's."""
    from omegaconf import OmegaConf

    from tracelab.evaluation.judging import evaluate
    from tracelab.runs.build import build_task
    from tracelab.runs.folder import Run
    from tracelab.runs.sets import test_sets
    from tracelab.runs.tables import print_results
    from tracelab.training import accelerate

    accelerate.start(config.threads)
    run = Run.open(config.run)
    changes = {k: v for k, v in config.eval.items() if v is not None and v != run.config.eval[k]}
    run.config.eval = OmegaConf.merge(run.config.eval, changes)
    folder = run.folder
    if changes:
        folder = folder / "evaluations" / run_name(",".join(f"{k}={v}" for k, v in changes.items()))
    tests = test_sets(run.config, build_task(run.config))
    metrics = evaluate(run, run.config.eval, tests, folder)
    print_results(metrics, run.name, folder)


if __name__ == "__main__":
    main()
