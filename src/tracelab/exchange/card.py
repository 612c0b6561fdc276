"""The model card of an exported run: README.md with the metadata that the Hugging Face hub reads."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tracelab.core.codec import Codec
from tracelab.core.files import read_text
from tracelab.runs.folder import Run
from tracelab.runs.knobs import options
from tracelab.runs.tables import cell, headings
from tracelab.runs.trained import stamp_of

PAGE = Path(__file__).with_name("card.md")


@dataclass(frozen=True)
class Shown:
    """What a card is of. family: the reference model of its shape; prompt: of a test problem."""

    family: str
    folder: str
    prompt: str
    codec: Codec
    checkpoint: str


def text(run: Run, shown: Shown, record: Mapping[str, Any]) -> str:
    """The card. record: what run.json says, with the progress of the checkpoint that is exported."""
    metrics = judged(run, shown.checkpoint)
    title, folder, codec = _title(run), shown.folder, shown.codec
    return read_text(PAGE).format(
        metadata=yaml.safe_dump(_metadata(run, title, metrics), sort_keys=False, allow_unicode=True),
        title=title,
        family=shown.family,
        parameters=record["parameters"],
        version=record["versions"]["tracelab"],
        facts="\n".join(f"| {name} | {value} |" for name, value in _facts(run, record).items()),
        figures=_figures(metrics),
        decoding=_decoding(run.settings.eval.temperature, bool(metrics)),
        words=len(codec.vocabulary),
        quoted={"folder": json.dumps(folder), "prompt": json.dumps(shown.prompt)},
        source=shlex.quote(f"from={folder}"),
        stop=codec.format.stop,
    )


def judged(run: Run, checkpoint: str) -> dict[str, Any]:
    """Figures by test set, if they are of this checkpoint as it is now; none, else."""
    found = run.read_json("metrics.json") or {}
    stamp = found.get("judged", stamp_of(run))  # versions that did not note it
    figures: dict[str, Any] = found.get("test sets", {})
    return figures if stamp == stamp_of(run, checkpoint) else {}


def _decoding(temperature: float, known: bool) -> str:
    """How the example decodes, as the folder's generation_config.json says. known: are there figures?"""
    how = f"Sampled at temperature {temperature:g}" if temperature else "Greedy"
    return f"{how}, as it was judged" if known else how


def _title(run: Run) -> str:
    names = run.settings.names
    parts = (names.task, names.source, names.trace, names.algorithm, f"seed {run.settings.seed}")
    return ", ".join(part for part in parts if part)


def _facts(run: Run, record: Mapping[str, Any]) -> dict[str, str]:
    """What it was made of."""
    settings, names, progress = run.settings, run.settings.names, record.get("progress", {})
    facts = {
        "task": f"{names.task} ({_knobs(settings.task)})",
        "treatment of the traces": f"{names.trace} ({_knobs(settings.trace)})",
        "began with the weights of": names.source,
        "post-trained by": names.algorithm and f"{names.algorithm}, reward {names.reward}",
        "seed": str(settings.seed),
        "steps": f"{progress.get('steps', 0):,}",
        "tokens": f"{progress.get('tokens', 0):,}",
        "longest sequence": f"{record['context']:,} tokens",
        "precision": record.get("precision", {}).get("name"),
    }
    return {name: value.replace(" ()", "") for name, value in facts.items() if value}


def _knobs(part: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options(dict(part)).items() if value is not None)


def _figures(metrics: Mapping[str, Any]) -> str:
    """A row per test set, with intervals; in words where there are none."""
    if not any(metrics.values()):
        return "It has been judged by no metric." if metrics else "It has not been judged yet."
    shown = headings(dict(metrics))
    titles = [heading.replace("|", "\\|") for heading in shown.values()]
    lines = [f"| test set | n | {' | '.join(titles)} |", "|---" * (2 + len(shown)) + "|"]
    for split, estimates in metrics.items():
        n = max((estimate["n"] for estimate in estimates.values()), default=0)
        cells = [cell(name, estimates[name]) if name in estimates else "–" for name in shown]
        lines.append(f"| {split} | {n} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", "Shares in per cent, with 95 % intervals."])


def _metadata(run: Run, title: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """What the hub reads; results are solution accuracy and strict trace validity, from 0 to 1."""
    names = run.settings.names
    results = [
        {
            "task": {"type": "text-generation"},
            "dataset": {"type": f"tracelab-{names.task}", "name": f"{names.task}, test set {split}"},
            "metrics": [
                {"type": name, "value": estimates[name]["value"]}
                for name in ("solution_valid", "trace_strict")
                if estimates.get(name, {}).get("value") is not None
            ],
        }
        for split, estimates in metrics.items()
        if estimates
    ]
    about: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": "text-generation"}
    about["tags"] = ["tracelab", *(word for word in (names.task, names.trace, names.algorithm) if word)]
    return about | ({"model-index": [{"name": title, "results": results}]} if results else {})
