"""Impose traces on a trained model: interventions.parquet in its folder, and what came of each.

python -m tracelab.intervene run=runs/...
"""

from __future__ import annotations

from omegaconf import DictConfig

from tracelab.entry import entry


@entry("intervene")
def main(config: DictConfig) -> None:
    """Intervene on the in-distribution test set, or those that are named."""
    import pyarrow as pa

    from tracelab import accelerate, interventions, outcomes
    from tracelab.analysis.interventions import shares
    from tracelab.evaluation import labels, trained_model
    from tracelab.experiment import build_task, test_sets
    from tracelab.run import Run
    from tracelab.tables import print_interventions

    accelerate.start(config.threads)
    run = Run.open(config.run)
    record = run.read_json("run.json")
    if config.problems is not None:
        run.config.eval.problems = config.problems
    tests = test_sets(run.config, build_task(run.config))
    names = list(config.splits or list(tests)[:1])
    if unknown := set(names) - set(tests):
        raise ValueError(f"splits={names}: there is no test set {unknown}; choose from {', '.join(tests)}")
    doses = {"rates": tuple(config.rates), "prefixes": tuple(config.prefixes)}
    parts = []
    for name in names:
        task, examples = tests[name]
        model = trained_model(run, task, run.config.eval.checkpoint, record["context"])
        about = {**labels(run), "split": name}
        parts.append(
            interventions.table(model, task, examples, run.config.eval, record["max_new"], about, **doses)
        )
    path = run.folder / "interventions.parquet"
    outcomes.write(pa.concat_tables(parts), path)
    print_interventions(shares(path), run.name, path)


if __name__ == "__main__":
    main()
