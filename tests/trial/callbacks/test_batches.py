"""Changing batches of any module: which batches, once each, in which order; and the data stay as they are."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from callback_parts import Manual, Net, Rows, fit, line
from pytorch_lightning import Trainer
from torch import Tensor

from raytune_nn.trial.callbacks.batches import BatchChange, change_input, form


class Plus(BatchChange):
    """Adds to the input."""

    def __init__(self, amount: float) -> None:
        self.amount, self.calls = amount, 0

    def change(self, trainer: Trainer, batch: Any) -> Any:
        self.calls += 1
        return change_input("Plus", batch, lambda x: x + self.amount)


class Times(BatchChange):
    """Multiplies the input."""

    def change(self, trainer: Trainer, batch: Any) -> Any:
        return change_input("Times", batch, lambda x: 10 * x)


@pytest.mark.parametrize("kind", [Net, Manual])
def test_training_sees_changed_batches_and_validation_its_own(kind: type[Net]) -> None:
    x, y = line()
    data, module = Rows(x.clone(), y), kind()
    fit(module, data, Plus(5.0))
    assert torch.equal(torch.cat([batch[0] for batch in module.seen]), x + 5)
    assert torch.equal(torch.cat([batch[0] for batch in module.checked]), x)
    assert torch.equal(data.tensors[0], x), "the data set itself stays as it is"


def test_several_work_in_their_order() -> None:
    x, y = line(4)
    first, second = Net(), Net()
    fit(first, Rows(x, y), Plus(1.0), Times())
    fit(second, Rows(x, y), Times(), Plus(1.0))
    assert torch.equal(first.seen[0][0], (x + 1) * 10)
    assert torch.equal(second.seen[0][0], x * 10 + 1)


def test_a_batch_is_changed_once_where_the_optimizer_evaluates_it_often() -> None:
    change = Plus(1.0)
    module = Net(optimizer=torch.optim.LBFGS, max_iter=4)
    fit(module, Rows(*line()), change, max_epochs=2)
    assert change.calls == 4
    assert len(module.seen) > 4


def test_a_module_that_validates_by_its_training_step_keeps_its_batches() -> None:
    class Lazy(Net):
        def validation_step(self, batch: Any, batch_idx: int) -> None:
            self.training_step(batch, batch_idx)

    x, y = line(4)
    module = Lazy()
    fit(module, Rows(x, y), Plus(5.0))
    assert [torch.equal(batch[0], x) for batch in module.seen] == [False, True]


def test_a_second_fit_changes_once_too() -> None:
    x, y = line(4)
    module, change = Net(), Plus(1.0)
    for _ in range(2):
        fit(module, Rows(x, y), change)
    assert [torch.equal(batch[0], x + 1) for batch in module.seen] == [True, True]


def test_what_a_training_step_raises_says_who_changed_its_batch() -> None:
    class Strict(Net):
        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            raise TypeError("no such batch")

    with pytest.raises(TypeError, match="no such batch") as caught:
        fit(Strict(), Rows(*line()), Plus(1.0), Times())
    assert caught.value.__notes__ == ["The batch was changed before training_step saw it, by: Plus, Times."]


@pytest.mark.filterwarnings("ignore:You are using the `dataloader_iter`")
def test_a_module_that_draws_its_batches_is_refused() -> None:
    class Draws(Net):
        def training_step(self, dataloader_iter: Any) -> Tensor:  # type: ignore[override]
            return self.loss(next(dataloader_iter)[0])

    with pytest.raises(ValueError, match=r"Plus must see the batch before .* Draws draws its batches itself"):
        fit(Draws(), Rows(*line()), Plus(1.0))


class Pair(NamedTuple):
    """A batch with names."""

    x: Tensor
    y: Tensor


def test_a_batch_keeps_its_class() -> None:
    x, y = torch.zeros(2, 3), torch.ones(2)
    for batch in ([x, y], (x, y), Pair(x, y)):
        changed = change_input("Plus", batch, lambda x: x + 1)
        assert type(changed) is type(batch)
        assert torch.equal(changed[0], x + 1)
        assert changed[1] is y
    assert torch.equal(change_input("Plus", x, lambda x: x + 1), x + 1)


@pytest.mark.parametrize(
    ("batch", "found"),
    [
        ({"x": torch.zeros(1), "y": 2}, "dict of x, y"),
        ([], r"list of \(\)"),
        (["text", torch.zeros(2)], r"list of \(str, float32 of shape \(2,\)\)"),
        (torch.zeros(2, dtype=torch.int64), r"floating point, but got int64 of shape \(2,\)"),
        ((torch.zeros(2, dtype=torch.int32), 1), r"floating point, but got int32 of shape \(2,\)"),
    ],
)
def test_other_batches_are_refused(batch: Any, found: str) -> None:
    with pytest.raises(ValueError, match=f"Noise needs .*{found}"):
        change_input("Noise", batch, lambda x: x)


def test_a_form_in_words() -> None:
    assert form((torch.zeros(2, 3), [torch.ones(1, dtype=torch.bool), None])) == (
        "tuple of (float32 of shape (2, 3), list of (bool of shape (1,), NoneType))"
    )
