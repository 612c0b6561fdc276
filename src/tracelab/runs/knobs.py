"""Which knobs of a config make a run what it is, and which make its arm: the one place that says so.

Names are dotted; a name stands for all below it, `trainer` for `trainer.devices` too.
"""

from __future__ import annotations

# Where things go, what is said, and who draws problems: not a bit of what is trained or judged is another.
SAME_BITS = (
    "run_dir",
    "ckpt_path",
    "logger",
    "checkpoint_every",
    "validate_problems",
    "data.workers",
    "data.backend",
    "data.address",
    "trainer.log_every_n_steps",
    "trainer.val_check_interval",  # validate_every takes its place
    "trainer.enable_progress_bar",
    "trainer.enable_model_summary",
    "trainer.default_root_dir",
)
# On what, and by how many, it is computed: sums are added up in another order, that is all.
SAME_BUT_FOR_ROUNDING = (
    "threads",
    "compile",
    "attention",
    "trainer.accelerator",
    "trainer.devices",
    "trainer.strategy",
    "trainer.plugins",
)
# What may differ between a finished run and one that is asked for again.
# tests/runs/test_identity.py tries each.
WITHOUT_EFFECT = (*SAME_BITS, *SAME_BUT_FOR_ROUNDING)
# What names no run of a sweep: asked for with another value, the run is found, and at most judged again.
UNNAMED = (*WITHOUT_EFFECT, "eval", "metric")
# What may differ between a run and its resumption: how it is judged, and how long it trains, too.
FREE_TO_CHANGE = (*UNNAMED, "budget")
# What may differ between the runs of one arm. All else makes another arm.
WITHIN_AN_ARM = (*WITHOUT_EFFECT, "seed", "metric", "run", "init_from", "hydra", "names")
# What all runs of a comparison have in common: the task, the test problems, how completions are sampled.
IN_COMMON = ("task", "eval.problems", "eval.seed", "eval.temperature", "eval.samples", "eval.max_new")
# What is not worth showing where configs are compared: it differs between any two runs.
NOT_COMPARED = ("run_dir", "ckpt_path", "logger", "run", "init_from", "hydra", "names")
# What names a class, in a config's parts.
NOT_SHOWN = ("_target_", "_partial_")
# Names of a run's choices by which its arm is called.
CALLED_BY = ("trace", "source", "algorithm", "reward")


def within(name: str, names: tuple[str, ...]) -> bool:
    """Is a knob one of these, or below one?"""
    return any(name == each or name.startswith(f"{each}.") for each in names)


def options(part: dict[str, object]) -> dict[str, object]:
    """The knobs of a config's part, a treatment's say, without what names its class."""
    return {name: value for name, value in part.items() if name not in NOT_SHOWN}
