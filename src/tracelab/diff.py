"""Find what a post-training changed in the MLPs, as sparse features, and how much of its gain they have.

python -m tracelab.diff before=runs/sft after=runs/grpo
"""

from __future__ import annotations

from typing import Literal

from tracelab.core.settings import Count, Place, Seed, Share, Some, settings
from tracelab.probes.settings import Fit, Fitting
from tracelab.runs.entry import entry


@settings
class Diffing:
    """The knobs of this command: conf/diff.yaml says what each is."""

    before: Place
    after: Place
    backbone: Literal["before", "after"]
    features: Count
    fit: Fit
    fitting: Fitting
    least: Share
    removed: list[Count]
    seed: Seed
    splits: Some[str] | None
    problems: Count | None
    threads: Count | None = None


@entry("diff", Diffing)
def main(asked: Diffing) -> None:
    """Fit, take away, judge, print, draw."""
    from dataclasses import replace

    import polars as pl

    from tracelab.analysis import diff as analysis
    from tracelab.analysis.weight_figures import recovered
    from tracelab.core.files import whole_folder, write_json
    from tracelab.evaluation import outcomes
    from tracelab.probes.diff import Asked, of_runs
    from tracelab.runs.folder import Run
    from tracelab.runs.trained import settled, unmoved
    from tracelab.runs.weight_tables import print_diff
    from tracelab.training import accelerate

    accelerate.start(asked.threads)
    before, after = Run.open(asked.before, "before"), Run.open(asked.after, "after")
    what = Asked(
        backbone=asked.backbone,
        features=asked.features,
        fit=replace(after.settings.eval, **vars(asked.fit)),
        fitting=asked.fitting,
        removed=tuple(asked.removed),
        least=asked.least,
        seed=asked.seed,
    )
    stamp = settled(after)
    with unmoved(before):
        found = of_runs(before, after, what, asked.splits, asked.problems)
    with whole_folder(after.folder) as made:
        outcomes.write(found.outcomes, made / analysis.FILE, after, stamp, asked.problems)
        outcomes.write(found.features, made / analysis.FEATURES, after, stamp, asked.problems)
        gains, features = analysis.of_run(made)
        write_json(made / analysis.SUMMARY, {**found.summary, "gains": gains.to_dicts()})
    path = after.folder / "figures" / "diff"
    path.parent.mkdir(exist_ok=True)
    recovered(path, analysis.by_variant(pl.scan_parquet(after.folder / analysis.FILE, glob=False), ["split"]))
    print_diff(gains, features, found.summary, after.name, after.folder / analysis.SUMMARY)


if __name__ == "__main__":
    main()
