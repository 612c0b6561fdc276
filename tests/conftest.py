"""Settings of the whole suite, and kernels compiled before its workers start: each would compile its own."""

import os
from collections import Counter

import pytest
from hypothesis import settings

from tests.helpers.runs import FORMATS, figures_saved
from tracelab.core import paths
from tracelab.core.jit import kernels_folder

os.environ[FORMATS] = ""  # saving them would be half the time of a small run; see `figures`

settings.register_profile("tracelab", deadline=None, database=None, derandomize=True)
settings.load_profile("tracelab")


def pytest_sessionstart(session):
    """Before a run of all tests by several workers, compile what nearly all of them need, once."""
    options = session.config.option
    if hasattr(session.config, "workerinput") or not getattr(options, "numprocesses", None):
        return
    if session.config.args_source is session.config.ArgsSource.TESTPATHS and not options.collectonly:
        from omegaconf import OmegaConf

        from tracelab.core.paths import CONF
        from tracelab.data.compiling import compile_for

        axes = {
            axis: [
                OmegaConf.to_container(OmegaConf.load(path)) for path in sorted(CONF.glob(f"{axis}/*.yaml"))
            ]
            for axis in ("task", "trace")
        }
        pairs = [{"task": task, "trace": axes["trace"][0]} for task in axes["task"]]
        compile_for(pairs + [{"task": axes["task"][0], "trace": trace} for trace in axes["trace"][1:]])


def pytest_terminal_summary(terminalreporter):
    """Where `--durations` is asked for, the files that take longest, too."""
    if not (most := terminalreporter.config.option.durations):
        return
    spent = Counter()
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        if hasattr(report, "duration"):
            spent[report.nodeid.partition("::")[0]] += report.duration
    terminalreporter.section(f"slowest {most} files, of {sum(spent.values()):.0f} s in all workers")
    for file, seconds in spent.most_common(most):
        terminalreporter.write_line(f"{seconds:7.1f}s {file}")


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch):
    """What a process says once, each test hears."""
    monkeypatch.setattr(paths, "_told", set())


@pytest.fixture(autouse=True)
def environment_kept():
    """What a test, or a library in it, sets in the environment is gone after it."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache folder of the test's own, but for compiled kernels: those are everybody's."""
    kernels, cache = kernels_folder().parent, tmp_path / "cache"
    kernels.mkdir(parents=True, exist_ok=True)
    cache.mkdir()
    (cache / "kernels").symlink_to(kernels)
    monkeypatch.setenv("TRACELAB_CACHE", str(cache))
    return cache


@pytest.fixture
def figures():
    """Figures are saved, as they are for users."""
    with figures_saved():
        yield
