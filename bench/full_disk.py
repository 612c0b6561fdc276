"""Commands whose disk is full at one write after another, and what the same command then makes of it.

    python bench/full_disk.py                    # an hour or two; the counts are in results/full_disk.json
    python bench/full_disk.py --only export --every  # the others' counts stay as they were

Each command runs twice where there is room, which shows its writes and what it leaves. Then, for one write
after another, it runs elsewhere, and from that write on no file, no folder and no byte can be written below
its folder; of the first write half is written. It has to end with plain words about the full disk, or go on
without what could not be kept, and leave no half of a file. What was there before has to be as it was or as
it will be. Then there is room again, and the same command has to leave what it leaves undisturbed: the same
weights bit for bit, the same tables, the same pages. Of writes to one file in a row the first, the middle and
the last are tried, or --every. `full_disk.c` is the disk; it is compiled by cc.
"""

from __future__ import annotations

import argparse
import json
import mmap
import multiprocessing
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

from common import RESULTS, write_json
from faulty import CASES, Case, command, left_by
from kills import PRELOADED, differing

from tracelab.core.paths import cache_home

SOURCE = Path(__file__).with_suffix(".c")
NUMBERS, PATHS = "qqqq", 4096  # struct control of full_disk.c
FOR_EVER = 2**62
LONGEST = 600  # seconds until a command that does not end is an error
PLAIN = re.compile(r"the disk is full.*same command", re.IGNORECASE | re.DOTALL)


class Disk:
    """A pretended disk below one folder, for processes that are started after it was made."""

    def __init__(self, folder: Path) -> None:
        library, self.control, self.noted = folder / "full_disk.so", folder / "control", folder / "events"
        compiler = [os.environ.get("CC", "cc"), "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
        subprocess.run([*compiler, "-ldl"], check=True)
        self.control.write_bytes(bytes(struct.calcsize(NUMBERS) + 2 * PATHS))
        with self.control.open("r+b") as file:
            self.shared = mmap.mmap(file.fileno(), 0)
        self.environment = {"LD_PRELOAD": str(library), "FULL_DISK": str(self.control)}

    def watch(self, under: Path | None, first: int = 0, last: int = FOR_EVER, noted: bool = False) -> None:
        """Count from nought what is written below a folder; fail from the first to the last. 0: never."""
        numbers = struct.pack(NUMBERS, 0, first, last, 0)
        paths = [str(under or "").encode(), str(self.noted).encode() if noted else b""]
        self.noted.unlink(missing_ok=True)
        self.shared[:] = numbers + b"".join(path.ljust(PATHS, b"\0") for path in paths)

    @property
    def failed(self) -> int:
        """How many writes have failed."""
        return int(struct.unpack_from(NUMBERS, self.shared)[3])

    def events(self) -> list[tuple[str, str]]:
        """What was written, in order: (kind, path below the folder)."""
        lines = self.noted.read_text(encoding="utf-8").splitlines() if self.noted.is_file() else []
        return [(kind, path) for _, kind, path in sorted((line.split(" ", 2) for line in lines), key=place)]


def place(event: Sequence[str]) -> int:
    return int(event[0])


@dataclass
class Count:
    """What came of one command's full disks."""

    writes: int
    chosen: str = ""  # which of them were to be tried
    date: str = field(default_factory=date.today().isoformat)
    tried: int = 0
    ended_well: int = 0  # although the disk was full: it was only the cache's, say
    tracebacks: int = 0  # before the plain words: of Hydra, which makes a run's folder
    wrong: dict[str, list[int]] = field(default_factory=dict)  # what went wrong -> at which writes

    def note(self, what: str, number: int) -> None:
        """Note what went wrong at a write."""
        self.wrong.setdefault(what, []).append(number)


def listed(events: Sequence[tuple[str, str]]) -> list[str]:
    """Writes in words, some in a row to one file in one line."""
    rows = groupby(events, lambda event: (event[0], unnamed(event[1])))
    return [f"{len(list(row))} x {kind} {path}" for (kind, path), row in rows]


def attempt(case: Case, folder: Path, said: Path) -> int:
    """Give a command -> its exit status. What it says goes to a file."""
    context = multiprocessing.get_context("forkserver")
    process: Any = context.Process(target=command, args=(case.module, case.words(folder), folder, said))
    process.start()
    process.join(LONGEST)
    if process.exitcode is None:
        process.kill()
        raise RuntimeError(f"{case.module} did not end in {LONGEST} seconds; see {said}")
    return int(process.exitcode)


def prepared(folder: Path, whole: Path | None) -> Path:
    """A folder to work in, with the kernels, and what another command has left."""
    shutil.rmtree(folder, ignore_errors=True)
    if whole is not None:
        shutil.copytree(whole, folder, symlinks=True, ignore=shutil.ignore_patterns("cache"))
    (folder / "cache").mkdir(parents=True)
    if (cache_home() / "kernels").is_dir():
        (folder / "cache" / "kernels").symlink_to(cache_home() / "kernels")
    return folder


def chosen(events: Sequence[tuple[str, str]], every: bool) -> list[int]:
    """The writes that are tried, from 1 on."""
    if every:
        return list(range(1, len(events) + 1))
    rows = groupby(enumerate(events, 1), lambda event: (event[1][0], unnamed(event[1][1])))
    found = [[number for number, _ in row] for _, row in rows]
    return sorted({row[k] for row in found for k in (0, len(row) // 2, -1)})


def spread(numbers: list[int], some: int | None) -> list[int]:
    """So many of the numbers, from the first to the last; None: all."""
    if some is None or some >= len(numbers):
        return numbers
    return [numbers[round(k * (len(numbers) - 1) / max(some - 1, 1))] for k in range(some)]


def told(every: bool, some: int | None) -> str:
    """Which writes are tried, in words."""
    of = "every write" if every else "the first, the middle and the last of each file's in a row"
    return of if some is None else f"{some} of {of}, spread over all"


def keep(path: Path, name: str, count: Count) -> None:
    """Put one command's count into the record; the other commands' stay as they were."""
    counts = json.loads(path.read_text(encoding="utf-8"))["counts"] if path.is_file() else {}
    write_json(path, {"counts": counts | {name: vars(count)}})


def unnamed(path: str) -> str:
    """A path without the number that makes an unfinished file's name unique."""
    return re.sub(r"\.[0-9a-f]{12}\.partial", ".partial", path)


def tried(case: Case, at: int, disk: Disk, folder: Path, left: Any, count: Count) -> None:
    """One full disk, from write number `at` on, and the same command where there is room again."""
    said, before = folder.with_suffix(".said"), left_by(folder)
    disk.watch(folder, at)
    status = attempt(case, folder, said)
    failed = disk.failed
    disk.watch(None)
    count.tried += 1
    count.ended_well += status == 0 and failed > 0
    words = said.read_text(encoding="utf-8", errors="replace")
    if not failed:
        count.note("no write failed", at)
    count.tracebacks += "Traceback" in words
    if status and not PLAIN.search(words):
        count.note("not in plain words", at)
    if list(folder.rglob("*.partial")):
        count.note("half a file is left", at)
    now = left_by(folder)
    if [name for name, content in before.items() if now.get(name) not in (content, left.get(name))]:
        count.note("what was there is neither as it was nor as it will be", at)
    if attempt(case, folder, folder.with_suffix(".again")):
        count.note("the same command fails", at)
    elif found := differing(left_by(folder), left):
        count.note("the same command leaves something else", at)
        print(f"  {at}: {', '.join(found[:5])}", flush=True)


def undisturbed(name: str, disk: Disk, base: Path) -> tuple[list[tuple[str, str]], Any]:
    """A command where there is room, twice -> its writes, and what it leaves."""
    case, lefts = CASES[name], []
    for times in ("whole", "again"):
        folder = prepared(base / times / name, base / "whole" / case.needs if case.needs else None)
        disk.watch(folder, noted=True)
        if status := attempt(case, folder, folder.with_suffix(".said")):
            raise RuntimeError(f"it ended with {status}: see {folder.with_suffix('.said')}")
        lefts.append(left_by(folder))
    if found := differing(*lefts):
        raise RuntimeError(f"it leaves something else each time: {', '.join(found[:9])}")
    events = disk.events()
    disk.watch(None)
    return events, lefts[0]


def served(disk: Disk) -> None:
    """Start the process that commands are forked from, on this disk, and wait for its imports."""
    os.environ |= disk.environment
    multiprocessing.set_forkserver_preload([f"tracelab.{name}" for name in PRELOADED])
    first = multiprocessing.get_context("forkserver").Process(target=int)
    first.start()
    first.join()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--every", action="store_true", help="every write, not some of each file's")
    parser.add_argument("--some", type=int, help="so many of them alone, spread over all")
    parser.add_argument("--keep", action="store_true", help="leave all folders where they are")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON")
    options = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="full-disk-"))
    disk = Disk(base)
    served(disk)
    counts: dict[str, Count] = {}
    made: dict[str, tuple[list[tuple[str, str]], Any]] = {}
    for name in options.only:
        case = CASES[name]
        try:
            for each in needed(name):
                if each not in made:
                    made[each] = undisturbed(each, disk, base)
        except RuntimeError as error:
            counts[name] = Count(0, wrong={f"without a full disk {error}": [0]})
            print(f"{name}: {counts[name].wrong}", flush=True)
            continue
        events, left = made[name]
        count, began = Count(len(events), told(options.every, options.some)), time.monotonic()
        numbers = spread(chosen(events, options.every), options.some)
        print(f"{name}: {len(events)} writes, {len(numbers)} tried: {', '.join(listed(events))}", flush=True)
        for at in numbers:
            folder = prepared(base / "full" / name, base / "whole" / case.needs if case.needs else None)
            tried(case, at, disk, folder, left, count)
            if any(at in places for places in count.wrong.values()):
                why = [what for what, places in count.wrong.items() if at in places]
                print(f"  {name} {at} {' '.join(events[at - 1])}: {'; '.join(why)}", flush=True)
        counts[name] = count
        print(f"{name}: {vars(count)}, {time.monotonic() - began:.0f} s", flush=True)
        keep(options.results / "full_disk.json", name, count)
    if not options.keep:
        shutil.rmtree(base)
    if any(count.wrong for count in counts.values()):
        sys.exit("something went wrong; see above")


def needed(name: str) -> list[str]:
    """A command's name, after those of commands that have to come before."""
    before = CASES[name].needs
    return [*(needed(before) if before else []), name]


if __name__ == "__main__":
    main()
