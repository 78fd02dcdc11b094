"""The user's modules on their way to nodes that have none of the command's folders.

What Python finds beside the command and on PYTHONPATH is what a trial may import, and what its nodes get: the Python
files there and in the packages there. Ray takes them to each node once, and drops them after the study. Data, the study
storage, environments and whatever is installed do not travel.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from raytune_nn.errors import ConfigError

LARGEST = 20 * 2**20  # bytes of all files; Ray keeps them in the memory of the cluster's head
_OURS = "raytune_nn"  # which all nodes have, in this version


def pack_modules(into: Path, path: Sequence[str]) -> bool:
    """Copies the modules into a new folder that Ray is to take to the nodes.

    Args:
        into: Is made where there are any.
        path: Folders in the order in which Python searches them.

    Returns:
        Whether there are any.

    Raises:
        ConfigError: They are too large.
    """
    found = dict[str, Path]()
    for folder in dict.fromkeys(path):
        if folder and not _is_installed(folder):
            with contextlib.suppress(OSError):  # as Python passes over a folder that it cannot read
                _add_modules(Path(folder), found)
    _check_size(found)
    for name, file in found.items():
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # a link to nowhere, or a file that this user cannot read
            shutil.copyfile(file, into / name)
    return bool(found)


def _is_installed(folder: str) -> bool:
    """Whether a folder is one of an environment, as nodes have of their own."""
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(folder).parts)


def _add_modules(folder: Path, found: dict[str, Path]) -> None:
    """The first module of a name is the one that is imported."""
    taken = {name.partition("/")[0].removesuffix(".py") for name in found} | {_OURS}
    for file in _python_files(folder):
        name = file.relative_to(folder).as_posix()
        if name.partition("/")[0].removesuffix(".py") not in taken:
            found[name] = file


def _python_files(folder: Path) -> Iterator[Path]:
    """Those of a folder and of the packages in it: folders with Python files, so that no data is walked through."""
    entries = sorted(folder.iterdir())
    yield from (
        entry for entry in entries if entry.suffix == ".py" and not entry.name.startswith(".") and entry.is_file()
    )
    for entry in entries:
        if entry.name.isidentifier() and entry.name != "__pycache__" and not entry.is_symlink() and _is_package(entry):
            yield from _python_files(entry)


def _is_package(folder: Path) -> bool:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return any(entry.name.endswith(".py") for entry in entries)
    return False


def _check_size(found: dict[str, Path]) -> None:
    sizes = Counter[str]()
    for name, file in found.items():
        with contextlib.suppress(OSError):
            sizes[name.partition("/")[0]] += file.stat().st_size
    if sizes.total() > LARGEST:
        ((largest, _),) = sizes.most_common(1)
        raise ConfigError(
            f"the Python files beside a command travel to the nodes, and must have {LARGEST // 2**20} MB at most",
            f"{sizes.total() / 2**20:.1f} MB in {os.getcwd()} and on PYTHONPATH, most of them in {largest}",
            "cd <a folder with the modules of this study alone>",
        )
