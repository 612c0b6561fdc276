"""The command line of the view."""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tracelab.core.terminal import endure


def main(arguments: Sequence[str] | None = None) -> None:
    """Show runs until Ctrl-C; or once, also where standard output is no terminal."""
    endure()
    parser = argparse.ArgumentParser(
        prog="python -m tracelab.watch",
        description="Running and finished runs: status, progress, loss, held-out accuracy and validity.",
        epilog="example: python -m tracelab.watch runs/study",
    )
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("runs")], help="of runs (runs)")
    parser.add_argument("--once", action="store_true", help="print one table and end")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two looks (%(default)s)")
    options = parser.parse_args(arguments)
    if not options.every >= 0.1:
        parser.error("--every must be 0.1 or more")
    for folder in options.folders:
        if not folder.is_dir():
            parser.error(f"{folder} is no folder")
    warnings.simplefilter("ignore")  # of older runs' spellings, say: nothing is to be done about them here
    with suppress(KeyboardInterrupt):
        show(options.folders, None if options.once or not sys.stdout.isatty() else options.every)


def show(folders: Sequence[Path], every: float | None) -> None:
    """Show the runs below folders, again and again until Ctrl-C. every: seconds; None: once."""
    from rich.console import Console
    from rich.live import Live

    from tracelab.watch.screen import ASCII_BARS, BARS, screen
    from tracelab.watch.states import Watcher

    watcher, console = Watcher(folders), Console(highlight=False)
    bars = BARS if console.encoding.startswith("utf") else ASCII_BARS
    if every is not None:
        with suppress(KeyboardInterrupt), Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                live.update(screen(watcher(), console.width, console.height, bars), refresh=True)
                time.sleep(every)
    if console.is_terminal:
        console.print(screen(watcher(), console.width, bars=bars))
    else:
        print(screen(watcher(), bars=bars).plain)
