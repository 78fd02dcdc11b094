"""Commands as real processes, each in a session, a working directory and a temporary folder of its own."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
PYTHON = (sys.executable, "-m", "raytune_nn")
TIMEOUT = 600.0  # seconds; a command takes 5 to 20, and many times that on a busy machine


def hear_hangups() -> None:
    """In a child: as from a terminal, also where the tests themselves run under `nohup`."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@dataclass(frozen=True)
class Finished:
    """What a command left behind."""

    code: int
    out: str
    err: str
    seconds: float


@dataclass(frozen=True)
class Place:
    """Where commands run: ``work`` is their working directory, ``temporary`` is theirs alone."""

    work: Path
    temporary: Path
    python_path: str = str(REPOSITORY)
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, command: tuple[str, ...] = PYTHON) -> Finished:
        """Runs a command to its end."""
        began = time.monotonic()
        with self.start(*arguments, command=command) as process:
            out, err = process.communicate(timeout=TIMEOUT)
        return Finished(process.returncode, out, err, time.monotonic() - began)

    @contextmanager
    def start(self, *arguments: str, command: tuple[str, ...] = PYTHON) -> Iterator[subprocess.Popen[str]]:
        """A running command; what is left of its session is killed in the end."""
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=self.work,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=hear_hangups,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()

    def processes(self) -> list[str]:
        """What still runs of the commands started here."""
        mark = f"TMPDIR={self.temporary}\0".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:  # it ended meanwhile, or is somebody else's
                continue
        return found

    def leftovers(self) -> list[str]:
        """Files in the temporary folder, but for the cache folder that importing torch makes there."""
        paths = [path for path in self.temporary.iterdir() if not path.name.startswith("torchinductor_")]
        return [path.name for path in paths if not _is_trial_of_the_folder(path)]

    def until_empty(self) -> None:
        """Waits until nothing runs and nothing is left: where a command leaves at once, others end the rest."""
        wait_until(lambda: not self.processes() and not self.leftovers(), 30)

    def study(self, name: str = "first") -> Path:
        return self.work / "studies" / name

    def _variables(self) -> dict[str, str]:
        """Those of the tests, but for what a Ray in their own process left there."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "TUNE_"))}
        mine = {"TMPDIR": str(self.temporary), "PYTHONPATH": self.python_path}
        return {**inherited, "HYDRA_FULL_ERROR": "", **mine, **self.environment}


def _is_trial_of_the_folder(path: Path) -> bool:
    """What Python's `tempfile` writes to see whether it can; an interpreter that is killed just then leaves it."""
    try:
        return len(path.name) == 8 and path.is_file() and path.read_bytes() in (b"", b"blat")
    except FileNotFoundError:
        return True


@dataclass(frozen=True)
class Study:
    """A finished study and what its command printed."""

    place: Place
    ran: Finished

    @property
    def folder(self) -> Path:
        return self.place.study()


FIRST = ("+search=asha", "study.name=first", "budget.num_trials=6", "budget.max_epochs=9", "seed=1")


@cache
def first_study() -> Study:
    """One small study for all tests that only read it."""
    place = Place(Path(tempfile.mkdtemp(prefix="e2e-")), Path(tempfile.mkdtemp(prefix="e2e-")))
    for folder in (place.work, place.temporary):
        atexit.register(shutil.rmtree, folder)
    ran = place.run(*FIRST)
    assert ran.code == 0, ran.err
    return Study(place, ran)


@contextmanager
def new_place(work: Path, **fields: Any) -> Iterator[Place]:
    """A place whose temporary folder is short enough for Ray's sockets, and gone in the end."""
    with tempfile.TemporaryDirectory(prefix="e2e-") as temporary:
        yield Place(work, Path(temporary), **fields)


UNTIL_HURRIED = """

class Slow(Scripted):
    def training_step(self, batch, batch_idx):
        time.sleep(0 if os.path.exists("hurry") else 1)  # an epoch: as slow as a test needs it
        return super().training_step(batch, batch_idx)
"""


def write_scripted(place: Place, module: str = "") -> tuple[str, ...]:
    """Puts the scripted module of ``tests/study`` there, with its options of `model` and `data`; the overrides for it.

    Args:
        module: More code for it.
    """
    source = REPOSITORY / "tests" / "study" / "scripted_module.py"
    (place.work / "scripted_module.py").write_text(source.read_text() + module)
    name = "Slow" if module else "Scripted"
    options = {
        "model/scripted.yaml": f"{{_target_: scripted_module.{name}, value: 0.5, does: train, notes: notes}}",
        "data/scripted.yaml": "{_target_: scripted_module.OneBatch}",
        "search_space/scripted.yaml": "{model: {value: 'uniform(0, 1)'}}",
    }
    write_options(place.work, options)
    return ("study.name=first", "--config-dir", "conf", "model=scripted", "data=scripted", "optimizer=from_model")


def write_options(work: Path, options: Mapping[str, str]) -> None:
    """Options of groups, by their paths in ``conf``, and a folder ``notes`` for the notes of their modules."""
    for path, text in options.items():
        (work / "conf" / path).parent.mkdir(parents=True, exist_ok=True)
        (work / "conf" / path).write_text(text)
    (work / "notes").mkdir(exist_ok=True)


def noted_pids(notes: Path, value: float) -> list[int]:
    """The processes that trained the trial of this value, an entry an attempt; none where it has not begun."""
    path = notes / str(value)
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def summary(study: Path) -> dict[str, Any]:
    """A study's ``summary.json``."""
    read: dict[str, Any] = json.loads((study / "summary.json").read_text())
    return read


def events(study: Path, kind: str = "") -> list[dict[str, Any]]:
    """All whole lines of a study's journal so far, or those of a kind; none where there is no journal yet."""
    lines = [line for path in sorted((study / "journal").glob("*.jsonl")) for line in path.read_text().split("\n")[:-1]]
    found = [json.loads(line.partition(" ")[2]) for line in lines]
    return [event for event in found if kind in ("", event["type"])]


def rows(study: Path) -> list[dict[str, str]]:
    """The table of trials, a mapping a row."""
    head, *lines = (study / "trials.csv").read_text().splitlines()
    return [dict(zip(head.split(","), line.split(","), strict=True)) for line in lines]


def is_gone(pid: int) -> bool:
    """Whether a process has ended, also where its parent does not know yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Looks ten times a second."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.1)
