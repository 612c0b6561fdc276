"""Write a data set without training: Arrow, or the published JSONL of text, with its data card.

python -m tracelab.generate task=maze trace=swapped count=50000 output=mazes.arrow
"""

from __future__ import annotations

from omegaconf import DictConfig

from tracelab.runs.entry import entry, say


@entry("generate")
def main(config: DictConfig) -> None:
    """Generate, treat, certify, write."""
    import json
    from pathlib import Path

    from tracelab.core.types import SPLITS
    from tracelab.core.waiting import waiting
    from tracelab.data import card, frozen, jsonl, store
    from tracelab.data.compiling import compile_ahead
    from tracelab.data.workers import Workers
    from tracelab.runs.build import build_task, build_treatment

    output = Path(config.output)
    if output.suffix not in (".arrow", ".jsonl"):
        raise ValueError(f"output={output} must end in .arrow or .jsonl")
    if config.split not in SPLITS:
        raise ValueError(f"split={config.split!r} is unknown; choose one of {', '.join(SPLITS)}")
    task, treatment = build_task(config), build_treatment(config)
    compile_ahead(config)
    drawn = {"seed": config.seed, "split": config.split, "count": config.count}
    examples = frozen.problems(task, **drawn, workers=Workers.of(config))
    sequences, treated = frozen.arm(task, treatment, examples, config.seed, config.split)
    certified = card.data_card(task, treatment, {config.split: card.Arm(examples, sequences, treated)})
    output.parent.mkdir(parents=True, exist_ok=True)
    with waiting("Writing"):
        if output.suffix == ".jsonl":
            jsonl.write_jsonl(output, task, sequences)
        else:
            store.save(output, frozen.columns(examples, sequences, treated))
    beside = output.with_suffix(".card.json")
    beside.write_text(json.dumps({**certified, "words": task.codec.vocabulary}, indent=1) + "\n")
    say(card.text(certified))
    print(f"{output}\n{beside}")


if __name__ == "__main__":
    main()
