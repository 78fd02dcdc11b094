"""What to type next, about a study that is there."""

from __future__ import annotations

import itertools
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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


def another_command(folder: StudyFolder, command: str, *overrides: str) -> str:
    """What begins a study like this one with other settings, under a name that is free.

    Args:
        command: What was typed to begin it.
        overrides: Of which each replaces what was typed for the same key.
    """
    return _begun(folder, command, overrides, searches=True)


def training_command(folder: StudyFolder, command: str, params: Mapping[str, Any], *overrides: str) -> str:
    """What trains one trial of a study alone, with other settings: without the search, with the values it had.

    Args:
        command: What was typed to begin the study.
        params: Of the trial.
        overrides: Of which each replaces what was typed, or sampled, for the same key.
    """
    keys = {_key(word) for word in overrides}
    values = [_override(path, value) for path, value in params.items() if path not in keys]
    return _begun(folder, command, (*values, *overrides), searches=False)


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


def _begun(folder: StudyFolder, command: str, overrides: Sequence[str], searches: bool) -> str:
    typed, replaced = shlex.split(command), {_key(word) for word in overrides}
    kept = [word for word in typed if _stays(word, replaced, searches)]
    named = any(_key(word) == "study.name" for word in typed)  # else every study has a name of its own
    name = [_override("study.name", _next_name(folder))] if named else []
    return shlex.join([*kept, *overrides, _override("study.storage", _storage(folder)), *name])


def _stays(word: str, replaced: set[str], searches: bool) -> bool:
    """Whether a word that was typed is typed again."""
    key = _key(word)
    if word.startswith("-") or not re.match(r"[+~]|[^=]+=", word):  # a flag, its value, or what comes before them
        return True
    if key in replaced or key in ("study.name", "study.storage", "study.resume", "study.trial", "mode"):
        return False
    return searches or not re.match(r"search\b|search_space\b|budget\.num_trials$", key)


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]


def _next_name(folder: StudyFolder) -> str:
    """The study's name with the next number behind it that is free."""
    stem, number = re.fullmatch(r"(.*?)(?:-(\d{1,6}))?", folder.name, re.DOTALL).groups()  # type: ignore[union-attr]
    names = (f"{stem}-{more}" for more in itertools.count(int(number or 1) + 1))
    return next(name for name in names if not folder.path.with_name(name).exists())


def _named(folder: StudyFolder) -> list[str]:
    """The overrides that name a study."""
    return [_override("study.storage", _storage(folder)), _override("study.name", folder.name)]


def _override(key: str, value: object) -> str:
    """A value as Hydra reads it back."""
    return f"{key}={_literal(value)}"


def _literal(value: object) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_literal, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{_text(str(key))}:{_literal(item)}' for key, item in value.items())}}}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _text(text: str) -> str:
    """In quotes where Hydra's grammar would see a number, a list or nothing legible."""
    legible = re.fullmatch(r"[A-Za-z0-9_./:+@%-]+", text) and text.lower() not in (
        "null",
        "true",
        "false",
        "nan",
        "inf",
    )
    if legible and not re.fullmatch(r"[0-9_.eE+-]*[0-9][0-9_.eE+-]*", text):
        return text
    doubled = re.sub(r"(\\+)(?='|$)", r"\1\1", text)  # only before a quote does a backslash mean more than itself
    return "'" + doubled.replace("'", r"\'") + "'"


def _storage(folder: StudyFolder) -> str:
    return folder.storage_url or _short(folder.path.parent)


def _short(path: os.PathLike[str]) -> str:
    """Relative to here where that is shorter."""
    relative = os.path.relpath(path)
    return relative if len(relative) < len(os.fspath(path)) else os.fspath(path)
