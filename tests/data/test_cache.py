"""The cache: decoded once by all processes, never out of date, and no harm where it is broken or cannot be written."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from raytune_nn.data.cache import Named, cache_folder, cached


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache's folder."""
    monkeypatch.setenv("RAYTUNE_NN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to decode."""
    path = tmp_path / "numbers.txt"
    path.write_text("1 2 3")
    return path


class Decoder:
    """Reads the source, and writes a line to a log each time."""

    def __init__(self, source: Path, seconds: float = 0.0) -> None:
        self.source, self.seconds = source, seconds
        self.log = source.with_suffix(".log")

    def __call__(self) -> Named:
        with self.log.open("a") as log:
            log.write("decoded\n")
        time.sleep(self.seconds)
        numbers = np.array([float(word) for word in self.source.read_text().split()])
        return {"numbers": np.tile(numbers, 1000), "names": np.array(["a", "bcd"])}

    @property
    def times(self) -> int:
        """How often it was called, by all processes."""
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


def get(decoder: Decoder, name: str = "numbers 1", **options: object) -> Named:
    return cached(name, [decoder.source], options, decoder)


def check(arrays: Named) -> None:
    assert np.array_equal(arrays["numbers"], np.tile([1.0, 2.0, 3.0], 1000))
    assert arrays["names"].tolist() == ["a", "bcd"]


def entry_of(folder: Path) -> Path:
    (entry,) = (path for path in folder.iterdir() if path.is_dir())
    return entry


def run(*bodies: Callable[[], object]) -> list[int | None]:
    """Exit codes of processes that run these at once."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=body) for body in bodies]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    return [process.exitcode for process in processes]


def test_the_second_time_nothing_is_decoded(source: Path) -> None:
    decoder = Decoder(source)
    for _ in range(3):
        check(get(decoder))
    assert decoder.times == 1


def test_arrays_are_mapped_and_a_change_stays_in_its_process(source: Path) -> None:
    decoder = Decoder(source)
    for _ in range(2):
        arrays = get(decoder)
        assert isinstance(arrays["numbers"], np.memmap)
        tensor = torch.from_numpy(arrays["numbers"])  # a read-only array would be warned of
        assert tensor[0] == 1
        tensor[0] = 7


def test_processes_that_want_it_at_once_decode_once(source: Path) -> None:
    decoder = Decoder(source, seconds=0.2)
    assert run(*[lambda: check(get(decoder))] * 6) == [0] * 6
    assert decoder.times == 1


@pytest.mark.parametrize("change", ["content", "time", "options", "decoder", "path"])
def test_whatever_the_arrays_follow_from_is_in_the_key(source: Path, change: str) -> None:
    decoder, options, name = Decoder(source), {"side": 8}, "numbers 1"
    get(decoder, name, **options)
    if change == "content":
        status = source.stat()
        source.write_text("1 2 3 4")
        os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    elif change == "time":
        os.utime(source, ns=(0, source.stat().st_mtime_ns + 1))
    elif change == "options":
        options = {"side": 9}
    elif change == "decoder":
        name = "numbers 2"
    else:
        decoder.source = source.rename(source.with_name("moved.txt"))
    get(decoder, name, **options)
    assert decoder.times == 2


def test_a_relative_path_finds_the_entry_of_the_absolute_one(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Decoder(source)
    get(decoder)
    monkeypatch.chdir(source.parent)
    cached("numbers 1", [Path(source.name)], {}, decoder)
    assert decoder.times == 1


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


HARM: dict[str, Callable[[Path], Any]] = {
    "cut off": lambda entry: os.truncate(entry / "numbers.npy", 1000),
    "a bit": lambda entry: _flip(entry / "numbers.npy"),
    "empty": lambda entry: (entry / "numbers.npy").write_bytes(b""),
    "gone": lambda entry: (entry / "names.npy").unlink(),
    "sums gone": lambda entry: (entry / "sums.json").unlink(),
    "sums cut off": lambda entry: os.truncate(entry / "sums.json", 20),
    "sums empty": lambda entry: (entry / "sums.json").write_text("{}"),
    "sums of another kind": lambda entry: (entry / "sums.json").write_text('["numbers"]'),
    "sums not utf-8": lambda entry: (entry / "sums.json").write_bytes(b"\xff\xfe"),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_broken_entry_is_decoded_again_and_replaced(source: Path, folder: Path, harm: str) -> None:
    decoder = Decoder(source)
    get(decoder)
    HARM[harm](entry_of(folder))
    check(get(decoder))
    assert decoder.times == 2
    check(get(decoder))
    assert decoder.times == 2


def test_a_decoder_that_is_killed_leaves_the_next_one_free(source: Path, folder: Path) -> None:
    def killed() -> Named:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    decoder = Decoder(source)
    assert run(lambda: cached("numbers 1", [source], {}, killed)) == [-signal.SIGKILL]
    check(get(decoder))
    assert decoder.times == 1


def test_a_draft_that_was_left_half_is_overwritten(source: Path, folder: Path) -> None:
    decoder = Decoder(source)
    get(decoder)
    entry = entry_of(folder)
    draft = entry.rename(entry.with_suffix(".draft"))
    (draft / "old.npy").write_bytes(b"old")
    check(get(decoder))
    check(get(decoder))
    assert decoder.times == 2
    assert entry_of(folder) == entry
    assert not (entry / "old.npy").exists()


def test_a_decoder_that_fails_leaves_no_entry_and_its_error(source: Path, folder: Path) -> None:
    def fails() -> Named:
        raise ValueError("row 3 is wrong")

    for _ in range(2):
        with pytest.raises(ValueError, match="row 3 is wrong"):
            cached("numbers 1", [source], {}, fails)
    check(get(Decoder(source)))


def test_where_the_cache_cannot_be_written_arrays_are_in_memory(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYTUNE_NN_CACHE", str(source / "below_a_file"))
    decoder = Decoder(source)
    for _ in range(2):
        check(get(decoder))
    assert decoder.times == 2


def test_a_full_disk_leaves_the_arrays_in_memory_and_no_draft(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    decoder = Decoder(source)
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full)
        check(get(decoder))
    assert [path.suffix for path in folder.iterdir()] == [".lock"]
    check(get(decoder))
    assert decoder.times == 2


def test_an_entry_of_a_cache_that_cannot_be_locked_is_used(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = Decoder(source)
    get(decoder)
    (lock,) = folder.glob("*.lock")
    lock.unlink()
    lock.mkdir()  # opening it fails, whoever asks
    check(get(decoder))
    assert decoder.times == 1


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"absent\.gz: must be a file that can be read, but: No such file"):
        get(Decoder(tmp_path / "absent.gz"))


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("RAYTUNE_NN_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == tmp_path / "home/.cache/raytune_nn"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg/raytune_nn"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the XDG specification
    assert cache_folder() == tmp_path / "home/.cache/raytune_nn"
