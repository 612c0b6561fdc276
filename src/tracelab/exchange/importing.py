"""A Hugging Face folder as a run's folder, which can be evaluated, probed and post-trained.

python -m tracelab.import_run from=maze-model to=runs/imported
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from tracelab.core.files import read_json
from tracelab.core.types import Task
from tracelab.exchange import shapes, tensors, weights, words
from tracelab.exchange.exporting import ABOUT
from tracelab.models.gpt import GPT
from tracelab.runs.build import build_metrics, build_task
from tracelab.runs.checkpoints import NOTHING, save_weights
from tracelab.runs.folder import Config, Run, check_free
from tracelab.runs.machine import machine
from tracelab.runs.room import longest_completion
from tracelab.runs.sets import test_sets
from tracelab.runs.settings import Experiment, no_copies
from tracelab.runs.treatments import build_treatment
from tracelab.runs.trust import check_targets

WORD = ("from=", "to=")


def config_for(source: Path, composed: Config, overridden: list[str]) -> tuple[Config, dict[str, Any]]:
    """The run's config, and what the folder says of how it was made.

    With a task, the config is as it was composed; without, as the folder's tracelab.json says.
    overridden: words of the command line. ValueError if there is neither, or if words would go unheard.
    """
    if composed.get("task"):
        no_copies("eval.", composed["eval"]["samples"], composed["eval"]["temperature"])
        names = {**composed["names"], "model": read_json(source / "config.json")["model_type"]}
        return {**composed, "names": names}, {}
    said = read_json(source / ABOUT)
    if said is None:
        raise ValueError(f"from={source} has no {ABOUT} that says what it was trained on: add task=...")
    unheard = [word for word in overridden if not word.startswith(WORD)]
    if unheard:
        raise ValueError(
            f"{' '.join(unheard)}: the run is what {source / ABOUT} says; with task=... it is what you say"
        )
    check_targets(said["config"], str(source / ABOUT))
    places = {name: composed[name] for name in ("run_dir", "logger")}
    return {**composed, **said["config"], **places}, said


def import_folder(source: Path, to: Path, composed: Config, overridden: list[str]) -> Run:
    """Write the run's folder: config, record, vocabulary, a checkpoint, and a data card if there is one.

    composed: a training's config, task=null for what the folder says. ValueError if the model has another
    shape or other words.
    """
    read = {name: _needed(source, name) for name in ("config.json", "tokenizer.json")}
    part = shapes.part_of(read["config.json"])
    config, said = config_for(source, composed, overridden)
    config = {**config, "model": part}
    check_free(to, config, imported_from=str(source))
    run = Run(to, config)
    task = build_task(run.settings.task)
    check(run.settings, task)
    check_words(words.vocabulary_of(read["tokenizer.json"]), read["config.json"]["vocab_size"], task)
    model = build(source, part, len(task.codec.vocabulary))
    max_new = (read_json(source / "generation_config.json") or {}).get("max_new_tokens")
    record = {
        **machine(),
        "seed": run.settings.seed,
        "parameters": sum(p.numel() for p in model.parameters()),
        "max_new": run.settings.eval.max_new or max_new or reach(run, task),
        "progress": NOTHING,
        **said.get("record", {}),
        "context": model.context,
        "imported_from": str(source),
        "status": "trained",
    }
    run.write_text("config.yaml", OmegaConf.to_yaml(OmegaConf.create(config)))
    run.write_json("vocab.json", list(task.codec.vocabulary))
    if said.get("data_card"):
        run.write_json("data_card.json", said["data_card"])
    save_weights(run.checkpoint(), model.state_dict(), record)
    run.write_json("run.json", record)
    return run


def check(experiment: Experiment, task: Task) -> None:
    """ValueError if the run could not be evaluated: another library's model thinks in no latents, and metrics
    and treatment have to be for the task.
    """
    treatment = build_treatment(experiment.trace)
    if treatment.thinks is not None:
        raise ValueError(
            f"trace={experiment.names.trace} has latents, which no other library computes: name with trace= "
            "what the model was trained on"
        )
    treatment.check(task)
    build_metrics(experiment.metric, task)


def check_words(theirs: tuple[str, ...], vocab_size: int, task: Task) -> None:
    """ValueError if a folder's words are not the task's, in their order."""
    ours = task.codec.vocabulary
    if theirs != ours or vocab_size != len(ours):
        raise ValueError(
            f"the folder's vocabulary is another one (it has {len(theirs)} words and weights for "
            f"{vocab_size}, this task {len(ours)}): take the task and the task.format, task.size and "
            "task.reach that it was trained with"
        )


def build(source: Path, part: Mapping[str, Any], vocab_size: int) -> GPT:
    """The model with the folder's weights."""
    knobs = {name: value for name, value in part.items() if name not in ("_target_", "context")}
    files = sorted(source.glob("model*.safetensors"))
    if not files:
        raise ValueError(f"from={source} holds no model.safetensors: save the model in that format")
    found = {name: tensor for file in files for name, tensor in tensors.read(file).items()}
    model = GPT(vocab_size, part["context"], **knobs)
    model.load_state_dict(weights.to_ours(found, knobs))
    return model


def reach(run: Run, task: Task) -> int:
    """Tokens that a completion may have, as for a training: half as many again as the longest reference."""
    return longest_completion(test_sets(run.settings, task)) * 3 // 2


def _needed(source: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] | None = read_json(source / name)
    if content is None:
        raise ValueError(f"from={source} is no Hugging Face folder: it holds no {name}")
    return content
