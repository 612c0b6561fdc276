"""Figures: in which formats they are saved, and that one is laid out the same in all."""

import time

import pytest

from tests.helpers.runs import FORMATS
from tracelab import plots
from tracelab.evaluation import figures


def saved(folder, formats=None):
    """Names of the files that a figure leaves."""
    with plots.figure(folder / "a.b", 3, 2, formats=formats) as (_, axes):
        axes.plot([1, 2], label="line")
        axes.legend(loc="upper left", bbox_to_anchor=(1.1, 1))
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("asked", "files"), [(None, ["a.b.pdf", "a.b.png"]), ("", []), ("SVG, png", ["a.b.png", "a.b.svg"])]
)
def test_the_environment_names_the_formats(tmp_path, monkeypatch, asked, files):
    assert plots.VARIABLE == FORMATS
    monkeypatch.setenv(FORMATS, asked) if asked is not None else monkeypatch.delenv(FORMATS)
    assert saved(tmp_path) == files


def test_what_is_asked_for_by_name_is_saved_whatever_the_environment_says(tmp_path):
    assert saved(tmp_path, ["pdf"]) == ["a.b.pdf"]


def test_what_is_drawn_again_is_the_same_file(tmp_path):
    """In a later second, too: no format says when it was drawn."""
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        saved(tmp_path / folder, plots.FORMATS)
        time.sleep(1)
    for name in ("a.b.pdf", "a.b.png", "a.b.svg"):
        first, second = ((tmp_path / folder / name).read_bytes() for folder in ("first", "second"))
        assert first == second, name


def test_an_unknown_format_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(FORMATS, "png,jpeg2000")
    with pytest.raises(
        ValueError, match="TRACELAB_FORMATS=png,jpeg2000: jpeg2000 is no format; choose from png"
    ):
        saved(tmp_path)


def test_the_data_of_figures_whose_names_differ_behind_a_dot(tmp_path):
    for share in ("0.8", "0.9"):
        plots.write_csv(tmp_path / f"law_{share}", ["share"], [[share]])
    for share in ("0.8", "0.9"):
        assert (tmp_path / f"law_{share}.csv").read_text().split() == ["share", share]


def test_what_stands_outside_the_axes_is_in_the_picture(tmp_path):
    """The page is 3 x 2 inches; the legend to the right of the axes is not cut off, nor is margin left."""
    from matplotlib.image import imread

    saved(tmp_path, ["png"])
    ink = (imread(tmp_path / "a.b.png")[..., :3] < 1).any(-1)
    width = ink.shape[1]
    columns = ink.any(0).nonzero()[0]
    margin = round(0.1 * 150)  # inches, dots an inch
    assert abs(columns[0] - margin) <= 3
    assert 0 <= width - 1 - columns[-1] - margin <= 12  # a legend has a frame, unseen


def test_steps_are_counted_from_zero_as_in_the_columns():
    assert [figures.where_of(at, 3) for at in (0, 2, 3)] == [
        "at step 0, the last is 2",
        "at step 2, the last is 2",
        "after step 2, the last",
    ]
    assert figures.where_of(0, 0) == "without a step"
