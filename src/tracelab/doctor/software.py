"""What is installed: Python, libraries in their versions, and a C++ compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tracelab.core.files import read_text
from tracelab.core.paths import ROOT
from tracelab.doctor.finding import BAD, NOTE, Finding


def python() -> Finding:
    """The interpreter."""
    version = sys.version.split()[0]
    text = f"{version} at {sys.executable}"
    wanted = metadata.metadata("tracelab")["Requires-Python"]
    if not SpecifierSet(wanted).contains(version, prereleases=True):
        mend = f"tracelab needs {wanted}: make clean, then make PYTHON=<such a python> install"
        return Finding("python", text, BAD, mend)
    return Finding("python", text)


def versions() -> Iterator[Finding]:
    """The libraries that tracelab needs: as the project asks for, and as constraints.txt pins them?"""
    wanted = [Requirement(line) for line in metadata.requires("tracelab") or () if "extra ==" not in line]
    pinned, other = pins(), []
    for requirement in wanted:
        name = canonicalize_name(requirement.name)
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield Finding("versions", f"{requirement.name} is not installed", BAD, "make install")
            continue
        if not requirement.specifier.contains(version.split("+")[0], prereleases=True):
            text = f"{requirement.name} {version}, but {requirement.specifier} is needed"
            yield Finding("versions", text, BAD, f"python -m pip install '{requirement}'")
        elif version.split("+")[0] != (pin := pinned.get(name, version.split("+")[0])):
            other.append(f"{name} {version} (pinned: {pin})")
    if other:
        mend = "they may work; make install takes the versions that the tests run with"
        yield Finding("versions", ", ".join(other), NOTE, mend)
    else:
        yield Finding("versions", f"{len(wanted)} libraries as {'pinned' if pinned else 'asked for'}")


def pins() -> dict[str, str]:
    """Library (`pyyaml`, of PyYAML) -> version, of a clone's constraints.txt; {} where there is none."""
    path = ROOT / "constraints.txt"
    lines = read_text(path).splitlines() if path.is_file() else []
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def compiler() -> Finding:
    """A C++ compiler and Python's headers, which compile=true needs on a CPU."""
    asked = os.environ.get("CXX")
    name = "g++" if asked is None else asked  # as torch has it, which takes the whole as a program's name
    headers = (Path(sysconfig.get_path("include")) / "Python.h").is_file()
    if not shutil.which(name) and asked is not None:
        mend = "only compile=true needs it; unset CXX, or have it name a program alone (CXX=clang++)"
        return Finding("compiler", f"CXX={asked} names no program", NOTE, mend)
    if not shutil.which(name) or not headers:
        lacks = "Python.h is missing" if shutil.which(name) else "no g++, and no CXX that names another"
        mend = "only compile=true needs it; on Debian: apt install g++ python3-dev"
        return Finding("compiler", lacks, NOTE, mend)
    done = subprocess.run([name, "--version"], capture_output=True, check=False)
    said = done.stdout.decode(errors="replace").splitlines() or [name]
    return Finding("compiler", f"{said[0]}: compile=true works")
