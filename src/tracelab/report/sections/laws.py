"""How good runs get with size and data, and what it takes them: laws over the knob that a sweep varied."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tracelab.analysis import efforts, laws, laws_figures
from tracelab.analysis.loading import finished
from tracelab.analysis.panels import save
from tracelab.report.markup import Html, drawing, paragraph, table
from tracelab.report.study import Study

TITLE, PLACE = "Laws of size and data", 48
AGAINST = ("data.train_size", efforts.PARAMETERS)  # whichever these runs differ in
TOKENS = "tokens"


def section(study: Study) -> Html | None:
    """Shares against the size of models or of data sets, and laws of the tokens that a good share took; None
    unless a law has three sizes.
    """
    parts = [drawn(study.data, [*study.runs["run"]], against) for against in AGAINST]
    return Html("".join(filter(None, parts))) or None


def drawn(data: Path, folders: Sequence[str], against: str) -> Html | None:
    """Figure and table of runs against one knob."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # who is left out is said in the section on training
        try:
            known = efforts.arranged(finished(*folders), against)
        except ValueError:  # some have no such knob, as post-trained runs have no data set
            return None
        several = known.filter(pl.col("x") > 0).group_by("law").agg(pl.col("x").n_unique())
        if several.filter(pl.col("x") >= laws.PLACES).is_empty():
            return None
        shares = efforts.shares(*folders, against=against)
    name = against.rpartition(".")[2]
    laws_figures.shares(data / f"shares_{name}", shares, name)
    caption = f"Means of seeds against {name}, with intervals for other seeds where there are several."
    figure = drawing(data / f"shares_{name}", caption, data.name)
    return Html(figure + (_took(data, folders, against) or ""))


def _took(data: Path, folders: Sequence[str], against: str) -> Html | None:
    """Laws of the tokens until a good share; None where no run was watched."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            known = efforts.until(*folders, against=against, of=TOKENS)
        except ValueError:
            return None
    return of(data / f"laws_{against.rpartition('.')[2]}", known, against.rpartition(".")[2], TOKENS)


def of(path: Path, known: pl.DataFrame, x_name: str, effort: str) -> Html:
    """Figure and table of `efforts.until`; data beside `path`."""
    fits = laws.fits(known)
    save(path.with_name(f"{path.name}_fits"), fits)
    laws_figures.laws(path, known, fits, x_name, effort)
    caption = (
        f"{effort.capitalize()} until the share was reached, against {x_name}. Hollow: not reached "
        "while it was watched. Solid: power law; dashed: exponential; both where neither is likelier."
    )
    page = drawing(path, caption, path.parent.name)
    fitted = table("Power law or exponential", laws.HEADINGS, laws.in_words(fits))
    return Html(page + fitted + paragraph(laws.CAPTION))
