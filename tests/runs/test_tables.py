"""Tables and the progress line in narrow terminals: every word whole, nothing wider than the terminal."""

import io

import lightning
import polars as pl
import pytest
from rich.console import Console

from tests.helpers.engine import fit, learner
from tracelab.probes.grading import rows_of
from tracelab.runs.tables import fitting, print_figures, print_shares, print_sweep, results_table
from tracelab.runs.weight_tables import print_steering
from tracelab.training.budget import Budget, Progress
from tracelab.training.progress import WINDOW, Recent, figures, line

LABELS = ("solution valid", "strictly valid", "trace parses", "optimal", "strict | solution valid")
METRICS = {
    split: {
        label: {"value": 0.914, "low": 0.873, "high": 0.943, "n": 1000, "label": label} for label in LABELS
    }
    for split in ("in distribution", "generator=dfs")
}


def printed(width):
    console = Console(width=width, record=True, force_terminal=False, file=io.StringIO())
    console.print(fitting(results_table(METRICS, "maze, swapped, seed 0"), width))
    return console.export_text()


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 200])
def test_a_table_says_all_of_it_at_any_width(width):
    text = printed(width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    words = text.replace("│", " ").split()
    for label in LABELS:
        assert set(label.split()) <= set(words)
    assert words.count("91.4") == 10


def test_rows_are_stacked_where_columns_do_not_fit():
    lines = printed(40).splitlines()
    assert any(line.split() == ["strictly", "valid", "91.4", "[87,", "94]"] for line in lines)


@pytest.mark.parametrize("word", ["data.files=[data/a.jsonl]", "data.files=[/data/a.jsonl]", "x=:smile:"])
def test_words_of_a_command_stand_in_tables_as_they_were_given(capsys, word):
    """Brackets and colons are no marks of style."""
    both = enumerate(([word, "seed=0"], ["seed=1"]))
    jobs = [{"number": k, "overrides": o, "state": "finished", "folder": f"{word}-{k}"} for k, o in both]
    print_sweep(jobs)
    print_figures(METRICS, f"{word}, seed 0", [])
    text = capsys.readouterr().out
    assert f"0  {word} seed=0 " in text
    assert f" {word}-1 " in text
    assert f"\n{word}, seed 0 " in text


def test_counts_are_printed_to_the_last_digit(capsys, tmp_path):
    """Other numbers are rounded."""
    found = {"place": ["late"], "norm": [2.3456], "concordance": [0.98765], "shuffled": [0.5], "p": [1.2e-5]}
    found |= {"agreement": [0.1], "n": [2316], "problems": [1234567], "explained": [0.5], "exchanged": [1000]}
    changes = {"split": [], "way": [], "place": [], "direction": [], "scale": [], "trace_steps": [], "n": []}
    print_steering(pl.DataFrame(found), pl.DataFrame(changes), "run", tmp_path)
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "late" in line)
    numbers = ["2.35", "0.988", "0.5", "1.2e-05", "0.1", "2,316", "1,234,567", "0.5", "1,000"]
    assert row.replace("│", " ").split()[1:] == numbers
    shares = {"split": ["mine"], "right": [0.5], "right_low": [0.4], "right_high": [0.6]}
    counts = {"n": [12345], "times": [3.14159]}
    headings = ({"split": "set"}, {"right": "right"}, {"n": "n", "times": "times"})
    print_shares(pl.DataFrame(shares | counts), "run", tmp_path, *headings)
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "mine" in line)
    assert row.replace("│", " ").split()[-2:] == ["12,345", "3.142"]
    spread = {"mean": 23456.7, "least": 12345, "most": 54321}
    file = {"problems": 9, "pass_rate": {"mean": 0.5, "least": 0.0, "most": 1.0}, "complexity": spread}
    assert rows_of({"files": {"bin_0": file}})[0][-1] == "2.346e+04 (12,345–54,321)"


class Lines(lightning.Callback):
    """The progress line at the end, at several widths."""

    def on_train_end(self, trainer, module):
        known = figures(trainer, module)
        self.found = {width: line(module, known, width, (6000.0, 0.5)) for width in (None, 200, 79, 39, 12)}


def test_the_progress_line_fits_on_one_line():
    lines, module = Lines(), learner(Budget(steps=10))
    fit(module, callbacks=[lines], val_check_interval=5, log_every_n_steps=5)
    found = lines.found
    assert found[200] == found[None]
    assert len(found[None]) > 79
    for width, words in {
        79: ["100%", "step 10", "loss", "left"],
        39: ["step 10", "left"],
        12: ["100%"],
    }.items():
        assert len(found[width]) <= width
        assert all(word in found[width] for word in words), found


def test_the_speed_is_that_of_the_last_minute_and_no_step_of_an_earlier_start_counts():
    recent = Recent()
    resumed = Progress(tokens=1_000_000, minutes=500.0)
    assert recent.pace(resumed, 0.5) == (0.0, 0.0)  # nothing has gone by
    slow = Progress(tokens=1_000_100, minutes=500.0 + WINDOW)
    assert recent.pace(slow, 0.501) == pytest.approx((100 / WINDOW, 0.001 / WINDOW))
    fast = Progress(tokens=1_010_100, minutes=500.0 + 2 * WINDOW)
    assert recent.pace(fast, 0.601) == pytest.approx((10_000 / WINDOW, 0.1 / WINDOW))
    between = Progress(tokens=1_015_100, minutes=500.0 + 2.5 * WINDOW)
    assert recent.pace(between, 0.651) == pytest.approx((10_000 / WINDOW, 0.1 / WINDOW))
