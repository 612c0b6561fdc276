"""A study's data as a folder to publish: all that its numbers come from, without weights and training data.

    python -m tracelab.analysis.package runs/study --out study_data
    python -m tracelab.report study_data --out study.html      # by whoever gets it

It holds the runs' folders without their checkpoints and figures: configs, records, data cards, learning
curves, and every completion with its verdicts. The report and everything in `analysis` read it as they read
runs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet

from tracelab import __version__
from tracelab.analysis.loading import finished
from tracelab.core.files import whole, whole_folder, write_text
from tracelab.core.full_disk import disk_full
from tracelab.core.terminal import counted, endure, interruptible
from tracelab.runs.signals import as_ctrl_c

KINDS = (".yaml", ".json", ".csv", ".parquet")
LEVEL = 19  # of zstd: a tenth smaller than what runs write, for a second per run
SUMS, README = "SHA256SUMS", "README.md"
ABOUT = """# Data of a study

{runs} with {completions:,} completions and their verdicts, written by tracelab {version}.

A run's folder holds its config, its record, the card of the data that it was trained on, its learning curve
(`metrics.csv`) and every completion with its verdicts (`outcomes.parquet`). Weights are not among them.

```bash
sha256sum --check --quiet SHA256SUMS             # is it whole?
python -m tracelab.report . --out report.html    # all tables and figures, from these files alone
```

The Parquet files can be read with anything that reads Parquet.
"""


def package(folders: Sequence[Path], out: Path) -> list[Path]:
    """Write the finished runs at or below the folders to `out` -> the files, SHA256SUMS last.

    They lie there as they lay below what they have in common. ValueError if `out` holds something.
    """
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"--out={out} is not empty: choose another folder, or remove it first")
    runs = [run.resolve() for run in finished(*folders)]
    root = os.path.commonpath([run.parent for run in runs])
    files, completions = list[Path](), 0
    with whole_folder(out) as made:
        for run in runs:
            for source in _kept(run):
                files.append(source.relative_to(root))
                (made / files[-1]).parent.mkdir(parents=True, exist_ok=True)
                _copy(source, made / files[-1])
            completions += pyarrow.parquet.read_metadata(run / "outcomes.parquet").num_rows
        about = {"runs": counted(len(runs), "run"), "completions": completions, "version": __version__}
        write_text(made / README, ABOUT.format(**about))
        files.append(Path(README))
        write_text(made / SUMS, "".join(f"{_sum(made / file)}  {file}\n" for file in files))
    return [out / file for file in (*files, Path(SUMS))]


def _kept(run: Path) -> Iterator[Path]:
    """A run's files, but for its subfolders: weights, and figures that can be drawn again."""
    return (path for path in sorted(run.iterdir()) if path.suffix in KINDS and path.is_file())


def _copy(source: Path, target: Path) -> None:
    """Tables are packed more tightly, row by row as they were."""
    if source.suffix != ".parquet":
        shutil.copyfile(source, target)
        return
    with whole(target) as partial:
        table = pyarrow.parquet.read_table(source)
        pyarrow.parquet.write_table(table, partial, compression="zstd", compression_level=LEVEL)


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the package, say how large it is."""
    endure()
    parser = argparse.ArgumentParser(
        prog="python -m tracelab.analysis.package",
        description="Finished runs as a folder to publish: outcomes, configs, curves; no weights.",
        epilog="example: python -m tracelab.analysis.package runs/study --out study_data",
    )
    parser.add_argument("folders", nargs="+", type=Path, help="folders of runs, or folders of such folders")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write, new or empty")
    options = parser.parse_args(arguments)
    with interruptible(f"{options.out} is as it was."), as_ctrl_c():
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                files = package(options.folders, options.out)
            for warning in caught:
                print(warning.message, file=sys.stderr)
        except (ValueError, OSError) as error:
            sys.exit(f"error: {disk_full(error, options.out) or error}")
    size = sum(path.stat().st_size for path in files)
    print(f"{options.out}: {counted(len(files), 'file')}, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
