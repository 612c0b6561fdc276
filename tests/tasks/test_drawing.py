"""Pictures: what stands at one place is to be seen, all of it."""

import pytest
from matplotlib import pyplot as plt

from tracelab.data.frozen import drawn
from tracelab.runs.build import build_task
from tracelab.runs.entry import compose
from tracelab.training.settings import Training


@pytest.mark.parametrize("name", ["maze", "graph_path"])
def test_the_cross_on_a_first_bad_step_hides_no_letter(tmp_path, name):
    task = build_task(compose(Training, "train", f"task={name}", f"run_dir={tmp_path}").task)
    examples = drawn(task, 0, "test", "pictures", 0, 1)
    figure, ax = plt.subplots()
    task.plot(ax, examples.problem[0], examples.trace[0], examples.solution[0], 0)  # the start
    (cross,) = (line for line in ax.lines if line.get_marker() == "x")
    (start,) = (text for text in ax.texts if text.get_text() == "S")
    assert start.get_position() == (cross.get_xdata()[0], cross.get_ydata()[0])
    assert start.get_zorder() > cross.get_zorder()
    assert cross.get_markersize() > start.get_fontsize()
    plt.close(figure)
