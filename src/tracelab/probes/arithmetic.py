"""A run made of others by task arithmetic: base + lambda * (weighted sum of their differences from it).

    run = merge(Merge(base=sft, models=((grpo, 1.0), (sft, -1.0))), Path("runs/merged"))

Its folder has a checkpoint, so that it can be evaluated, probed and post-trained, and two tables about the
vectors. theta_GRPO - theta_SFT is the reasoning vector of Zbeeb et al. 2025 (arXiv 2509.01363).
"""

from __future__ import annotations

import json
import secrets
import zlib
from dataclasses import dataclass, fields
from functools import reduce
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from omegaconf import OmegaConf

from tracelab.evaluation.judging import trained_model
from tracelab.evaluation.outcomes import write
from tracelab.models.base import Model
from tracelab.probes import task_vectors
from tracelab.probes.finding import check_latents
from tracelab.probes.task_vectors import Stacks, Weights, cosine, effective_rank, matrices
from tracelab.runs.arms import begun_with
from tracelab.runs.build import build_task
from tracelab.runs.checkpoints import NOTHING, load_weights, save_weights
from tracelab.runs.folder import Config, Run, check_free
from tracelab.runs.identity import arm_of, lineage, went_on
from tracelab.runs.knobs import options
from tracelab.runs.machine import machine
from tracelab.runs.settings import Experiment
from tracelab.runs.trained import check_as_begun, stamp_of, unmoved

VECTORS, COSINES = "task_vectors.parquet", "task_cosines.parquet"
SUM, CONTROL = "sum", "control"  # of the vectors; what is added in its place
ALL = "all"  # matrices, together
ABOUT_A_RUN = ("seed", "parameters", "precision")  # as the base's run.json has them


@dataclass(frozen=True)
class Merge:
    """What is computed. models: runs with their weights, below 0 where they are subtracted.

    scale: lambda, of the sum; density: the share of each vector's entries that are kept; gains: are those of
    norms changed?; control: `random`, for a random vector of equal norms in place of the sum; tolerance: what
    differs by no more counts as unchanged.
    """

    base: Run
    models: tuple[tuple[Run, float], ...]
    scale: float = 1.0
    density: float = 1.0
    gains: bool = True
    control: str | None = None
    seed: int = 0
    checkpoint: str = "last"
    tolerance: float = 1e-5

    def knobs(self) -> Config:
        """What config.yaml says of it: lambda, and what is not as it mostly is."""
        usual = {"density": 1.0, "gains": True, "control": None, "checkpoint": "last"}
        unusual = {name: vars(self)[name] for name, value in usual.items() if vars(self)[name] != value}
        return {"lambda": self.scale, **unusual, **({"seed": self.seed} if self.control else {})}

    def recipe(self) -> Config:
        """What run.json says of it, in mergekit's words."""
        models = [
            {"model": str(run.folder), "arm": arm_of(run, self.checkpoint), "weight": weight}
            for run, weight in self.models
        ]
        base = {"merge_method": "task_arithmetic", "base_model": str(self.base.folder), "models": models}
        return {**base, "parameters": self.knobs()}

    def source(self) -> str:
        """What it began with, as a part of its arm's name: `correct 1f03ab+9c2d1e`.

        The second number stands for the arms that were added, with their weights.
        """
        added = [[arm_of(run, self.checkpoint), weight] for run, weight in self.models]
        number = zlib.crc32(json.dumps(added).encode()) & 0xFFFFFF
        return f"{arm_of(self.base, self.checkpoint)}+{number:06x}"


def merge(asked: Merge, to: Path) -> Run:
    """Write the run's folder. ValueError if the runs share no ancestor, shape or vocabulary."""
    config = config_of(asked, to)
    check_free(to, config, merge=asked.recipe())
    check_related(asked)
    task = build_task(asked.base.settings.task)
    with unmoved(asked.base, *(run for run, _ in asked.models)):
        record = record_of(asked)
        model = trained_model(asked.base, task, asked.checkpoint, record["context"]).cpu()
        base = weights_of(asked.base, model, asked.checkpoint)
        vectors = vectors_of(asked, model, base)
    added = vectors.get(CONTROL, vectors[SUM])
    with torch.no_grad():
        for name, weight in task_vectors.moved(base, added, asked.scale).items():
            model.get_parameter(name).copy_(weight)
    run = Run(to, config)
    run.write_text("config.yaml", OmegaConf.to_yaml(OmegaConf.create(run.config)))
    for name in ("vocab.json", "data_card.json"):
        if (content := asked.base.read_json(name)) is not None:
            run.write_json(name, content)
    write(table(vectors, base, model.parts, asked.tolerance), to / VECTORS)
    write(cosines(vectors, model.parts), to / COSINES)
    save_weights(run.checkpoint(), model.state_dict(), record)
    run.write_json("run.json", record)
    return run


def check_related(asked: Merge) -> None:
    """ValueError unless all runs go back to one run, and have its shape, words and latents; or if one began
    with other weights of another than are taken now.
    """
    runs = [asked.base, *(run for run, _ in asked.models)]
    if not reduce(set.intersection, (set(lineage(run)) for run in runs)):
        raise ValueError(
            f"{', '.join(str(run.folder) for run in runs)} go back to no common run, so that their weights "
            "mean different things: take runs that were post-trained, or trained by init_from=, from one "
            "(of older runs their sources' folders are looked for where they lay)"
        )
    shape = options(asked.base.settings.model)
    for run in runs[1:]:
        if (theirs := options(run.settings.model)) != shape:
            raise ValueError(f"{run.folder} has another shape than the base ({theirs}, not {shape})")
        if run.read_json("vocab.json") != asked.base.read_json("vocab.json"):
            raise ValueError(f"{run.folder} has other words than the base: take one task and task.format")
        check_latents(run, asked.base)
    for run, source in permutations({each.folder: each for each in runs}.values(), 2):
        if went_on(run, source):
            check_as_begun(run, source)
            _check_checkpoint(run, source, asked.checkpoint)


def _check_checkpoint(run: Run, source: Run, checkpoint: str) -> None:
    """ValueError if other weights of the source are taken than the run began with."""
    if (began := begun_with(run.config)) != checkpoint:
        raise ValueError(
            f"{run.folder} began with the {began} weights of {source.folder}, and checkpoint={checkpoint} "
            f"takes the {checkpoint} ones, so that the vector would have what lies between them, too: take "
            f"checkpoint={began}, or a run that began with the {checkpoint} ones"
        )


def weights_of(run: Run, model: Model, checkpoint: str) -> dict[str, torch.Tensor]:
    """A run's parameters, each once: a head that is tied to the embedding is the embedding."""
    state = load_weights(run.trained(checkpoint))
    return {name: state[name] for name, _ in model.named_parameters()}


def vectors_of(asked: Merge, model: Model, base: Weights) -> dict[str, Weights]:
    """What each run differs by from the base, by its folder; their sum; and what stands in for that."""
    vectors: list[Weights] = []
    for run, _ in asked.models:
        tuned = weights_of(run, model, asked.checkpoint)
        vector = task_vectors.difference(tuned, base, asked.gains)
        vectors.append(task_vectors.trimmed(vector, asked.density, model.parts))
    found = {str(run.folder): vector for (run, _), vector in zip(asked.models, vectors, strict=True)}
    found[SUM] = task_vectors.total(vectors, [weight for _, weight in asked.models])
    if asked.control == "random":
        found[CONTROL] = task_vectors.random_like(found[SUM], asked.seed, model.parts)
    return found


def config_of(asked: Merge, to: Path) -> Config:
    """The base's config, as one that began with other weights and was trained no further: it has no best."""
    ours = {field.name for field in fields(Experiment)}
    config = {name: value for name, value in asked.base.config.items() if name in ours}
    names = {**config["names"], "source": asked.source(), "algorithm": None, "reward": None}
    limit = limits_of(asked)["max_new"] if config["eval"].get("max_new") else None  # then run.json says it
    places: Config = {
        "run_dir": str(to),
        "logger": {},
        "ckpt_path": None,
        "init_from": str(asked.base.folder),
        "eval": {**config["eval"], "checkpoint": "last", "max_new": limit},
    }
    return {**config, **places, "names": names, "merge": asked.knobs()}


def record_of(asked: Merge) -> Config:
    """run.json: an id of its own, and all that its models go back to."""
    runs = [asked.base, *(run for run, _ in asked.models)]
    theirs, before = asked.base.read_json("run.json"), [lineage(run) for run in runs]
    return {
        **machine(),
        "id": secrets.token_hex(8),
        "ancestors": list(dict.fromkeys(who for line in before for who in line)),
        **{name: theirs[name] for name in ABOUT_A_RUN if name in theirs},
        **limits_of(asked),
        "began": stamp_of(asked.base, asked.checkpoint),
        "progress": NOTHING,
        "merge": asked.recipe(),
        "status": "trained",
    }


def limits_of(asked: Merge) -> dict[str, int]:
    """The longest context of all its models, and the longest completions, as they were judged."""
    runs = [asked.base, *(run for run, _ in asked.models)]
    records = [run.read_json("run.json") for run in runs]
    judged = [run.settings.eval.limit(record) for run, record in zip(runs, records, strict=True)]
    return {"context": max(record["context"] for record in records), "max_new": max(judged)}


def table(vectors: dict[str, Weights], base: Weights, stacks: Stacks, tolerance: float) -> pa.Table:
    """A row per vector and matrix.

    norm, base_norm: Frobenius, of the vector and of what it is added to; changed: the share of entries that
    differ by more than the tolerance; effective_rank, and rank, the most that it could be (null of gains).
    """
    rows: list[dict[str, Any]] = []
    before = dict(matrices(base, stacks))
    for vector, weights in vectors.items():
        for name, matrix in matrices(weights, stacks):
            rows.append(
                {
                    "vector": vector,
                    "matrix": name,
                    "entries": matrix.numel(),
                    "norm": float(matrix.norm()),
                    "base_norm": float(before[name].double().norm()),
                    "changed": float((matrix.abs() > tolerance).double().mean()),
                    "effective_rank": effective_rank(matrix),
                    "rank": min(matrix.shape) if matrix.ndim == 2 else None,
                }
            )
    return pa.Table.from_pylist(rows)


def cosines(vectors: dict[str, Weights], stacks: Stacks) -> pa.Table:
    """A row per pair of vectors and matrix, and one of all matrices together; null where one is zero."""
    flat = {
        name: {
            **dict(matrices(weights, stacks)),
            ALL: torch.cat([part.flatten() for part in weights.values()]),
        }
        for name, weights in vectors.items()
    }
    rows = [
        {"vector": one, "other": other, "matrix": matrix, "cosine": cosine(part, flat[other][matrix])}
        for one, other in combinations(flat, 2)
        for matrix, part in flat[one].items()
    ]
    kinds = [(name, pa.string()) for name in ("vector", "other", "matrix")] + [("cosine", pa.float64())]
    return pa.Table.from_pylist(rows, pa.schema(kinds))
