"""TableDataModule: features and targets of small files by hand, no leak, errors, and the real tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from shared_data import shared_data
from torch import Tensor

from raytune_nn.data import TableDataModule, stratified_split


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYTUNE_NN_CACHE", str(tmp_path / "cache"))


def write(folder: Path, rows: list[list[Any]], header: str = "x,c,y", name: str = "t.csv") -> str:
    path = folder / name
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return str(path)


def made(count: int = 100) -> list[list[Any]]:
    """A number, one of three categories, and one of two classes."""
    values = np.random.default_rng(0).normal(5, 2, count)
    return [[f"{value:.6f}", "rgb"[row % 3], "yn"[row % 2]] for row, value in enumerate(values)]


def ready(path: str, target: str = "y", **options: Any) -> TableDataModule:
    data = TableDataModule(path, target, **{"batch_size": None, "min_count": 2} | options)
    data.setup()
    return data


def splits(classes: list[int]) -> tuple[list[int], list[int], list[int]]:
    train, val, test = stratified_split(torch.tensor(classes), 0.2, 0.2, 0)
    return train.tolist(), val.tolist(), test.tolist()


def batch(loader: Any) -> tuple[Tensor, Tensor]:
    x, y = zip(*loader, strict=True)
    return torch.cat(x), torch.cat(y)


def test_a_classifications_rows_are_those_of_the_file(tmp_path: Path) -> None:
    rows = made()
    data = ready(write(tmp_path, rows))
    train, val, _ = splits([row[2] == "y" for row in rows])
    x, y = batch(data.val_dataloader())
    numbers = np.array([float(row[0]) for row in rows])
    expected = (numbers[val] - numbers[train].mean()) / numbers[train].std()
    np.testing.assert_allclose(x[:, 0], expected, rtol=1e-5)
    assert x[:, 1:].tolist() == [[float(rows[row][1] == category) for category in "bgr"] for row in val]
    assert y.tolist() == ["ny".index(rows[row][2]) for row in val]
    assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
    assert (data.num_features, data.num_classes, data.class_names) == (4, 2, ["n", "y"])
    assert data.class_weights == [1, 1]
    assert not hasattr(data, "target_mean")


def test_training_rows_have_moments_zero_and_one(tmp_path: Path) -> None:
    x, _ = batch(ready(write(tmp_path, made())).train_dataloader())
    assert (float(x[:, 0].mean()), float(x[:, 0].std(correction=0))) == pytest.approx((0, 1), abs=1e-5)


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("pca", [None, 0.9])
def test_nothing_is_learnt_from_validation_and_test_rows(tmp_path: Path, task: str, pca: float | None) -> None:
    rows = made()
    if task == "regression":
        rows = [[x, c, number] for number, (x, c, _) in enumerate(rows)]
    _, val, test = splits([task == "classification" and row[2] == "y" for row in rows])
    torch.manual_seed(0)
    before = ready(write(tmp_path, rows), task=task, pca=pca)
    train = batch(before.train_dataloader())
    for row in val + test:  # another scale, a category of their own, missing numbers, other targets
        rows[row][:2] = "" if row % 2 else -1e9, "unseen"
        rows[row][2] = rows[row][2] if task == "classification" else 1e9
    torch.manual_seed(0)
    after = ready(write(tmp_path, rows), task=task, pca=pca)
    assert before.num_features == after.num_features
    for one, other in zip(train, batch(after.train_dataloader()), strict=True):
        assert torch.equal(one, other)
    if task == "regression":
        assert (before.target_mean, before.target_scale) == (after.target_mean, after.target_scale)


def test_a_regressions_targets_keep_their_units(tmp_path: Path) -> None:
    rows = [[row, "a", 10 * row] for row in range(50)]
    data = ready(write(tmp_path, rows), task="regression")
    train, val, _ = splits([0] * 50)
    x, y = batch(data.val_dataloader())
    assert (y.dtype, y.tolist()) == (torch.float32, [10.0 * row for row in val])
    assert data.num_targets == 1
    assert data.target_mean == pytest.approx(10 * np.mean(train))
    assert data.target_scale == pytest.approx(10 * np.std(train))
    np.testing.assert_allclose(x[:, 0], (y - data.target_mean) / data.target_scale, rtol=1e-5)
    assert not hasattr(data, "num_classes")


def test_a_test_file_is_read_like_the_training_file(tmp_path: Path) -> None:
    rows = made(40)
    # Another order of columns, of categories, and of classes; a category that training never saw; numbers as names.
    test = write(tmp_path, [["n", "5", "new"], ["n", "", "b"], ["y", 6.0, "r"]], "y,x,c", "test.csv")
    data = ready(write(tmp_path, rows), test_path=test)
    x, y = batch(data.test_dataloader())
    assert y.tolist() == [0, 0, 1]
    assert x[:, 1:].tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 1]]
    train, _, _ = stratified_split(torch.tensor([row[2] == "y" for row in rows]), 0.2, 0, 0)
    numbers = np.array([float(rows[row][0]) for row in train.tolist()])
    scaled = [(value - numbers.mean()) / numbers.std() for value in (5, np.median(numbers), 6)]
    np.testing.assert_allclose(x[:, 0], scaled, rtol=1e-5)
    assert sum(len(y) for loader in (data.train_dataloader(), data.val_dataloader()) for _, y in loader) == 40


def test_columns_are_chosen_and_left_out(tmp_path: Path) -> None:
    rows = [[row, row % 3, 7 * row, "yn"[row % 2]] for row in range(30)]
    path = write(tmp_path, rows, "id,zip,x,y")
    assert ready(path).num_features == 3
    assert ready(path, drop=["id"]).num_features == 2
    assert ready(path, drop=["id"], categorical=["zip"]).num_features == 1 + 3
    assert ready(path, columns=["zip"], categorical=["zip"]).num_features == 3
    one, other = ready(path, columns=["x"]), ready(path, columns=["id"])
    np.testing.assert_allclose(batch(one.val_dataloader())[0], batch(other.val_dataloader())[0], rtol=1e-5)


def test_classes_of_numbers_keep_their_names_and_order(tmp_path: Path) -> None:
    data = ready(write(tmp_path, [[row, "a", [10, 9, 1][row % 3]] for row in range(30)]))
    assert data.class_names == ["1", "9", "10"]


def test_principal_components_are_uncorrelated_on_the_training_rows(tmp_path: Path) -> None:
    draws = np.random.default_rng(0).normal(size=(200, 2))
    rows = [[a, a + 0.1 * b, "yn"[row % 2]] for row, (a, b) in enumerate(draws)]
    data = ready(write(tmp_path, rows, "a,b,y"), pca=2)
    x, _ = batch(data.train_dataloader())
    covariance = np.cov(x.T.numpy())
    assert covariance[0, 1] == pytest.approx(0, abs=1e-5)
    assert covariance[0, 0] > 100 * covariance[1, 1]
    assert ready(write(tmp_path, rows, "a,b,y"), pca=0.9).num_features == 1


def test_a_second_reader_needs_no_pandas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, [[row, row % 7, 2 * row] for row in range(50)])
    before = batch(ready(path, task="regression").val_dataloader())
    monkeypatch.setitem(sys.modules, "pandas", None)  # importing it fails
    after = batch(ready(path, task="regression").val_dataloader())
    assert torch.equal(before[0], after[0])
    with pytest.raises(ImportError):
        ready(path, task="regression", drop=["c"])


def test_bad_arguments_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="task must be classification or regression, but got 'ranking'"):
        TableDataModule("t.csv", "y", task="ranking")
    with pytest.raises(ValueError, match="the target must not be a feature, but 'y' is in columns"):
        TableDataModule("t.csv", "y", columns=["x", "y"])
    with pytest.raises(ValueError, match="min_count >= 1 must hold, but got 0"):
        TableDataModule("t.csv", "y", min_count=0)
    with pytest.raises(ValueError, match=r"0 < pca < 1, but got 1\.5"):
        TableDataModule("t.csv", "y", pca=1.5)


@pytest.mark.parametrize(
    ("header", "rows", "options", "message"),
    [
        (
            "x,income",
            [[1, "a"]],
            {"target": "incme"},
            "has no column 'incme', but 'x', 'income'; did you mean 'income'?",
        ),
        ("x,y", [[1, "a"]] * 4, {}, "column 'y': classification needs two classes, but all 4 rows are 'a'"),
        ("x,y", [[1, "a"], [2, ""]], {}, "line 3, column 'y': the field must name a class, but is missing"),
        ("x,y", [[1, 5], [2, "NaN"]], {"task": "regression"}, "line 3, column 'y': the field must be a finite number"),
        ("x,y", [[1, 5], [2, "inf"]], {"task": "regression"}, "line 3, column 'y': the field must be a finite number"),
        ("x,y", [[1, "low"], [2, 1]], {"task": "regression"}, "finite number, but is 'low'"),
        (
            "x,y",
            [[i, 0.1] for i in range(9)],
            {"task": "regression"},
            "must vary in the training rows, but is 0.1 in all",
        ),
        ("x,y", [[1, f"n{i}"] for i in range(9)], {}, "9 rows have 9 classes ('n0', …); is it the label?"),
        ("x,y", [[1, "a"], [1, "b"]] * 3, {"drop": ["x"]}, "a table needs a column beside its target 'y'"),
        ("x,y", [[1, "a"], [1, "b"]] * 3, {"drop": ["z"]}, "has no column 'z'"),
        ("x,y", [[1, "a"], [1, "b"]] * 3, {"pca": 2}, "pca <= number of features must hold, but got pca=2 of 1"),
    ],
)
def test_tables_that_cannot_be_learnt_from_are_refused(
    tmp_path: Path, header: str, rows: list[list[Any]], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r"t\.csv|pca") as refused:
        ready(write(tmp_path, rows, header), **options)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("x,y", [1, "y"], "test.csv has no column 'c', but 'x', 'y'"),
        ("x,c,y", ["much", "r", "y"], "test.csv, line 2, column 'x': the field must be a finite number, but is 'much'"),
        ("x,c,y", [1, "r", "maybe"], "test.csv, line 2, column 'y': the class 'maybe' is not in the training file"),
    ],
)
def test_a_test_file_that_differs_is_refused(tmp_path: Path, header: str, row: list[Any], message: str) -> None:
    test = write(tmp_path, [row], header, "test.csv")
    with pytest.raises(ValueError, match=r"test\.csv") as refused:
        ready(write(tmp_path, made()), test_path=test)
    assert message in str(refused.value)


def test_adult() -> None:
    data = ready(shared_data("adult/train.csv"), "income", test_path=shared_data("adult/test.csv"), batch_size=64)
    x, y = batch(data.test_dataloader())
    assert (len(y), data.class_names) == (16_281, ["<=50K", ">50K"])
    assert y.bincount().tolist() == [12_435, 3846]
    assert x.shape[1] == data.num_features
    assert bool(x.isfinite().all())
    train, _ = batch(data.train_dataloader())
    assert len(train) == pytest.approx(0.8 * 32_561, abs=64)
    # Each of the eight columns of categories is one-hot: missing fields, in three of them, are categories too.
    assert bool((train[:, 6:].sum(1) == 8).all())
    torch.testing.assert_close(train[:, :6].mean(0), torch.zeros(6), atol=0.01, rtol=0)


@pytest.mark.parametrize(
    ("name", "features", "rows"), [("concrete", 8, 1030), ("power-plant", 4, 9568), ("wine-quality-red", 11, 1599)]
)
def test_uci(name: str, features: int, rows: int) -> None:
    data = ready(shared_data(f"uci/{name}.csv"), "target", task="regression")
    loaders = data.train_dataloader(), data.val_dataloader(), data.test_dataloader()
    assert sum(len(batch(loader)[1]) for loader in loaders) == rows
    assert data.num_features == features
    x, y = batch(loaders[0])
    torch.testing.assert_close(x.mean(0), torch.zeros(features), atol=1e-5, rtol=0)
    assert (data.target_mean, data.target_scale) == pytest.approx((float(y.mean()), float(y.std())), rel=1e-3)
