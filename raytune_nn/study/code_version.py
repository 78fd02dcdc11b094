"""The version of the code that trains: of libraries their numbers, of the user's own modules their source."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import platform
import sys
import sysconfig
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from raytune_nn import __version__

_OURS = __name__.partition(".")[0]
_TRAINS = ("nn", "data", "trial")
_ALWAYS = ("torch", "pytorch-lightning")
_STANDARD = frozenset(("__main__", _OURS)) | sys.stdlib_module_names
_INSTALLED = tuple({sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")})


def code_version(targets: Iterable[str]) -> dict[str, str]:
    """What was installed or written under each top-level name that the targets need; nothing is imported.

    A module of the user's own counts with all ``.py`` files of its package and of the local packages and modules that
    these import, at whatever depth; an installed one with its version.

    Args:
        targets: Dotted names, as in ``_target_``.
    """
    found = {"python": platform.python_version(), _OURS: _ours()} | {name: version(name) for name in _ALWAYS}
    waiting = sorted({target.partition(".")[0] for target in targets})
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        files = _own_files(name)
        if files:
            found[name] = _hash(files)
            waiting += sorted({other for path in files for other in _imports(path.read_bytes()) if _own_files(other)})
        elif name not in _STANDARD:
            found[name] = _installed(name)
    return found


def _ours() -> str:
    """Our version, and what of us is in a training; a checkout changes between two versions."""
    files = [path for part in _TRAINS for path in sorted((Path(__file__).parents[1] / part).rglob("*.py"))]
    return f"{__version__}, {_hash(files)}"


def _own_files(name: str) -> list[Path]:
    """The source of a top-level module or package that is neither Python's, nor installed, nor ours."""
    if name in _STANDARD:
        return []
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return []
    return [] if spec is None else [path for path in _files(spec) if not str(path).startswith(_INSTALLED)]


def _files(spec: ModuleSpec) -> list[Path]:
    if spec.submodule_search_locations is not None:
        return sorted(path for folder in spec.submodule_search_locations for path in Path(folder).rglob("*.py"))
    return [Path(spec.origin)] if spec.origin is not None and spec.origin.endswith(".py") else []


def _hash(files: list[Path]) -> str:
    """Of the files' contents and names."""
    state = hashlib.blake2b(digest_size=8)
    for path in files:
        content = path.read_bytes()
        state.update(f"{path.name}\0{len(content)}\0".encode() + content)
    return f"source {state.hexdigest()}"


def _imports(content: bytes) -> set[str]:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # stage B says what is wrong with it, if it is needed at all
        return set()
    nodes = list(ast.walk(tree))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level]
    return {name.partition(".")[0] for name in names}


def _installed(name: str) -> str:
    try:
        return version(name.replace("_", "-"))
    except PackageNotFoundError:
        packages = packages_distributions().get(name, [])
        return ", ".join(f"{package} {version(package)}" for package in sorted(set(packages))) or "unknown"
