"""Which of the user's files travel to the nodes; that they are imported there is in test_growing.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from raytune_nn.cluster import modules
from raytune_nn.cluster.modules import pack_modules
from raytune_nn.errors import ConfigError


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{folder.name}/{name}")
    return folder


def packed(into: Path, *path: Path | str) -> dict[str, str]:
    """The files that travel, and which ones they are."""
    assert pack_modules(into, [str(folder) for folder in path]) == into.exists()
    return {file.relative_to(into).as_posix(): file.read_text() for file in into.rglob("*") if file.is_file()}


def test_modules_and_packages_travel_and_nothing_else(tmp_path: Path) -> None:
    work = write(
        tmp_path / "work",
        *("mine.py", "my_pkg/__init__.py", "my_pkg/nets/deep.py", "space/net.py"),
        *("data/rows.csv", "my_pkg/rows.csv", "my_conf/model/mine.yaml", "studies/first/best/model.ckpt"),
        *(".git/hook.py", ".venv/lib/site.py", "venv/lib/python3.11/site.py", "not-importable/a.py", ".hidden.py"),
        *("my_pkg/__pycache__/deep.py", "raytune_nn/__init__.py"),
    )
    (work / "loop").symlink_to(work)
    assert set(packed(tmp_path / "into", work)) == {
        *("mine.py", "my_pkg/__init__.py", "my_pkg/nets/deep.py", "space/net.py"),
    }


def test_of_two_modules_the_one_that_is_imported_travels(tmp_path: Path) -> None:
    first = write(tmp_path / "first", "one.py", "two/__init__.py")
    second = write(tmp_path / "second", "one/__init__.py", "two.py", "three.py")
    assert packed(tmp_path / "into", first, second, first) == {
        "one.py": "first/one.py",
        "two/__init__.py": "first/two/__init__.py",
        "three.py": "second/three.py",
    }


def test_what_is_installed_stays(tmp_path: Path) -> None:
    write(tmp_path / "site-packages", "torch/__init__.py")
    assert packed(tmp_path / "into", tmp_path / "site-packages", tmp_path / "gone", "") == {}


def test_an_unreadable_file_is_passed_over(tmp_path: Path) -> None:
    work = write(tmp_path / "work", "mine.py")
    (work / "broken.py").symlink_to(tmp_path / "nowhere")
    assert set(packed(tmp_path / "into", work)) == {"mine.py"}


def test_too_much_is_refused_with_what_is_largest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "LARGEST", 2**20)
    work = write(tmp_path / "work", "mine.py", "large/a.py", "large/b.py")
    for name in "ab":
        (work / "large" / f"{name}.py").write_bytes(b"#" * 600_000)
    with pytest.raises(ConfigError) as raised:
        pack_modules(tmp_path / "into", [str(work)])
    assert raised.value.rule.endswith("must have 1 MB at most")
    assert str(raised.value.found).startswith("1.1 MB in ")
    assert str(raised.value.found).endswith("most of them in large")
    assert not (tmp_path / "into").exists()
