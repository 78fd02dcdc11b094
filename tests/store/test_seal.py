"""Sealed files: read by torch as they are, and known for damaged whatever has happened to them."""

from __future__ import annotations

import errno
import io
import tempfile
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raytune_nn.store.seal import damage, is_sealed, write_sealed

STATE = {"weight": torch.arange(20.0), "steps": [1, 2, 3], "name": "x"}


def sealed(state: Any = STATE) -> bytes:
    file = io.BytesIO()
    write_sealed(partial(torch.save, state), file)
    return file.getvalue()


WHOLE = sealed()


def judged(path: Path, content: bytes | bytearray) -> str:
    path.write_bytes(content)
    return damage(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_it_is_what_torch_reads_and_a_zip_archive(path: Path) -> None:
    assert judged(path, WHOLE) == ""
    assert is_sealed(path)
    for mmap in (False, True):
        loaded = torch.load(path, weights_only=True, mmap=mmap)
        assert torch.equal(loaded["weight"], STATE["weight"])  # type: ignore[arg-type]
        assert (loaded["steps"], loaded["name"]) == (STATE["steps"], STATE["name"])
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.comment.startswith(b"raytune_nn crc32 ")


def test_every_flipped_bit_is_found(path: Path) -> None:
    for place in range(len(WHOLE)):
        changed = bytearray(WHOLE)
        changed[place] ^= 1 << place % 8
        assert judged(path, changed), f"bit {place % 8} of byte {place} of {len(WHOLE)}"


def test_every_bit_of_the_end_counts(path: Path) -> None:
    for place in range(len(WHOLE) - 30, len(WHOLE)):
        for bit in range(8):
            changed = bytearray(WHOLE)
            changed[place] ^= 1 << bit
            assert judged(path, changed), f"bit {bit} of byte {place} of {len(WHOLE)}"


def test_torch_alone_would_not_see_it(path: Path) -> None:
    place = WHOLE.index(torch.arange(20.0).numpy().tobytes()) + 42
    changed = bytearray(WHOLE)
    changed[place] ^= 1
    assert judged(path, changed)
    loaded = torch.load(path, weights_only=True)
    assert not torch.equal(loaded["weight"], STATE["weight"])  # type: ignore[arg-type]


def test_every_length_that_is_not_its_own_is_found(path: Path) -> None:
    for length in [*range(0, len(WHOLE), 13), *range(len(WHOLE) - 40, len(WHOLE))]:
        assert judged(path, WHOLE[:length]), f"{length} of {len(WHOLE)} bytes"
    for more in (b"\0", WHOLE[-1:], WHOLE[-30:], WHOLE):
        assert judged(path, WHOLE + more)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 4096))
def test_a_block_that_never_reached_the_disk_is_found(start: int, length: int) -> None:
    changed = bytearray(WHOLE)
    end = min(start + length, len(WHOLE))
    changed[start:end] = bytes(end - start)
    with tempfile.TemporaryDirectory() as folder:
        assert bool(judged(Path(folder) / "file", changed)) == (changed != WHOLE)


def test_a_file_of_many_chunks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for chunk in (1, 7, len(WHOLE) - 27, len(WHOLE) - 26, len(WHOLE)):
        monkeypatch.setattr("raytune_nn.store.seal._CHUNK", chunk)
        assert judged(path, WHOLE) == ""
        assert judged(path, b"\1" + WHOLE[1:])


def test_what_was_expected_and_what_was_found(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert damage(path) == "it is not there"
    assert judged(path, b"") == "it is empty"
    cut = WHOLE[:1000]
    assert judged(path, cut) == "its checksum was expected at its end, and none is there after 1,000 bytes"
    changed = b"\1" + WHOLE[1:]
    now = sealed({"other": 1})
    assert judged(path, changed).startswith(f"its checksum was {WHOLE[-8:].decode()}, is ")
    assert judged(path, now) == "", "a checksum is that of its own file"

    def unreadable(*_: object) -> None:
        raise OSError(number, "so it is")

    monkeypatch.setattr(Path, "open", unreadable)
    number = errno.EIO
    assert damage(path) == "the disk cannot read it (so it is)"
    number = errno.ESTALE
    with pytest.raises(OSError, match="so it is"):
        damage(path)


def test_other_files_have_no_seal(path: Path) -> None:
    torch.save(STATE, path)
    assert not is_sealed(path)
    path.write_bytes(b"")
    assert not is_sealed(path)
    path.write_bytes(b"\0" + WHOLE[1:])
    assert is_sealed(path), "be it of another content"
