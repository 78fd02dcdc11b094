"""What to type next, about a study that is there."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from raytune_nn.store.folder import StudyFolder


def commands(folder: StudyFolder, command: str, winner: bool = True) -> tuple[str, str]:
    """What to type next: the command that resumes the study, and the others as a text.

    Args:
        command: What was typed to begin it.
        winner: Whether there is one, to be reproduced.
    """
    named = _named(folder)
    dropped = ("study.name=", "study.storage=", "study.resume=", "study.trial=", "mode=")
    typed = [word for word in shlex.split(command) if not word.lstrip("+").startswith(dropped)]
    resume = shlex.join([*typed, *named])
    rows = [
        ("resume", resume),
        *([("reproduce", reproduce_command(folder))] if winner else []),
        ("tensorboard", tensorboard(folder)),
    ]
    return resume, "\n".join(["", *(f"{name:<12}{text}" for name, text in rows)])


def tensorboard(folder: StudyFolder) -> str:
    """The command that shows a study in TensorBoard, while it runs and afterwards."""
    return f"tensorboard --logdir {shlex.quote(place(folder, folder.tensorboard))}"


def reproduce_command(folder: StudyFolder, trial: str | None = None) -> str:
    """What trains a trial again, the best where none is named."""
    which = [] if trial is None else [f"study.trial={trial}"]
    return mode_command(folder, "reproduce", *which)


def mode_command(folder: StudyFolder, mode: str, *overrides: str) -> str:
    """What runs a mode on a study that exists."""
    return shlex.join(["python", "-m", "raytune_nn", f"mode={mode}", *_named(folder), *overrides])


def report_command(folder: StudyFolder) -> str:
    """What writes the page of a study."""
    return mode_command(folder, "report")


def list_command(folder: StudyFolder) -> str:
    """What lists the studies beside this one."""
    return shlex.join(["python", "-m", "raytune_nn", "mode=list", _override("study.storage", _storage(folder))])


def report_line(folder: StudyFolder) -> str:
    """Where the page of a study is."""
    return f"{'report':<12}{place(folder, folder.report)}"


def place(folder: StudyFolder, path: Path) -> str:
    """A path of a study as a person reads it: a URL on an object store, else relative where that is shorter."""
    return folder.shown(path) if folder.url else _short(path)


def _named(folder: StudyFolder) -> list[str]:
    """The overrides that name a study."""
    return [_override("study.storage", _storage(folder)), _override("study.name", folder.name)]


def _override(key: str, text: str) -> str:
    """A text as Hydra reads it back: in quotes where its grammar would see a number, a list or nothing legible."""
    legible = re.fullmatch(r"[A-Za-z0-9_./:+@%-]+", text) and text.lower() not in (
        "null",
        "true",
        "false",
        "nan",
        "inf",
    )
    if legible and not re.fullmatch(r"[0-9_.eE+-]*[0-9][0-9_.eE+-]*", text):
        return f"{key}={text}"
    doubled = re.sub(r"(\\+)(?='|$)", r"\1\1", text)  # only before a quote does a backslash mean more than itself
    quoted = doubled.replace("'", r"\'")
    return f"{key}='{quoted}'"


def _storage(folder: StudyFolder) -> str:
    return folder.storage_url or _short(folder.path.parent)


def _short(path: os.PathLike[str]) -> str:
    """Relative to here where that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(os.fspath(path)) else os.fspath(path)
