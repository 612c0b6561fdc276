"""What it took runs to get good enough, as a law of how hard it was: power law or exponential?

python -m tracelab.fit_law run=runs/law/rl_compute against=task.depth
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tracelab.core.settings import Count, Place, Places, Seed, Share, settings
from tracelab.runs.entry import entry


@settings
class Fitting:
    """The knobs of this command: conf/fit_law.yaml says what each is."""

    run: Places
    against: str
    of: Literal["steps", "tokens", "flops", "minutes"]
    until: Annotated[dict[str, Share], Field(min_length=1)]
    by: list[str] | None
    resamples: Count
    seed: Seed
    out: Place


@entry("fit_law", Fitting)
def main(asked: Fitting) -> None:
    """Fit the laws, print them, and write figure and tables."""
    from pathlib import Path

    from tracelab.analysis import efforts, laws, laws_figures
    from tracelab.analysis.panels import save
    from tracelab.runs.tables import print_rows

    folders = [asked.run] if isinstance(asked.run, str) else asked.run
    known = efforts.until(*folders, against=asked.against, of=asked.of, least=asked.until, by=asked.by)
    found, out = laws.fits(known, asked.resamples, asked.seed), Path(asked.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    laws_figures.laws(out, known, found, asked.against, asked.of)
    save(out.with_name(f"{out.name}_fits"), found)
    least = ", ".join(f"{name} {100 * share:g} %" for name, share in asked.until.items())
    title = f"{asked.of} until {least}, against {asked.against}"
    print_rows(title, laws.HEADINGS, laws.in_words(found), laws.CAPTION, out.with_name(f"{out.name}.csv"))


if __name__ == "__main__":
    main()
