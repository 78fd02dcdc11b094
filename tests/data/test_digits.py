"""DigitsDataModule: shapes, attributes, splits, and what it must not import."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from pytorch_lightning import Trainer
from torch import Tensor

from raytune_nn.data import ArrayLoader, DigitsDataModule

# Labels at the start of the first batch with seed 0, and of the validation rows.
FIRST = [6, 3, 7, 2, 3, 7, 3, 8, 3, 6, 4, 0, 0, 8, 4, 5, 0, 1, 6, 4]
FIRST_OF_VALIDATION = [9, 5, 8, 6, 4, 7, 1, 4, 0, 2, 1, 6, 2, 1, 1, 1, 3, 0, 5, 4]


def ready(**options: float | bool) -> DigitsDataModule:
    data = DigitsDataModule(**options)  # type: ignore[arg-type]
    data.setup()
    return data


def joined(loader: ArrayLoader) -> tuple[Tensor, Tensor]:
    x, y = zip(*loader, strict=True)
    return torch.cat(x), torch.cat(y)


@pytest.mark.parametrize(("image", "shape"), [(False, (64,)), (True, (1, 8, 8))])
def test_attributes_are_there_before_setup_and_tell_the_truth(image: bool, shape: tuple[int, ...]) -> None:
    data = DigitsDataModule(batch_size=32, image=image)
    assert (data.num_features, data.num_classes, data.in_channels) == (64, 10, 1)
    assert data.input_shape == shape
    data.setup()
    x, y = next(iter(data.train_dataloader()))
    assert (x.shape, y.shape) == ((32, *shape), (32,))
    assert (x.dtype, y.dtype) == (torch.float32, torch.int64)


def test_pixels_and_labels_span_their_ranges() -> None:
    x, y = joined(ready().train_dataloader())
    assert (float(x.min()), float(x.max())) == (0.0, 1.0)
    assert set(y.tolist()) == set(range(10))


def test_images_are_the_flat_rows_folded_line_by_line() -> None:
    flat, _ = joined(ready().val_dataloader())
    image, _ = joined(ready(image=True).val_dataloader())
    assert torch.equal(image[:, 0, 2, 3], flat[:, 2 * 8 + 3])


def test_the_splits_share_no_row_and_cover_the_data() -> None:
    data = ready()
    loaders = data.train_dataloader(), data.val_dataloader(), data.test_dataloader()
    sizes = [len(joined(loader)[1]) for loader in loaders]
    assert sum(sizes) == 1797
    assert sizes == pytest.approx([0.6 * 1797, 0.2 * 1797, 0.2 * 1797], abs=10)
    rows = torch.cat([joined(loader)[0] for loader in loaders])
    assert len(rows.unique(dim=0)) == 1797  # type: ignore[no-untyped-call]


def test_every_class_is_split_alike() -> None:
    data = ready()
    whole = torch.cat([joined(loader)[1] for loader in (data.train_dataloader(), data.val_dataloader())])
    _, val = joined(data.val_dataloader())
    share = val.bincount() / whole.bincount()
    assert torch.allclose(share, torch.full((10,), 0.25), atol=0.01)


def test_validation_rows_do_not_follow_the_trials_seed() -> None:
    torch.manual_seed(1)
    one = joined(ready().val_dataloader())[0]
    torch.manual_seed(2)
    other = joined(ready().val_dataloader())[0]
    assert torch.equal(one, other)
    assert not torch.equal(one, joined(ready(split_seed=1).val_dataloader())[0])


def test_setup_twice_changes_nothing() -> None:
    data = ready()
    before = joined(data.val_dataloader())[0]
    data.setup("fit")
    assert torch.equal(joined(data.val_dataloader())[0], before)


def test_a_last_batch_of_one_row_is_left_out_of_training() -> None:
    rows = len(joined(ready(batch_size=64).train_dataloader())[1])
    assert [len(y) for _, y in ready(batch_size=rows - 1).train_dataloader()] == [rows - 1]
    assert [len(y) for _, y in ready(batch_size=rows - 2).train_dataloader()] == [rows - 2, 2]


def test_batches_of_a_seed_are_the_ones_they_have_always_been() -> None:
    data = ready()
    torch.manual_seed(0)
    assert next(iter(data.train_dataloader()))[1][:20].tolist() == FIRST
    assert joined(data.val_dataloader())[1][:20].tolist() == FIRST_OF_VALIDATION


def test_overfitting_sees_the_same_batch_each_epoch() -> None:
    data = ready()
    data.trainer = Trainer(overfit_batches=1, accelerator="cpu", logger=False, enable_checkpointing=False)
    loader = data.train_dataloader()
    assert torch.equal(next(iter(loader))[0], next(iter(loader))[0])


def test_bad_arguments_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="batch_size must be a whole number >= 1, but got 0"):
        DigitsDataModule(batch_size=0)
    with pytest.raises(ValueError, match=r"val_fraction=0\.6, test_fraction=0\.4"):
        DigitsDataModule(val_fraction=0.6, test_fraction=0.4)


def test_a_worker_that_reads_the_digits_imports_no_sklearn() -> None:
    script = """
import sys
from raytune_nn.data import DigitsDataModule
DigitsDataModule().setup()
print(*{"sklearn", "pandas", "ray", "hydra", "raytune_nn.errors"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
