"""A study's data as a folder: whole, without weights, and with the numbers of the runs."""

import hashlib

import pytest

from tests.report.conftest import ARMS
from tracelab import analysis
from tracelab.analysis import package
from tracelab.analysis.interventions import load_interventions
from tracelab.analysis.memorisation import load_memorisation
from tracelab.report.sections import cards, configs, metrics
from tracelab.report.study import study_of


def test_a_package_of_the_runs_has_the_same_numbers(study, tmp_path, capsys):
    """Every table that analysis reads, and what the report says of runs, from a folder without weights."""
    out = tmp_path / "package"
    package.main([str(study), "--out", str(out)])
    said = capsys.readouterr()
    assert "unfinished is left out" in said.err
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert said.out.startswith(f"{out}: {len(names)} files")
    assert not [name for name in names if name.endswith((".ckpt", ".png")) or "unfinished" in name]
    sums = dict(line.split("  ")[::-1] for line in (out / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == names - {"SHA256SUMS"}
    for name, known in sums.items():
        assert hashlib.sha256((out / name).read_bytes()).hexdigest() == known
    ours, theirs = ([folder / arm for arm in ARMS] for folder in (study, out))
    for read in (
        analysis.runs,
        analysis.load,
        analysis.learning_curves,
        load_interventions,
        load_memorisation,
    ):
        mine, packed = (read(*folders).lazy().drop("run").collect() for folders in (ours, theirs))
        assert packed.equals(mine), read.__name__
    for section in (cards.section, configs.section, metrics.section):
        pages = [section(study_of(folders, tmp_path / "page.html")) for folders in (ours, theirs)]
        assert pages[1].replace(str(out), str(study)) == pages[0]
    with pytest.raises(SystemExit, match="is not empty: choose another folder"):
        package.main([str(study), "--out", str(out)])
