"""A file that shows whether it is as it was written: its checksum stands at its end, wherever it is copied or linked.

``torch.save`` writes a zip archive, and an archive may end in a comment, which readers skip: that is where the checksum
is. So there is no second file, which a kill could part from the first, and ``torch.load`` reads a sealed file as it is;
it looks at no checksum itself. The checksum is zlib's CRC-32: a flipped bit, or 32 beside each other, never escape it.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

_NO_COMMENT = struct.pack("<H", 0)  # the last two bytes of an archive without one: its length
_MARK = b"raytune_nn crc32 "
_SUM = 8  # hexadecimal digits
_SEAL = struct.pack("<H", len(_MARK) + _SUM) + _MARK
_CHUNK = 2**20


class _Summed:
    """Passes on to a file what is written to it, and sums it up."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.flush = file, file.flush
        self.sum = 0

    def write(self, data: Any) -> int:
        self.sum = zlib.crc32(data, self.sum)
        return self._file.write(data)


def write_sealed(write: Callable[[Any], Any], file: IO[bytes]) -> None:
    """Writes an archive and seals it.

    Args:
        write: Writes a zip archive without a comment, from its beginning to its end, by ``write`` and ``flush`` alone.
        file: Empty; can be written and sought in.

    Raises:
        OSError: The disk refuses.
    """
    summed = _Summed(file)
    write(summed)
    file.seek(-len(_NO_COMMENT), os.SEEK_END)
    file.write(_SEAL + b"%08x" % summed.sum)
    file.flush()


def damage(path: Path) -> str:
    """What is wrong with a sealed file, with what was expected and found; empty: it is as it was written.

    Raises:
        OSError: The system keeps it from being read, and that may pass.
    """
    try:
        with path.open("rb") as file:
            size, length = os.fstat(file.fileno()).st_size, len(_SEAL) + _SUM
            found = 0
            left = max(0, size - length)
            while left and (chunk := file.read(min(_CHUNK, left))):
                found, left = zlib.crc32(chunk, found), left - len(chunk)
            end = file.read()
    except FileNotFoundError:
        return "it is not there"
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return f"the disk cannot read it ({error.strerror})"
    if not size:
        return "it is empty"
    if len(end) != length or not end.startswith(_SEAL):
        return f"its checksum was expected at its end, and none is there after {size:,} bytes"
    written, found = end[-_SUM:], zlib.crc32(_NO_COMMENT, found)
    return "" if written == b"%08x" % found else f"its checksum was {written.decode(errors='replace')}, is {found:08x}"


def is_sealed(path: Path) -> bool:
    """Whether a seal stands at the end of a file, be it of this content or not."""
    with path.open("rb") as file:
        file.seek(-min(len(_SEAL) + _SUM, os.fstat(file.fileno()).st_size), os.SEEK_END)
        return file.read().startswith(_SEAL)
