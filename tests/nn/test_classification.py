"""Classification: what it logs is the mean over all rows, and both networks learn the digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from fitting import Seen, evaluate_on, fit_on, trainer, with_adam
from pytorch_lightning import seed_everything
from pytorch_lightning.utilities.model_helpers import is_overridden
from sklearn.metrics import f1_score
from torch import Tensor, nn

from raytune_nn.data import DigitsDataModule
from raytune_nn.nn import CNN, MLP, Classification

# Lightning 2.6 itself asks torch >= 2.13 for a class that torch deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")

ROWS = 50  # not a multiple of the batch size, so that a mean over batches would differ from one over rows


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


def fit_digits(net: Callable[[], nn.Module], image: bool, epochs: int = 2, seed: int = 0) -> Seen:
    seed_everything(seed, verbose=False)
    seen, module = Seen(), with_adam(Classification(net(), num_classes=10), lr=1e-2)
    trainer(callbacks=[seen], max_epochs=epochs).fit(module, datamodule=DigitsDataModule(image=image))
    return seen


def test_logged_values_are_means_over_the_rows_of_each_epoch(rows: tuple[Tensor, Tensor]) -> None:
    x, y = rows
    module = Classification(MLP(4, 3), num_classes=3)
    logits = module(x).detach()
    loss = F.cross_entropy(logits, y).item()
    accuracy = (logits.argmax(1) == y).float().mean().item()
    f1 = f1_score(y, logits.argmax(1), average="macro")
    expected = pytest.approx({"train_loss": loss, "val_loss": loss, "val_acc": accuracy, "val_f1": f1}, rel=1e-5)
    assert fit_on(rows, module, max_epochs=2).epochs == [expected, expected]
    expected = pytest.approx({"test_loss": loss, "test_acc": accuracy, "test_f1": f1}, rel=1e-5)
    assert evaluate_on(rows, module) == expected


def test_each_epoch_starts_its_means_afresh(rows: tuple[Tensor, Tensor]) -> None:
    x, y = rows
    module = Classification(MLP(4, 3), num_classes=3)
    seen = fit_on(rows, module, lr=0.05, max_epochs=2)
    last = seen.batches[len(seen.batches) // 2 :]
    assert seen.epochs[1]["train_loss"] == pytest.approx(sum(loss * count for loss, count in last) / ROWS)
    assert seen.epochs[1]["val_loss"] == pytest.approx(F.cross_entropy(module(x), y).item(), rel=1e-5)
    result = evaluate_on((x[:20], y[:20]), module)
    assert result["test_loss"] == pytest.approx(F.cross_entropy(module(x[:20]), y[:20]).item(), rel=1e-5)


def test_a_limited_epoch_logs_the_loss_of_what_it_trained_on(rows: tuple[Tensor, Tensor]) -> None:
    x, y = rows
    module = Classification(MLP(4, 3), num_classes=3)
    expected = F.cross_entropy(module(x[:32]), y[:32]).item()
    (epoch,) = fit_on(rows, module, max_epochs=1, limit_train_batches=2).epochs
    assert epoch["train_loss"] == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_touches_the_training_loss_only(rows: tuple[Tensor, Tensor]) -> None:
    x, y = rows
    module = Classification(MLP(4, 3), num_classes=3, label_smoothing=0.3)
    logits = module(x).detach()
    (epoch,) = fit_on(rows, module, max_epochs=1).epochs
    assert epoch["train_loss"] == pytest.approx(F.cross_entropy(logits, y, label_smoothing=0.3).item(), rel=1e-5)
    assert epoch["val_loss"] == pytest.approx(F.cross_entropy(logits, y).item(), rel=1e-5)


def test_class_weights_touch_the_training_loss_only(rows: tuple[Tensor, Tensor]) -> None:
    x, y = rows
    weights = [0.5, 1.0, 4.0]
    module = Classification(MLP(4, 3), num_classes=3, class_weights=weights)
    losses = F.cross_entropy(module(x).detach(), y, reduction="none")
    of_rows = torch.tensor([weights[label] for label in y])
    (epoch,) = fit_on(rows, module, max_epochs=1).epochs
    assert epoch["train_loss"] == pytest.approx(((of_rows * losses).sum() / of_rows.sum()).item(), rel=1e-5)
    assert epoch["val_loss"] == pytest.approx(losses.mean().item(), rel=1e-5)
    assert not any("weights" in name for name in module.state_dict())


def test_a_weight_of_zero_keeps_a_class_out_of_the_gradient(rows: tuple[Tensor, Tensor]) -> None:
    x, y = rows
    module = Classification(nn.Linear(4, 3), num_classes=3, class_weights=[1.0, 1.0, 0.0])
    weight = module.net.weight
    everything, others = (
        torch.autograd.grad(module.batch_loss((x[chosen], y[chosen]))[0], weight)[0]  # type: ignore[arg-type]
        for chosen in (y >= 0, y < 2)
    )
    assert (y == 2).any()
    assert torch.allclose(everything, others, atol=1e-6)


def test_training_takes_probabilities_for_labels(rows: tuple[Tensor, Tensor]) -> None:
    x, y = rows
    module = Classification(MLP(4, 3), num_classes=3)
    mixed = 0.7 * F.one_hot(y, 3) + 0.3 * F.one_hot(y.flip(0), 3)
    loss, weight = module.batch_loss((x, mixed))
    expected = 0.7 * F.cross_entropy(module(x), y) + 0.3 * F.cross_entropy(module(x), y.flip(0))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert weight == ROWS


@pytest.mark.parametrize("num_classes", [2, 3, 7])
def test_macro_f1_is_that_of_scikit_learn_also_where_classes_are_missing(num_classes: int) -> None:
    torch.manual_seed(num_classes)
    # Answers are what the largest logit says; of seven classes some are neither label nor answer.
    logits, y = torch.randn(ROWS, num_classes), torch.randint(min(num_classes, 4), (ROWS,))
    logits[:, 5:] = -9
    module = Classification(nn.Identity(), num_classes=num_classes)
    result = evaluate_on((logits, y), module)
    assert result["test_f1"] == pytest.approx(f1_score(y, logits.argmax(1), average="macro"))


@pytest.mark.parametrize("label", [-100, -1, 3, 2**40])
@pytest.mark.parametrize("training", [True, False])
def test_a_label_that_is_no_class_is_refused_with_its_row(
    rows: tuple[Tensor, Tensor], label: int, training: bool
) -> None:
    x, y = rows
    y[7] = label
    module = Classification(MLP(4, 3), num_classes=3, class_weights=[1.0, 2.0, 3.0], label_smoothing=0.1)
    message = f"0 <= label < num_classes = 3 must hold, but row 7 of a batch has the label {label}"
    with pytest.raises(ValueError, match=message):
        module.batch_loss((x, y)) if training else module.batch_sums((x, y), 0)


@pytest.mark.parametrize(
    ("y", "found"),
    [
        (torch.zeros(ROWS, 1, dtype=torch.int64), r"torch.int64 of shape \(50, 1\)"),
        (torch.zeros(ROWS), r"torch.float32 of shape \(50,\)"),
        (torch.zeros(ROWS, dtype=torch.int32), r"torch.int32 of shape \(50,\)"),
    ],
)
def test_labels_of_another_kind_are_refused(rows: tuple[Tensor, Tensor], y: Tensor, found: str) -> None:
    module = Classification(MLP(4, 3), num_classes=3)
    with pytest.raises(ValueError, match=rf"labels must be int64 of shape \(batch,\), but got {found}"):
        module.batch_loss((rows[0], y))


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
        ({"class_weights": [1.0, 2.0]}, "class_weights must be 3 numbers, one a class, but got 2"),
        ({"class_weights": [1, 2, -1]}, r"class_weights must be finite, >= 0 and not all 0, but got \[1, 2, -1\]"),
        ({"class_weights": [0, 0, 0]}, "not all 0"),
        ({"class_weights": [1, float("nan"), 1]}, "finite"),
    ],
)
def test_bad_arguments_are_refused_with_rule_and_value(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Classification(MLP(4, 3), **{"num_classes": 3} | arguments)
