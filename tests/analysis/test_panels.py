"""Figures of several panels: one legend for all that any of them shows, in one colour each."""

import polars as pl
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_hex

from tracelab.analysis import kinetics_figures, panels, probe_figures
from tracelab.analysis.kinetics import fits


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are drawn while this is in use, still open."""
    kept = []
    monkeypatch.setattr(pyplot, "close", kept.append)
    return kept


def legend_of(figure):
    """Label -> colour."""
    (legend,) = figure.legends
    handles = [getattr(handle, "lines", [handle])[0] for handle in legend.legend_handles]
    return {
        text.get_text(): to_hex(handle.get_color())
        for text, handle in zip(legend.get_texts(), handles, strict=True)
    }


def probed(quantity, trace, search, score):
    """A row per place of what `states.scores` gives."""
    places = ["clock", "word", "blocks.0", "blocks.1"]
    return pl.DataFrame(
        {
            "quantity": quantity,
            "trace": trace,
            "search": search,
            "at": "end",
            "number": False,
            "place": places,
            "score": score,
            "score_low": score - 0.1,
            "score_high": score + 0.1,
            "majority": score - 0.2,
            "control": score - 0.3,
        }
    )


def test_a_series_has_its_colour_in_every_panel(tmp_path, drawn, figures):
    """Of a panel, too, in which those before it are missing; and each series has its own lines beside it."""
    frame = pl.concat(
        [
            probed("open", "own", "text", 0.9),
            probed("closed", "own", "text", 0.8),
            probed("closed", "reference", "text", 0.7),
            probed("g", "reference", "text", 0.6),
        ]
    )
    probe_figures.decoded(tmp_path / "decoded", frame)
    (figure,) = drawn
    told = legend_of(figure)
    assert set(told) == {
        "own trace, search of the text",
        "reference trace, search of the text",
        "majority",
        "control",
    }
    own, reference = told["own trace, search of the text"], told["reference trace, search of the text"]
    assert own != reference
    colours = [
        [to_hex(line.get_color()) for line in ax.lines if len(line.get_xdata()) > 2] for ax in figure.axes
    ]
    assert colours == [[own] * 3, [own] * 3 + [reference] * 3, [reference] * 3]


def test_an_arm_that_lacks_a_metric_has_its_panel(tmp_path, figures):
    tokens = [1e5 * k for k in range(1, 31)]
    both = pl.concat(
        [
            pl.DataFrame(
                {
                    "arm": arm,
                    "run": arm,
                    "seed": 0,
                    "part": "all",
                    "metric": metric,
                    "tokens": tokens,
                    "value": [k / 30 for k in range(1, 31)],
                    "n": 64,
                }
            )
            for arm, metric in (("a", "solution_valid"), ("a", "trace_strict"), ("b", "solution_valid"))
        ]
    )
    kinetics_figures.fitted(tmp_path / "kinetics", both, fits(both))
    assert (tmp_path / "kinetics.svg").is_file()


def test_counts_are_told_from_the_least_to_the_most():
    part = pl.DataFrame({"n": [12, 40], "first_n": [None, 3]})
    assert panels.ends(part, "n") == "12–40"
    assert panels.ends(part, "n", "first_n") == "3–40"
    assert panels.ends(part.head(1), "n", "first_n") == "12"


def test_an_arm_looks_alike_beside_any_others():
    """And no two alike, as long as there are enough colours; arms of other names begin at the first one."""
    few = panels.styles_of(["swapped", "correct", "swapped"])
    many = panels.styles_of(
        ["swapped", "corrupted rate=0.1", "corrupted rate=1.0", "correct", "solution_only"]
    )
    assert list(few) == ["correct", "swapped"]
    assert {name: many[name] for name in few} == few
    assert len({style["color"] for style in many.values()}) == len(many)
    other = panels.styles_of(["deep", "wide"])
    assert list(other.values()) == [panels.style_of(0), panels.style_of(1)]
