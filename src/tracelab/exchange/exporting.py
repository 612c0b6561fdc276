"""A run as a folder that transformers, TransformerLens and nnsight load, and that `import_run` takes back.

    config.json  model.safetensors  tokenizer.json  tokenizer_config.json  generation_config.json
    README.md  tracelab.json

python -m tracelab.export run=runs/... to=maze-model
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tracelab.core.codec import BOS, PAD, SPECIALS
from tracelab.core.files import whole_folder, write_json, write_text
from tracelab.core.types import Task
from tracelab.exchange import card, shapes, tensors, weights, words
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import load_progress, load_weights
from tracelab.runs.folder import Run
from tracelab.runs.sets import test_sets
from tracelab.runs.settings import Sampling
from tracelab.runs.treatments import build_treatment

ABOUT = "tracelab.json"  # what a run is, for `importing`
# what is of the place where a run was made, and of no use elsewhere
LEFT_OUT = ("run_dir", "logger", "ckpt_path", "init_from", "run")
RECORDED = ("seed", "parameters", "context", "max_new", "precision", "progress", "versions", "git")


def export(run: Run, to: Path, checkpoint: str = "last") -> Path:
    """Write a run's folder for others -> that folder. ValueError if no reference model has its shape.

    to: a new or empty folder, or an earlier export, which is replaced. checkpoint: last or best.
    """
    if build_treatment(run.settings.trace).thinks is not None:
        raise ValueError(
            f"trace={run.settings.names.trace} has latents, which no other library computes: export a run of "
            "another treatment"
        )
    knobs = shapes.knobs_of(run.settings.model)
    path = run.trained(checkpoint)
    if to.exists() and not (to / ABOUT).is_file() and (to.is_file() or any(to.iterdir())):
        raise ValueError(f"to={to} holds something that is no export: choose a new folder")
    task = build_task(run.settings.task)
    record = {**run.read_json("run.json"), "progress": load_progress(path)}
    codec, context = task.codec, record["context"]
    stop, kind = codec.stop, shapes.FAMILIES[shapes.family(knobs)]
    with whole_folder(to) as made:
        tensors.write(made / "model.safetensors", weights.to_theirs(load_weights(path), knobs))
        write_json(made / "config.json", shapes.config_of(knobs, len(codec.vocabulary), context, stop))
        write_json(made / "tokenizer.json", words.tokenizer_of(codec))
        write_json(made / "tokenizer_config.json", words.tokenizer_config_of(codec, context))
        write_json(made / "generation_config.json", generation(run.settings.eval, stop, record))
        shown = card.Shown(kind, to.resolve().name, _prompt(run, task), codec, checkpoint)
        write_text(made / "README.md", card.text(run, shown, record))
        write_json(made / ABOUT, about(run, record))
    return to


def generation(judged: Sampling, stop: int, record: Mapping[str, Any]) -> dict[str, Any]:
    """generation_config.json: completions as the run was judged on. record: what run.json says."""
    sampled = {"do_sample": True, "temperature": judged.temperature, "top_k": 0, "top_p": 1.0}
    return {
        **(sampled if judged.temperature else {"do_sample": False}),
        "max_new_tokens": judged.limit(record),
        "pad_token_id": SPECIALS.index(PAD),
        "bos_token_id": SPECIALS.index(BOS),
        "eos_token_id": stop,
    }


def about(run: Run, record: Mapping[str, Any]) -> dict[str, Any]:
    """What the run is, without its places. The folder has one checkpoint, whichever it was."""
    config = {name: value for name, value in run.config.items() if name not in LEFT_OUT}
    return {
        "config": {**config, "eval": {**config["eval"], "checkpoint": "last"}},
        "record": {name: record[name] for name in RECORDED if name in record},
        "data_card": run.read_json("data_card.json"),
    }


def _prompt(run: Run, task: Task) -> str:
    """The first test problem, as it is written for the model."""
    one = replace(run.settings, eval=replace(run.settings.eval, problems=1))
    task, examples = next(iter(test_sets(one, task).values()))
    return task.codec.words_of(task.prompts(examples)[0])
