"""Make a run's folder of a Hugging Face folder, and judge it.

python -m tracelab.import_run from=maze-model to=runs/imported
"""

from __future__ import annotations

from typing import Any

from tracelab.runs.entry import entry, say


@entry("import_run", dict)
def main(config: dict[str, Any]) -> None:
    """Import, evaluate, print the table."""
    from pathlib import Path

    from tracelab.evaluation.judging import evaluate
    from tracelab.exchange.importing import import_folder
    from tracelab.runs.build import build_task
    from tracelab.runs.sets import test_sets
    from tracelab.runs.tables import print_results
    from tracelab.runs.test_sets import possible
    from tracelab.training import accelerate

    source, to, overridden = (config.pop(name) for name in ("from", "to", "overridden"))
    accelerate.start(config["threads"])
    if config.get("task"):
        config["task"] = possible(config["task"], say)
    run = import_folder(Path(source), Path(to), config, overridden)
    experiment = run.settings
    metrics = evaluate(run, experiment.eval, test_sets(experiment, build_task(experiment.task)), run.folder)
    run.write_json("run.json", {**run.read_json("run.json"), "status": "evaluated"})
    print_results(metrics, run.name, run.folder)


if __name__ == "__main__":
    main()
