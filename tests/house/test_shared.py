"""Folders that pytest's workers share are filled once, and what a test does to its copy is its own."""

import pytest

from tests.helpers.shared import filled


def test_a_folder_is_filled_once(tmp_path_factory):
    calls = []

    def fill(folder):
        calls.append(folder)
        (folder / "a").write_text(str(len(calls)))
        if len(calls) == 1:
            raise RuntimeError("half of it")
        (folder / "b").write_text("whole")

    with pytest.raises(RuntimeError, match="half of it"):
        filled(tmp_path_factory, "made-up", fill)
    first = filled(tmp_path_factory, "made-up", fill)
    (first / "b").unlink()
    second = filled(tmp_path_factory, "made-up", fill)
    assert len(calls) == 2
    assert (second / "a").read_text() == "2"
    assert (second / "b").read_text() == "whole"
    assert len({first, second, *calls}) == 3
