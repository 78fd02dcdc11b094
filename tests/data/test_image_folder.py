"""ImageFolderDataModule: classes, pixels, sizes, and files that are no images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from raytune_nn.data import ArrayLoader, ImageFolderDataModule

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

COLOURS = {"blue": (0, 0, 255), "red": (255, 0, 0)}
FIRST_RED = 10  # row of the first file of the second class


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYTUNE_NN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten blue and ten red images of 6x4 pixels, and what is to be left out."""
    for name, colour in COLOURS.items():
        place = tmp_path / "images" / name
        place.mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (6, 4), colour).save(place / f"{number}.{'png' if number % 2 else 'BMP'}")
        (place / "notes.txt").write_text("taken in May")
        (place / ".hidden.png").write_text("no image")
    (tmp_path / "images/readme.txt").write_text("colours")
    (tmp_path / "images/.git").mkdir()
    return tmp_path / "images"


def ready(folder: Path, **options: Any) -> ImageFolderDataModule:
    data = ImageFolderDataModule(str(folder), **options)
    data.setup()
    return data


def joined(loader: ArrayLoader) -> list[Tensor]:
    return [torch.cat(arrays) for arrays in zip(*loader, strict=True)]


def one(folder: Path, image: Any, **options: Any) -> Tensor:
    """What becomes of this image among the others, as bytes of shape (channels, height, width)."""
    image.save(folder / "red/!.png")
    (pixels, _) = ready(folder, **options).read()
    return pixels[FIRST_RED]  # by its name


def test_each_file_is_a_row_of_its_folders_class(folder: Path) -> None:
    data = ready(folder, size=(4, 6))
    assert (data.class_names, data.num_classes) == (["blue", "red"], 2)
    assert (data.input_shape, data.in_channels, data.num_features) == ((3, 4, 6), 3, 72)
    parts = [joined(loader) for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())]
    assert [y.bincount().tolist() for _, y in parts] == [[6, 6], [2, 2], [2, 2]]
    for x, y in parts:
        assert (x.dtype, x.shape[1:]) == (torch.float32, (3, 4, 6))
        expected = torch.tensor(list(COLOURS.values()))[y] / 255
        assert torch.equal(x, expected[:, :, None, None].expand_as(x))


def test_grey_is_the_luma_of_the_colours(folder: Path) -> None:
    data = ready(folder, size=2, grey=True, image=False)
    assert (data.input_shape, data.in_channels) == ((4,), 1)
    x, y = joined(data.train_dataloader())
    luma = torch.tensor([0.114, 0.299])[y]  # ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B
    assert torch.allclose(x, luma[:, None].expand_as(x), atol=1 / 255)


def test_channels_are_standardised_one_by_one(folder: Path) -> None:
    x, y = joined(ready(folder, size=3, standardise=True).train_dataloader())
    # Half of the rows are red, so red is 0 or 1 with mean and deviation 1/2, and blue the other way round; green is
    # 0 everywhere.
    expected = torch.tensor([[-1.0, 0.0, 1.0], [1.0, 0.0, -1.0]])[y]
    assert torch.allclose(x, expected[:, :, None, None].expand_as(x), atol=1e-6)


def test_rows_and_columns_keep_their_places(folder: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    assert np.array_equal(one(folder, Image.fromarray(pixels), size=[4, 6], grey=True)[0], pixels)


def test_an_image_is_turned_as_its_camera_says(folder: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = 3  # upside down
    image.save(folder / "red/!.png", exif=image.getexif())
    x, _ = ready(folder, size=[4, 6], grey=True).read()
    assert np.array_equal(x[FIRST_RED, 0], np.rot90(pixels, 2))


def test_images_of_16_bits_keep_their_upper_byte(folder: Path) -> None:
    pixels = np.arange(24, dtype=np.uint16).reshape(4, 6) * 2000
    assert np.array_equal(one(folder, Image.fromarray(pixels), size=[4, 6], grey=True)[0], pixels // 256)


@pytest.mark.parametrize("mode", ["1", "P", "RGBA", "CMYK", "LA"])
def test_an_image_of_any_mode_becomes_colours(folder: Path, mode: str) -> None:
    path = folder / "red/!.tif" if mode == "CMYK" else folder / "red/!.png"
    Image.new("RGB", (6, 4), (255, 255, 255)).convert(mode).save(path)
    x, _ = ready(folder, size=2).read()
    assert x[FIRST_RED].min() == 255


def test_a_changed_file_is_read_again(folder: Path) -> None:
    before = ready(folder, size=2).read()[0]
    Image.new("RGB", (7, 4), (0, 255, 0)).save(folder / "red/0.BMP")
    after = ready(folder, size=2).read()[0]
    assert (before != after).flatten(1).any(1).nonzero().flatten().tolist() == [FIRST_RED]


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", "cut off"])
def test_a_file_that_is_no_image_is_named(folder: Path, content: bytes | str) -> None:
    path = folder / "red/7.png"
    noise = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:2000] if isinstance(content, str) else content)
    with pytest.raises(ValueError, match=f"{path}: must be an image that can be read, but: "):
        ready(folder, size=2)


def test_pixels_of_32_bits_are_refused(folder: Path) -> None:
    path = folder / "red/a.tif"
    Image.fromarray(np.ones((4, 6), np.float32)).save(path)
    with pytest.raises(ValueError, match=f"{path}: .*pixels of 32 bits have no range"):
        ready(folder, size=2)


def test_a_folder_without_classes_or_images_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "green").mkdir()
    with pytest.raises(ValueError, match=rf"{folder}/green: must hold images \(\*\.bmp, .*\), but holds none"):
        ready(folder, size=2)
    with pytest.raises(ValueError, match=rf"{tmp_path}: must hold folders of two classes at least.*\['images'\]"):
        ready(tmp_path, size=2)
    with pytest.raises(ValueError, match=r"red: must hold folders of two classes at least, but holds \[\]"):
        ready(folder / "red", size=2)
    with pytest.raises(ValueError, match="absent: must be a folder that holds one folder of images for each class"):
        ready(tmp_path / "absent", size=2)


@pytest.mark.parametrize("size", [0, -3, [8], [8, 8, 8], [8, 0], [8, 2.5]])
def test_a_size_that_is_none_is_refused(size: Any) -> None:
    with pytest.raises(ValueError, match="size must be one number of pixels or height and width, each >= 1, but got"):
        ImageFolderDataModule("images", size=size)
