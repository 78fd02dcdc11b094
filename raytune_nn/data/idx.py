"""Images in IDX files, the format of MNIST and the sets that took after it."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from raytune_nn.data.arrays import Arrays
from raytune_nn.data.cache import Named, cached
from raytune_nn.data.images import ImageDataModule, ImageOptions

_GZIP = b"\x1f\x8b"
_UNSIGNED_BYTES = 8  # the format's code of the only type of numbers that image sets use


class IdxDataModule(ImageDataModule):
    """Grey images and their labels in two IDX files, packed with gzip or not, as batches ``(x, y)``.

    ``x`` and ``y`` are those of `ImageDataModule`, with one channel. The format is described at the home of the
    MNIST set (LeCun, Cortes & Burges): two zero bytes, the type of the numbers, how many dimensions there are, each
    of them as a big-endian 32-bit number, then the numbers.

    Args:
        images: File of three dimensions (rows, height, width).
        labels: File of one dimension, the class of each image.
        test_images: File of test images; without, ``test_fraction`` of the rows is the test.
        test_labels: File of their classes.
        num_classes: Classes; by default one more than the largest label in ``labels``.
        options: Keywords of `ImageDataModule` and `ArrayDataModule`.

    Raises:
        ValueError: Only one of the test files is given, or an option breaks its bounds; from ``setup``: a file cannot
            be read, is no such file or is cut off, or files do not fit each other.
    """

    def __init__(
        self,
        images: str,
        labels: str,
        test_images: str | None = None,
        test_labels: str | None = None,
        num_classes: int | None = None,
        **options: Unpack[ImageOptions],
    ) -> None:
        super().__init__(**options)
        if (test_images is None) != (test_labels is None):
            raise ValueError(
                "test_images and test_labels must be given together, "
                f"but got test_images={test_images}, test_labels={test_labels}"
            )
        self._train_files, self._test_files = (images, labels), (test_images, test_labels)
        self.source, self.test_source = labels, str(test_labels)
        if num_classes is not None:
            self.num_classes = num_classes

    def read(self) -> Arrays:
        """Images and labels of the first two files."""
        x, y = _read_pair(*self._train_files)
        self._sides = x.shape[2:]
        return x, y

    def read_test(self) -> Arrays | None:
        """Images and labels of the test files, where they are given."""
        images, labels = self._test_files
        if images is None or labels is None:
            return None
        x, y = _read_pair(images, labels)
        if x.shape[2:] != self._sides:
            raise ValueError(
                f"{images}: images must have the size of those in {self._train_files[0]}, {tuple(self._sides)} pixels, "
                f"but have {tuple(x.shape[2:])}"
            )
        return x, y


def _read_pair(images: str, labels: str) -> Arrays:
    """Bytes of shape (rows, 1, height, width), and the labels."""
    x, y = read_idx(Path(images), dimensions=3), read_idx(Path(labels), dimensions=1)
    if len(x) != len(y):
        raise ValueError(
            f"there must be a label for each image, but {images} holds {len(x)} images, {labels} {len(y)} labels"
        )
    return torch.from_numpy(x).unsqueeze(1), torch.from_numpy(y).long()


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The numbers of an IDX file of unsigned bytes, from the cache.

    Args:
        path: The file, packed with gzip or not.
        dimensions: How many dimensions it must have.

    Raises:
        ValueError: It is not such a file, or is cut off.
    """

    def decode() -> Named:
        return {"numbers": _decode(_unpacked(path), path, dimensions)}

    return cached("idx 1", [path], {"dimensions": dimensions}, decode)["numbers"]


def _unpacked(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(_GZIP) else content
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: must be an IDX file, packed with gzip or not, but: {error}") from error


def _decode(content: bytes, path: Path, dimensions: int) -> NDArray[np.uint8]:
    start = 4 + 4 * dimensions
    magic = bytes([0, 0, _UNSIGNED_BYTES, dimensions])
    if content[:4] != magic:
        raise ValueError(
            f"{path}: an IDX file of unsigned bytes in {dimensions} dimension(s) begins with the bytes "
            f"{magic.hex(' ')}, but this one with {content[:4].hex(' ') or 'none'}"
        )
    shape = [int.from_bytes(content[at : at + 4]) for at in range(4, start, 4)]
    if len(content) < start or len(content) - start != math.prod(shape):
        raise ValueError(
            f"{path}: its header says {' x '.join(map(str, shape))} bytes of data, but {len(content) - start} are there"
        )
    if 0 in shape:
        raise ValueError(f"{path}: must hold rows, but its shape is {tuple(shape)}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
