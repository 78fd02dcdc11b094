"""Images in a folder of folders, one for each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from numpy.typing import NDArray

from raytune_nn.data.arrays import Arrays
from raytune_nn.data.cache import Named, cached
from raytune_nn.data.images import ImageDataModule, ImageOptions

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


class ImageFolderDataModule(ImageDataModule):
    """Images as ``<path>/<class>/<file>``, resized to one size, as batches ``(x, y)`` as in `ImageDataModule`.

    Classes are numbered in the order of their names. Hidden files, and files without the ending of an image, are
    left out. All images together must fit in memory once, when they are decoded into the cache.

    Args:
        path: The folder.
        size: Height and width in pixels, or one number for both; images of other sizes are stretched (bilinear).
        grey: Make one channel of all colours; otherwise there are three.
        options: Keywords of `ImageDataModule` and `ArrayDataModule`.

    Attributes:
        class_names: The names of the classes; from ``setup`` on.

    Raises:
        ValueError: An option breaks its bounds; from ``setup``: the folder holds no classes, a class no image, or a
            file cannot be read.
        ModuleNotFoundError: Pillow is not installed; from ``setup``.
    """

    class_names: list[str]

    def __init__(
        self, path: str, size: int | Sequence[int], grey: bool = False, **options: Unpack[ImageOptions]
    ) -> None:
        super().__init__(**options)
        sides = [size, size] if isinstance(size, int) else list(size)
        if len(sides) != 2 or not all(isinstance(side, int) and side >= 1 for side in sides):
            raise ValueError(f"size must be one number of pixels or height and width, each >= 1, but got {size}")
        self._height, self._width = sides
        self._grey = grey
        self.source = path

    def read(self) -> Arrays:
        """All images and their classes."""
        classes = _files_by_class(Path(self.source))
        self.class_names = list(classes)
        self.num_classes = len(classes)
        files = [file for some in classes.values() for file in some]
        shape = (1 if self._grey else 3, self._height, self._width)

        def decode() -> Named:
            images = np.empty((len(files), *shape), np.uint8)
            for row, file in enumerate(files):
                images[row] = _decode(file, *shape)
            return {"images": images}

        x = torch.from_numpy(cached("image_folder 1", files, {"shape": shape}, decode)["images"])
        return x, torch.arange(len(classes)).repeat_interleave(torch.tensor([len(some) for some in classes.values()]))


def _files_by_class(folder: Path) -> dict[str, list[Path]]:
    if not folder.is_dir():
        raise ValueError(f"{folder}: must be a folder that holds one folder of images for each class")
    places = sorted(place for place in folder.iterdir() if place.is_dir() and not place.name.startswith("."))
    if len(places) < 2:
        raise ValueError(
            f"{folder}: must hold folders of two classes at least, but holds {[place.name for place in places]}"
        )
    classes = {place.name: sorted(filter(_is_image, place.iterdir())) for place in places}
    for name, files in classes.items():
        if not files:
            raise ValueError(f"{folder / name}: must hold images (*{', *'.join(ENDINGS)}), but holds none")
    return classes


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in ENDINGS and not file.name.startswith(".")


def _decode(file: Path, channels: int, height: int, width: int) -> NDArray[np.uint8]:
    """Bytes of shape (channels, height, width)."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as opened:
            image: Image.Image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I;16"):  # Pillow's own conversion would cut off at 255
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            if image.mode in ("I", "F"):
                raise ValueError("pixels of 32 bits have no range to scale by")
            image = image.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file}: must be an image that can be read, but: {error}") from error
    return np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)
