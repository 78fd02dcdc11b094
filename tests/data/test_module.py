"""ArrayDataModule: what it asks of a subclass and in which order, its loaders, and the rows that it refuses."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Unpack

import numpy as np
import pytest
import torch
from torch import Tensor

from raytune_nn.data import ArrayDataModule, ArrayLoader, DigitsDataModule
from raytune_nn.data.arrays import Arrays
from raytune_nn.data.module import ArrayOptions


class Numbers(ArrayDataModule):
    """Row i is the number i, of class i % 4 == 0; what is fitted is the mean."""

    source = "numbers"
    test_source = "more numbers"

    def __init__(self, rows: int = 100, test_rows: int = 0, **options: Unpack[ArrayOptions]) -> None:
        super().__init__(**options)
        self.rows, self.test_rows = rows, test_rows

    def read(self) -> Arrays:
        x = torch.arange(self.rows)
        return x, (x % 4 == 0).long()

    def read_test(self) -> Arrays | None:
        x = torch.arange(1000, 1000 + self.test_rows)
        return (x, torch.ones(len(x), dtype=torch.int64)) if len(x) else None

    def fit(self, arrays: Arrays, rows: Tensor) -> None:
        self.mean = arrays[0][rows].double().mean()

    def transform(self, arrays: Arrays) -> Arrays:
        x, y = arrays
        return x.double() - self.mean, y


class Batchwise(Numbers):
    transform_batches = True


class Given(ArrayDataModule):
    """The rows that a test gives."""

    source, test_source = "given.csv", "test.csv"

    def __init__(self, *arrays: Tensor, test: Arrays | None = None) -> None:
        super().__init__()
        self.given = arrays, test

    def read(self) -> Arrays:
        return self.given[0]

    def read_test(self) -> Arrays | None:
        return self.given[1]


class Targets(Numbers):
    stratified = False


def ready(kind: type[Numbers] = Numbers, **options: Any) -> Numbers:
    data = kind(**options)
    data.setup()
    return data


def joined(loader: ArrayLoader) -> list[Tensor]:
    return [torch.cat(arrays) for arrays in zip(*loader, strict=True)]


def numbers(data: Numbers, loader: ArrayLoader) -> list[int]:
    """The raw rows that a loader yields, in the order of their numbers."""
    return sorted((joined(loader)[0] + data.mean).round().long().tolist())


@pytest.mark.parametrize("options", [{}, {"folds": 5, "fold": 3}, {"train_fraction": 0.25}])
def test_what_is_learnt_comes_from_the_training_rows_alone(options: dict[str, Any]) -> None:
    data = ready(**options)
    rows = numbers(data, data.train_dataloader())
    assert float(data.mean) == pytest.approx(sum(rows) / len(rows))
    assert float(joined(data.train_dataloader())[0].mean()) == pytest.approx(0, abs=1e-9)
    assert float(joined(data.val_dataloader())[0].mean()) != pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_rows_transformed_in_each_batch_are_those_transformed_at_once(part: str) -> None:
    batches = []
    for kind in (Numbers, Batchwise):
        torch.manual_seed(0)
        batches.append(list(getattr(ready(kind), f"{part}_dataloader")()))
    for (x, y), (other_x, other_y) in zip(*batches, strict=True):
        assert torch.equal(x, other_x)
        assert torch.equal(y, other_y)


def test_the_folds_of_a_module_share_its_test_rows_and_cover_the_others() -> None:
    modules = [ready(folds=4, fold=fold) for fold in range(4)]
    tests = [numbers(data, data.test_dataloader()) for data in modules]
    assert tests == [tests[0]] * 4
    validated = [row for data in modules for row in numbers(data, data.val_dataloader())]
    assert sorted(validated + tests[0]) == list(range(100))


def test_a_test_file_is_the_test_and_leaves_all_other_rows() -> None:
    data = ready(test_rows=7)
    assert numbers(data, data.test_dataloader()) == list(range(1000, 1007))
    assert numbers(data, data.predict_dataloader()) == list(range(1000, 1007))
    both = numbers(data, data.train_dataloader()) + numbers(data, data.val_dataloader())
    assert sorted(both) == list(range(100))


def test_without_test_rows_there_is_no_test() -> None:
    data = ready(test_fraction=0.0)
    with pytest.raises(ValueError, match=r"test_fraction > 0 must hold to test, but got 0\.0"):
        data.test_dataloader()


def test_class_weights_make_classes_weigh_the_same() -> None:
    data = ready(val_fraction=0.2, test_fraction=0.2)
    assert data.num_classes == 2
    # 60 training rows: 45 of class 0, 15 of class 1.
    assert data.class_weights == [60 / (2 * 45), 60 / (2 * 15)]


def test_a_class_without_training_rows_weighs_nothing() -> None:
    data = Given(torch.rand(20), torch.tensor([0] * 10 + [2] * 10))
    data.setup()
    assert data.num_classes == 3
    assert data.class_weights == [12 / (3 * 6), 0.0, 12 / (3 * 6)]


def test_targets_have_no_classes() -> None:
    data = ready(Targets)
    assert len(numbers(data, data.train_dataloader())) == 60
    assert not hasattr(data, "num_classes")
    assert not hasattr(data, "class_weights")


@pytest.mark.parametrize("batch_size", [None, 60, 61, 10_000])
def test_a_batch_as_large_as_the_training_set_is_the_training_set(batch_size: int | None) -> None:
    assert [len(y) for _, y in ready(batch_size=batch_size).train_dataloader()] == [60]


def test_a_single_training_row_is_a_batch() -> None:
    data = ready(Targets, rows=5, train_fraction=0.1)
    assert [len(y) for _, y in data.train_dataloader()] == [1]


def test_evaluation_takes_a_million_numbers_at_most_or_a_training_batch() -> None:
    x, y = torch.zeros(30, 2**18), torch.arange(30) % 2
    data = Given(x, y)
    data.setup()
    data.batch_size = 1
    assert [len(labels) for _, labels in data.val_dataloader()] == [4, 2]
    data.batch_size = 5
    assert [len(labels) for _, labels in data.val_dataloader()] == [5, 1]


def test_mapped_rows_give_the_batches_of_rows_in_memory(tmp_path: Path) -> None:
    x, y = torch.rand(50, 3), torch.arange(50) % 2
    np.save(tmp_path / "x.npy", x.numpy())
    mapped = torch.from_numpy(np.load(tmp_path / "x.npy", mmap_mode="c"))
    batches = []
    for rows in (x, mapped):
        data = Given(rows, y)
        data.setup()
        torch.manual_seed(0)
        batches.append([x for loader in (data.train_dataloader(), data.val_dataloader()) for x, _ in loader])
    assert all(torch.equal(one, other) for one, other in zip(*batches, strict=True))


@pytest.mark.parametrize(("device", "pinned"), [("cpu", False), ("cuda", True)])
def test_worker_processes_pin_their_batches_for_a_gpu(device: str, pinned: bool) -> None:
    data = ready(num_workers=1)
    strategy = SimpleNamespace(root_device=torch.device(device))
    data.trainer = SimpleNamespace(global_rank=0, world_size=1, strategy=strategy)  # type: ignore[assignment]
    ahead = data.train_dataloader()._ahead
    assert ahead is not None
    assert (ahead.pin_memory, ahead.num_workers, ahead.persistent_workers) == (pinned, 1, True)


def test_the_signature_of_a_subclass_names_every_keyword() -> None:
    shared = list(ArrayOptions.__annotations__)
    assert list(inspect.signature(ArrayDataModule).parameters) == shared
    assert list(inspect.signature(Numbers).parameters) == ["rows", "test_rows", *shared]
    assert list(inspect.signature(DigitsDataModule).parameters) == ["image", *shared]
    assert inspect.signature(DigitsDataModule).parameters["batch_size"].default == 64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a whole number >= 1, but got 0"),
        ({"num_workers": -1}, "num_workers >= 0 must hold, but got -1"),
        ({"train_fraction": 2.0}, r"0 < train_fraction <= 1 must hold, but got 2\.0"),
        ({"folds": 3, "fold": 5}, "0 <= fold < folds must hold, but got fold=5, folds=3"),
    ],
)
def test_bad_options_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Numbers(**options)


LABELS = torch.tensor([0, 1] * 10)
WRONG_ROWS: list[tuple[Arrays, Arrays | None, str]] = [
    ((torch.rand(0), torch.zeros(0, dtype=torch.int64)), None, r"given\.csv: all arrays.*but got \[0, 0\]"),
    ((torch.rand(19), LABELS), None, r"given\.csv: all arrays.*but got \[19, 20\]"),
    ((torch.rand(20), LABELS * 0 + 3), None, r"given\.csv: two classes.*but all rows are of class 3"),
    ((torch.rand(20), LABELS - 1), None, r"given\.csv: 0 <= label < 1 \(classes\) must hold, but row 0 has -1"),
    (
        (torch.rand(20), LABELS),
        (torch.rand(2), torch.tensor([1, 5])),
        r"test\.csv: 0 <= label < 2 \(classes\) must hold, but row 1 has 5",
    ),
]


@pytest.mark.parametrize(("arrays", "test", "message"), WRONG_ROWS)
def test_wrong_rows_are_refused_by_source_and_row(arrays: Arrays, test: Arrays | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Given(*arrays, test=test).setup()
