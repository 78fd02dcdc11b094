"""Classification: what it logs is the mean over all rows, and both networks learn the digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from pytorch_lightning.utilities.model_helpers import is_overridden
from torch import Tensor, nn

from raytune_nn.data import ArrayLoader, DigitsDataModule
from raytune_nn.nn import CNN, MLP, Classification

# Lightning 2.6 itself asks torch >= 2.13 for a class that torch deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")

ROWS = 50  # not a multiple of the batch size, so that a mean over batches would differ from one over rows


class Trained(Classification):
    """Classification with an optimizer, which a study takes from its configuration."""

    lr = 0.0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr)


class Seen(Callback):
    """The metrics as callbacks see them after each epoch, and the loss of each batch with its rows."""

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []
        self.batches: list[tuple[float, int]] = []

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.batches.append((float(outputs["loss"]), len(batch[1])))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.epochs.append({name: float(value) for name, value in trainer.callback_metrics.items()})


@pytest.fixture
def rows() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.randn(ROWS, 4), torch.randint(3, (ROWS,))


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trainer(**options: Any) -> Trainer:
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    return Trainer(accelerator="cpu", devices=1, enable_model_summary=False, **quiet | options)


def fit_on(rows: tuple[Tensor, Tensor], module: Classification, **options: Any) -> Seen:
    seen, loader = Seen(), ArrayLoader(*rows, batch_size=16)
    trainer(callbacks=[seen], num_sanity_val_steps=0, **options).fit(module, loader, loader)
    return seen


def fit_digits(net: Callable[[], nn.Module], image: bool, epochs: int = 2, seed: int = 0) -> Seen:
    seed_everything(seed, verbose=False)
    seen, module = Seen(), Trained(net(), num_classes=10)
    module.lr = 1e-2
    trainer(callbacks=[seen], max_epochs=epochs).fit(module, datamodule=DigitsDataModule(image=image))
    return seen


def test_logged_values_are_means_over_the_rows_of_each_epoch(rows: tuple[Tensor, Tensor]) -> None:
    x, y = rows
    module = Trained(MLP(4, 3), num_classes=3)
    logits = module(x).detach()
    loss = F.cross_entropy(logits, y).item()
    accuracy = (logits.argmax(1) == y).float().mean().item()
    expected = pytest.approx({"train_loss": loss, "val_loss": loss, "val_acc": accuracy}, rel=1e-5)
    assert fit_on(rows, module, max_epochs=2).epochs == [expected, expected]
    results = trainer().test(module, ArrayLoader(x, y, batch_size=16), verbose=False)
    assert results == [pytest.approx({"test_loss": loss, "test_acc": accuracy}, rel=1e-5)]


def test_each_epoch_starts_its_means_afresh(rows: tuple[Tensor, Tensor]) -> None:
    x, y = rows
    module = Trained(MLP(4, 3), num_classes=3)
    module.lr = 0.05
    seen = fit_on(rows, module, max_epochs=2)
    last = seen.batches[len(seen.batches) // 2 :]
    assert seen.epochs[1]["train_loss"] == pytest.approx(sum(loss * count for loss, count in last) / ROWS)
    assert seen.epochs[1]["val_loss"] == pytest.approx(F.cross_entropy(module(x), y).item(), rel=1e-5)
    (result,) = trainer().test(module, ArrayLoader(x[:20], y[:20], batch_size=16), verbose=False)
    assert result["test_loss"] == pytest.approx(F.cross_entropy(module(x[:20]), y[:20]).item(), rel=1e-5)


def test_a_limited_epoch_logs_the_loss_of_what_it_trained_on(rows: tuple[Tensor, Tensor]) -> None:
    x, y = rows
    module = Trained(MLP(4, 3), num_classes=3)
    expected = F.cross_entropy(module(x[:32]), y[:32]).item()
    (epoch,) = fit_on(rows, module, max_epochs=1, limit_train_batches=2).epochs
    assert epoch["train_loss"] == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_touches_the_training_loss_only(rows: tuple[Tensor, Tensor]) -> None:
    x, y = rows
    module = Trained(MLP(4, 3), num_classes=3, label_smoothing=0.3)
    logits = module(x).detach()
    (epoch,) = fit_on(rows, module, max_epochs=1).epochs
    assert epoch["train_loss"] == pytest.approx(F.cross_entropy(logits, y, label_smoothing=0.3).item(), rel=1e-5)
    assert epoch["val_loss"] == pytest.approx(F.cross_entropy(logits, y).item(), rel=1e-5)


@pytest.mark.parametrize(
    ("net", "image"),
    [
        pytest.param(lambda: MLP(64, 10), False, id="mlp"),
        pytest.param(lambda: MLP(64, 10, norm="batch", dropout=0.1), False, id="mlp-batch-norm"),
        pytest.param(lambda: CNN(1, 10, channels=16), True, id="cnn"),
    ],
)
def test_two_epochs_on_digits_lower_the_loss(net: Callable[[], nn.Module], image: bool) -> None:
    first, second = fit_digits(net, image).epochs
    assert second["train_loss"] < 0.9 * first["train_loss"]
    assert second["val_loss"] < first["val_loss"]
    assert second["val_acc"] > 0.5


def test_a_seed_repeats_a_training_to_the_last_bit() -> None:
    def net() -> nn.Module:
        return MLP(64, 10, dropout=0.2)

    assert fit_digits(net, False, seed=3).epochs == fit_digits(net, False, seed=3).epochs
    assert fit_digits(net, False, seed=3).epochs != fit_digits(net, False, seed=4).epochs


def test_prediction_takes_batches_with_and_without_labels(rows: tuple[Tensor, Tensor]) -> None:
    x, y = rows
    module = Classification(MLP(4, 3), num_classes=3)
    assert torch.equal(module.predict_step((x, y), 0), module(x))
    assert torch.equal(module.predict_step(x, 0), module(x))


def test_it_brings_no_optimizer_of_its_own() -> None:
    assert not is_overridden("configure_optimizers", Classification(MLP(4, 3), num_classes=3))


def test_a_network_of_another_width_is_refused(rows: tuple[Tensor, Tensor]) -> None:
    module = Classification(MLP(4, 5), num_classes=3)
    with pytest.raises(ValueError, match=r"= \(50, 3\), but gave \(50, 5\)"):
        module(rows[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_classes": 1}, "num_classes >= 2 must hold, but got 1"),
        ({"label_smoothing": 1.0}, "0 <= label_smoothing < 1 must hold, but got 1.0"),
    ],
)
def test_bad_arguments_are_refused_with_rule_and_value(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Classification(MLP(4, 3), **{"num_classes": 3} | arguments)
