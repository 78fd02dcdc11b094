"""IdxDataModule: MNIST's format by hand-made files, files that are broken, and real digits."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from raytune_nn.data import ArrayLoader, IdxDataModule
from raytune_nn.data.idx import read_idx

SHARED = Path(os.environ.get("RAYTUNE_NN_SHARED", Path(__file__).parents[3] / "shared"))


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYTUNE_NN_CACHE", str(tmp_path / "cache"))


def idx(array: NDArray[np.uint8]) -> bytes:
    """The array in the format, written from its description."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.tobytes()


def made(folder: Path, rows: int = 20, classes: int = 2, name: str = "", side: int = 3) -> dict[str, str]:
    """Paths of made files: image i has i in its first pixel, and its class is i % classes."""
    images = np.zeros((rows, side, 5), np.uint8)
    images[:, 0, 0] = np.arange(rows)
    images[:, 2, 4] = 255
    folder.mkdir(exist_ok=True)
    paths = {f"{name}images": folder / f"{name}images", f"{name}labels": folder / f"{name}labels"}
    paths[f"{name}images"].write_bytes(idx(images))
    paths[f"{name}labels"].write_bytes(idx((np.arange(rows) % classes).astype(np.uint8)))
    return {key: str(path) for key, path in paths.items()}


def ready(**options: Any) -> IdxDataModule:
    data = IdxDataModule(**options)
    data.setup()
    return data


def joined(loader: ArrayLoader) -> list[Tensor]:
    return [torch.cat(arrays) for arrays in zip(*loader, strict=True)]


def test_pixels_and_labels_stay_together_and_span_0_to_1(tmp_path: Path) -> None:
    data = ready(**made(tmp_path))
    x, y = joined(data.train_dataloader())
    assert (x.dtype, x.shape, y.dtype) == (torch.float32, (12, 1, 3, 5), torch.int64)
    assert torch.equal((x[:, 0, 0, 0] * 255).round().long() % 2, y)
    assert bool((x[:, 0, 2, 4] == 1).all())
    assert float(x[:, 0, 1].abs().max()) == 0


@pytest.mark.parametrize(("image", "shape"), [(True, (1, 3, 5)), (False, (15,))])
def test_attributes_after_setup(tmp_path: Path, image: bool, shape: tuple[int, ...]) -> None:
    data = ready(**made(tmp_path, classes=3), image=image)
    assert (data.num_features, data.num_classes, data.in_channels, data.input_shape) == (15, 3, 1, shape)
    assert next(iter(data.train_dataloader()))[0].shape[1:] == shape
    assert ready(**made(tmp_path), num_classes=7).num_classes == 7


@pytest.mark.parametrize("options", [{}, {"folds": 3, "fold": 1, "train_fraction": 0.5}])
def test_standardised_by_the_training_rows_alone(tmp_path: Path, options: dict[str, Any]) -> None:
    files = made(tmp_path, rows=200)
    plain, data = ready(**files, **options), ready(**files, **options, standardise=True)
    train, val = joined(plain.train_dataloader())[0].double(), joined(plain.val_dataloader())[0].double()
    mean, deviation = train.mean(), train.std(correction=0)
    x = joined(data.train_dataloader())[0].double()
    assert float(x.mean()) == pytest.approx(0, abs=1e-6)
    assert float(x.std(correction=0)) == pytest.approx(1, abs=1e-6)
    seen = joined(data.val_dataloader())[0].double()
    assert torch.allclose(seen, (val - mean) / deviation, atol=1e-5)
    assert not torch.allclose(seen, (val - val.mean()) / val.std(correction=0), atol=1e-4)


def test_images_of_one_value_are_standardised_to_zero(tmp_path: Path) -> None:
    files = made(tmp_path)
    Path(files["images"]).write_bytes(idx(np.full((20, 3, 5), 9, np.uint8)))
    assert float(joined(ready(**files, standardise=True).train_dataloader())[0].abs().max()) == 0


def test_packed_and_plain_files_hold_the_same(tmp_path: Path) -> None:
    files = made(tmp_path)
    plain = read_idx(Path(files["images"]), dimensions=3)
    packed = tmp_path / "packed"  # known by its content, whatever its name
    packed.write_bytes(gzip.compress(Path(files["images"]).read_bytes()))
    assert np.array_equal(read_idx(packed, dimensions=3), plain)


def test_test_files_are_the_test(tmp_path: Path) -> None:
    data = ready(**made(tmp_path), **made(tmp_path, rows=4, name="test_"))
    assert len(joined(data.test_dataloader())[1]) == 4
    assert len(joined(data.train_dataloader())[1]) + len(joined(data.val_dataloader())[1]) == 20


def test_without_a_cache_the_rows_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = made(tmp_path)
    mapped = joined(ready(**files).val_dataloader())
    monkeypatch.setenv("RAYTUNE_NN_CACHE", str(Path(files["labels"]) / "below_a_file"))
    assert all(torch.equal(*pair) for pair in zip(mapped, joined(ready(**files).val_dataloader()), strict=True))


GOOD = idx(np.zeros((20, 3, 5), np.uint8))
BROKEN = {
    "empty": (b"", "begins with the bytes 00 00 08 03, but this one with none"),
    "text": (b"label,pixel\n", "but this one with 6c 61 62 65"),
    "floats": (bytes([0, 0, 13]) + GOOD[3:], "but this one with 00 00 0d 03"),
    "labels": (idx(np.zeros(20, np.uint8)), "in 3 dimension.* but this one with 00 00 08 01"),
    "header cut off": (GOOD[:10], "bytes of data, but"),
    "cut off": (GOOD[:-1], "its header says 20 x 3 x 5 bytes of data, but 299 are there"),
    "too long": (GOOD + b"\0", "but 301 are there"),
    "no rows": (idx(np.zeros((0, 3, 5), np.uint8)), r"must hold rows, but its shape is \(0, 3, 5\)"),
    "packed and cut off": (gzip.compress(GOOD)[:-9], "must be an IDX file, packed with gzip or not, but:"),
    "packed and damaged": (gzip.compress(GOOD)[:-8] + bytes(8), "but: CRC check failed"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_named(tmp_path: Path, fault: str) -> None:
    files = made(tmp_path)
    content, message = BROKEN[fault]
    Path(files["images"]).write_bytes(content)
    with pytest.raises(ValueError, match=f"{files['images']}: .*{message}"):
        ready(**files)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    files = made(tmp_path)
    with pytest.raises(ValueError, match=r"absent: must be a file that can be read, but: No such file"):
        ready(**{**files, "labels": str(tmp_path / "absent")})
    with pytest.raises(ValueError, match=f"{tmp_path}: must be an IDX file.*Is a directory"):
        ready(**{**files, "labels": str(tmp_path)})


def test_files_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    files = made(tmp_path)
    fewer = made(tmp_path / "fewer", rows=19)
    with pytest.raises(ValueError, match=r"images holds 20 images, .*fewer/labels 19 labels"):
        ready(images=files["images"], labels=fewer["labels"])
    with pytest.raises(ValueError, match=r"test_images: .*images, \(3, 5\) pixels, but have \(4, 5\)"):
        ready(**files, **made(tmp_path, name="test_", side=4))
    with pytest.raises(ValueError, match=r"test_labels: 0 <= label < 2 \(classes\) must hold, but row 2 has 2"):
        ready(**files, **made(tmp_path, name="test_", classes=3))
    with pytest.raises(ValueError, match=r"/labels: 0 <= label < 2 \(classes\) must hold, but row 2 has 2"):
        ready(**made(tmp_path, classes=3), num_classes=2)
    with pytest.raises(ValueError, match=r"/labels: two classes must be there, but all rows are of class 0"):
        ready(**made(tmp_path, classes=1))


def test_one_test_file_without_the_other_is_refused() -> None:
    with pytest.raises(ValueError, match="must be given together, but got test_images=a, test_labels=None"):
        IdxDataModule(images="i", labels="l", test_images="a")


def test_real_digits() -> None:
    files = SHARED / "data/mnist/t10k-images-idx3-ubyte.gz", SHARED / "data/mnist/t10k-labels-idx1-ubyte.gz"
    if not files[0].exists():
        pytest.skip(f"{files[0]} is not there")
    data = ready(images=str(files[0]), labels=str(files[1]), standardise=True)
    assert (data.num_classes, data.num_features, data.input_shape) == (10, 784, (1, 28, 28))
    parts = [joined(loader) for loader in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())]
    assert sum(len(y) for _, y in parts) == 10_000
    # How often each digit occurs in MNIST's test file.
    assert torch.cat([y for _, y in parts]).bincount().tolist() == [
        980,
        1135,
        1032,
        1010,
        982,
        892,
        958,
        1028,
        974,
        1009,
    ]
    assert float(parts[0][0].mean()) == pytest.approx(0, abs=1e-4)
    assert float(parts[0][0].std()) == pytest.approx(1, abs=1e-4)
