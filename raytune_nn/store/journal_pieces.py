"""The journal on an object store: since objects cannot be appended to, a segment is several, one after the other.

``journal/00003.jsonl`` is there as ``00003-00000.jsonl``, ``00003-00001.jsonl``, … Only the last piece of the last
segment changes: each time that events are sent it is replaced by itself with these behind, until it is so long that
another one begins. So ``cat journal/*`` is the journal still, and a piece is never torn.
"""

from __future__ import annotations

from pathlib import Path

from raytune_nn.errors import UnusableError
from raytune_nn.store.files import ObjectFiles

PIECE_BYTES = 2**18
SEND_SECONDS = 1.0  # the death of a driver's machine can cost as much


class Pieces:
    """Sends what is new in a segment.

    Args:
        segment: In the working folder.
    """

    def __init__(self, files: ObjectFiles, segment: Path) -> None:
        self._files, self._segment = files, segment
        self._number, self._start = 0, 0  # of the last piece, and where it begins in the segment

    def send(self) -> None:
        """May be repeated when half done; raises OSError."""
        with self._segment.open("rb") as file:
            file.seek(self._start)
            content = file.read()
        self._files.store.write(f"journal/{self._segment.stem}-{self._number:05d}.jsonl", content)
        if len(content) >= PIECE_BYTES:
            self._number, self._start = self._number + 1, self._start + len(content)


def fetch_segments(files: ObjectFiles, journal: Path) -> None:
    """Puts the segments together in the working folder.

    Raises:
        OSError: The store cannot be read.
        UnusableError: A piece is missing.
    """
    segments: dict[str, list[tuple[str, int]]] = {}
    for key, size in files.store.sizes(journal.name).items():
        stem, _, number = Path(key).stem.partition("-")
        if not (stem.isdecimal() and number.isdecimal()):
            continue
        pieces = segments.setdefault(stem, [])
        if int(number) != len(pieces):
            raise UnusableError(
                "the journal must be as it was written, and a piece of it is missing",
                f"{files.store.place(f'{journal.name}/{stem}-{len(pieces):05d}.jsonl')}, before {Path(key).name}",
                "restore the object from a backup, or start under another study.name",
            )
        pieces.append((key, size))
    journal.mkdir(parents=True, exist_ok=True)
    for stem, pieces in segments.items():
        path = journal / f"{stem}.jsonl"
        if not path.exists() or path.stat().st_size != sum(size for _, size in pieces):
            path.write_bytes(b"".join(files.store.read(key) for key, _ in pieces))
