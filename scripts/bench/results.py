"""Runs the benches of the engine one after another, and writes the section of each into results.md as soon as it ended.

    [QUICK=1] .venv/bin/python scripts/bench/results.py [overhead startup scale rate slots epoch memory decisions
        report watching forecast doctor confirm]

Sections of other benches stay as they are; so does that of a bench that fails, which the exit code tells at the end.
With QUICK=1 there are fewer trials and repeats: each section shows the commands that it comes from. Not among them:
replay, pbt and recipes (what the search algorithms come to), each with its own page of options.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from timings import REPOSITORY, SHARED

RESULTS = REPOSITORY / "scripts" / "bench" / "results.md"
HEAD = "# Benches of the engine\n\nWritten by `scripts/bench/all`; each section says when and where it was measured.\n"
LIBRARIES = ("optuna", "pytorch-lightning", "ray", "torch")


@dataclass(frozen=True)
class Command:
    """One command of a bench."""

    typed: str  # the script and its arguments
    minutes: float  # on two cores
    needs: Path | None = None  # a folder of data


def benches(quick: bool) -> dict[str, list[Command]]:
    """All of them, by the name of their section, in its order."""
    repeats, starts, trials, short = (2, 3, 2000, 3) if quick else (3, 5, 10_000, 5)
    seeds = 2 if quick else 20
    return {
        "overhead": [Command(f"overhead.py --repeats {repeats}", 6 * repeats)],
        "startup": [Command(f"startup.py --repeats {starts}", starts / 2)],
        "scale": [Command(f"scale.py --trials {trials}", 0.0034 * trials)],  # ours is a third of it, Ray Tune the rest
        "rate": [Command(f"scale.py --trials 480 --repeats {short}", 2.5 * short)],  # Ray Tune's runs differ much
        "slots": [
            Command("scale.py --trials 240 --seconds 0.5 --slots 2 --reports 21", 6),
            Command("scale.py --trials 16 --seconds 10 --slots 2", 4),
        ],
        "epoch": [Command("epoch.py", 3)],
        "memory": [Command("memory.py", 12)],
        "decisions": [Command("decisions.py", 1, needs=SHARED / "curves")],
        "report": [Command("report.py", 2)],
        "watching": [Command("watching.py", 2)],
        "forecast": [Command("forecast.py", 28, needs=SHARED / "data")],
        "doctor": [
            Command(f"doctor.py --seeds {seeds} --recipe-seeds 0 --studies 0 --epochs 0", seeds),
            Command("doctor.py --seeds 0 --studies 0 --epochs 0", 5, needs=SHARED / "data"),
            Command("doctor.py --seeds 0 --recipe-seeds 0 --epochs 0", 3),
            Command(f"doctor.py --seeds 0 --recipe-seeds 0 --studies 0 --epochs {100 * short}", 3),
        ],
        "confirm": [Command("confirm.py --samples 2000 --studies 500" if quick else "confirm.py", 5 if quick else 12)],
    }


def main(names: Sequence[str], quick: bool, results: Path = RESULTS) -> None:
    """Runs those named, or all.

    Raises:
        SystemExit: A name is none of them or data are missing: nothing was run; or a bench failed.
    """
    known = benches(quick)
    check(names, known)
    chosen = {name: known[name] for name in known if name in (names or known)}
    minutes = sum(command.minutes for commands in chosen.values() for command in commands)
    print(f"{', '.join(chosen)}: about {minutes:.0f} minutes", file=sys.stderr, flush=True)
    failed = []
    for name, commands in chosen.items():
        output = run(name, commands)
        if output is None:
            failed.append(name)
        else:
            text = results.read_text() if results.exists() else ""
            write(results, sections(text) | {name: output}, known)
    if failed:
        sys.exit(f"failed, so {results.name} has nothing new of them: {', '.join(failed)}")


def check(names: Sequence[str], known: Mapping[str, Sequence[Command]]) -> None:
    """Whether all that is to be run exists, before anything is measured."""
    for name in names:
        if name not in known:
            sys.exit(f"there is no bench {name!r}: {', '.join(known)}")
    for name in names or known:
        for command in known[name]:
            if command.needs is not None and not any(command.needs.glob("*")):
                others = " ".join(other for other in names or known if other != name)
                sys.exit(f"{name} needs {command.needs} (RAYTUNE_NN_SHARED names its parent); without it: {others}")


def run(name: str, commands: Sequence[Command]) -> str | None:
    """The text of a section below its heading; None where a command failed, after what it printed was shown."""
    parts = [f"{time.strftime('%Y-%m-%d')}, {machine()}"]
    for command in commands:
        print(f"== {command.typed}", file=sys.stderr, flush=True)
        typed = [sys.executable, *f"scripts/bench/{command.typed}".split()]
        done = subprocess.run(typed, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            print("\n\n".join([*parts, done.stdout]), f"{name} failed: {command.typed}", file=sys.stderr, sep="\n")
            return None
        parts.append(f"`scripts/bench/{command.typed}`\n\n{done.stdout.strip()}")
    return "\n\n".join(parts)


def machine() -> str:
    """Cores and versions."""
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"{os.cpu_count()} cores ({found[1] if found else '?'}), Python {platform.python_version()}, {libraries}"


def sections(text: str) -> dict[str, str]:
    """What stands in the file below each of its headings."""
    _, *parts = re.split(r"^## (\w+)\n", text, flags=re.MULTILINE)
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def write(results: Path, found: Mapping[str, str], known: Mapping[str, object]) -> None:
    """The whole file, in the order of the benches; those that it lacks are named at its top."""
    missing = [name for name in known if name not in found]
    text = HEAD + (f"Not measured yet: {', '.join(missing)}.\n" if missing else "")
    text += "".join(f"\n## {name}\n\n{found[name]}\n" for name in known if name in found)
    draft = results.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(results)


if __name__ == "__main__":
    main(sys.argv[1:], quick=bool(os.environ.get("QUICK")))
