"""One example of every task under every treatment, for reading: drawing, tokens, verdicts.

python -m tracelab.gallery output=docs/gallery.md
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tracelab.core import jit
from tracelab.core.files import write_text
from tracelab.core.knobs import one_of
from tracelab.core.paths import CONF
from tracelab.core.settings import Count, Place, Seed, Some, settings
from tracelab.core.waiting import waiting
from tracelab.runs.entry import entry

if TYPE_CHECKING:
    from tracelab.core.types import Examples, Task
    from tracelab.traces.base import Treated

MOST_STEPS = 24  # of a trace that are shown
QUANTILE = 0.3  # the example's trace is longer than this share of those drawn
HEAD = """# Gallery

One problem of each task, at its default knobs, under every treatment with its defaults (but those that need a
trained model); `!` marks a step that was damaged or added.
The verdicts are the verifiers' own, on the treated trace with the reference solution.
Made by `python -m tracelab.gallery`.
"""


@settings
class Page:
    """The knobs of this command: conf/gallery.yaml says what each is."""

    output: Place
    tasks: Some[str] | None
    seed: Seed
    among: Count


@entry("gallery", Page)
def main(page: Page) -> None:
    """Write the page, and a picture per task beside it."""
    jit.interpret()
    output = Path(page.output)
    known = sorted(path.stem for path in CONF.glob("task/*.yaml"))
    names = page.tasks or known
    for name in names:
        one_of("tasks", name, known)
    parts = [HEAD]
    with waiting("Writing the gallery", len(names)) as done:
        for name in names:
            parts.append(section(name, page, output.parent / "figures" / "gallery"))
            done(1)
    write_text(output, "\n".join(parts))
    print(output)


def section(name: str, page: Page, pictures: Path) -> str:
    """One task: its problem, its reference solution, and a trace per treatment."""
    from tracelab.core import rng

    task = built("task", name)
    keys = rng.keys(page.seed, "train", 0, page.among, "problem")
    examples = task.generate(keys, "train")
    i = int(np.argsort(examples.trace.lengths, kind="stable")[int(QUANTILE * len(examples))])
    one, codec = examples.take(np.array([i])), task.codec
    picture = plotted(name, task, one, pictures)
    lines = [f"## {name}", "", (inspect.getdoc(inspect.getmodule(type(task))) or "").split("\n\n")[0], ""]
    lines += [
        f"![{name}](figures/gallery/{picture.name})",
        "",
        "```",
        task.draw(examples, i),
        "```",
        f"Legend: {task.legend}",
    ]
    lines += ["", "Prompt:", *fenced(codec.words_of(task.prompts(one)[0]).split())]
    lines += ["", "Solution:", *fenced(codec.words_of(codec.encode(codec.solution, one.solution)[0]).split())]
    for arm in sorted(path.stem for path in CONF.glob("trace/*.yaml")):
        treatment_keys = rng.keys(page.seed, "train", 0, page.among, "treatment")
        treatment = built("trace", arm)
        if treatment.lacks:  # a trained model, say
            continue
        treated = treatment(task, examples, treatment_keys)
        lines += ["", f"### {name}, {arm}", "", *treated_lines(task, one, treated, i)]
    return "\n".join([*lines, ""])


def built(group: str, name: str) -> Any:
    """A member of an axis as its YAML describes it."""
    from hydra.utils import instantiate
    from omegaconf import OmegaConf

    return instantiate(OmegaConf.load(CONF / group / f"{name}.yaml"), _convert_="all")


def treated_lines(task: Task, one: Examples, treated: Treated, i: int) -> list[str]:
    """A trace under a treatment, and its verdicts."""
    from tracelab.show import step_lines, verdict_lines

    steps = step_lines(task, treated, i)
    words = task.codec.words_of(treated.trace[i]).split()
    if steps:
        more = len(steps) - MOST_STEPS
        shown = ["```", *steps[:MOST_STEPS], *([f"  ... {more} more steps"] if more > 0 else []), "```"]
    else:
        shown = fenced(words) if words else ["(no trace)"]
    verdicts = verdict_lines(task, one, treated.trace.take(np.array([i])))
    return [*shown, "", *(f"- {' '.join(line.split())}" for line in verdicts[1:])]


def fenced(words: list[str], width: int = 100) -> list[str]:
    """Words in lines, as a code block."""
    import textwrap

    return ["```", *textwrap.wrap(" ".join(words), width, break_long_words=False), "```"]


def plotted(name: str, task: Task, one: Examples, folder: Path) -> Path:
    """A picture of the problem with its reference search and solution."""
    from tracelab import plots

    path = folder / name
    with plots.figure(path, 3.3, 3.6, formats=["png"]) as (_, ax):
        task.plot(ax, one.problem[0], one.trace[0], one.solution[0], None)
        ax.set_xlabel(task.picture_legend, fontsize=6.5, loc="left")
    return path.with_name(f"{name}.png")


if __name__ == "__main__":
    main()
