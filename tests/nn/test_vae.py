"""VAE and Autoencoding: shapes, the evidence lower bound by hand, and evaluations that repeat to the last bit."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from fitting import Seen, evaluate_on, fit_on, trainer, with_adam
from pytorch_lightning import seed_everything
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal, kl_divergence

from raytune_nn.data import DigitsDataModule
from raytune_nn.nn import VAE, Autoencoding

ROWS = 50  # not a multiple of the batch size, so that a mean over batches would differ from one over rows


class Fixed(VAE):
    """A posterior and a decoder that are known: N(mean, e^log_variance) for each row, logits or means ``answer``."""

    def __init__(self, mean: list[float], log_variance: list[float], answer: list[float]) -> None:
        super().__init__(input_shape=(len(answer),), latent_size=len(mean), depth=0)
        self.posterior = torch.tensor(mean), torch.tensor(log_variance)
        self.answer = nn.Parameter(torch.tensor(answer))  # so that there is something to train

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.posterior
        return mean.expand(len(x), -1), log_variance.expand(len(x), -1)

    def decode(self, z: Tensor) -> Tensor:
        return self.answer.expand(len(z), -1)


class Echo(Fixed):
    """Decodes to the latent vector itself."""

    def decode(self, z: Tensor) -> Tensor:
        return z


def parts(module: Autoencoding, x: Tensor) -> dict[str, float]:
    sums = {name: torch.as_tensor(value).double() for name, value in module.batch_sums(x, 0).items()}
    return {name: value.item() for name, value in module.epoch_metrics(sums).items()}


@pytest.mark.parametrize("shape", [(6,), (1, 4, 5), (2, 3, 2, 2)])
def test_shapes_of_every_part(shape: tuple[int, ...]) -> None:
    net, x = VAE(shape, latent_size=3, width=8), torch.rand(5, *shape)
    mean, log_variance = net.encode(x)
    assert mean.shape == log_variance.shape == (5, 3)
    assert net.decode(mean).shape == net(x).shape == x.shape
    assert Autoencoding(net).sample(4).shape == (4, *shape)


def test_the_bound_by_hand() -> None:
    # KL = (m² + v - 1 - ln v) / 2 for each latent number: m = 1, v = 1 gives 1/2; m = 0, v = 4 gives (3 - ln 4)/2.
    # Logits 0 and ln 3 are means of 1/2 and 3/4: for x = (1, 0), minus log likelihood is ln 2 + ln 4.
    module = Autoencoding(Fixed([1.0, 0.0], [0.0, math.log(4)], [0.0, math.log(3)]))
    kl, reconstruction = 0.5 + (3 - math.log(4)) / 2, 3 * math.log(2)
    x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    expected = {"loss": kl + reconstruction, "kl": kl, "reconstruction": reconstruction}
    assert parts(module, x) == pytest.approx(expected)


def test_the_bound_against_torchs_distributions() -> None:
    torch.manual_seed(0)
    mean, log_variance, answer = torch.randn(3), torch.randn(3), torch.randn(4)
    x = torch.rand(7, 4)
    kl = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(3), torch.ones(3))).sum().item()
    likelihoods = {
        "bernoulli": Bernoulli(logits=answer, validate_args=False),  # x lies between its 0 and 1
        "gaussian": Normal(answer, 0.3),
    }
    for reconstruction, likelihood in likelihoods.items():
        net = Fixed(mean.tolist(), log_variance.tolist(), answer.tolist())
        module = Autoencoding(net, reconstruction=reconstruction, scale=0.3)
        expected = -likelihood.log_prob(x).sum(1).mean().item()
        found = parts(module, x)
        assert found["kl"] == pytest.approx(kl, rel=1e-5)
        assert found["reconstruction"] == pytest.approx(expected, rel=1e-5)
        assert module.batch_loss(x)[0].item() == pytest.approx(kl + expected, rel=1e-5)


def test_the_latent_draws_follow_the_posterior() -> None:
    # Decoded to itself, a draw N(2, 9) around x = 2 has the expected squared error 9.
    module = Autoencoding(Echo([2.0], [math.log(9.0)], [0.0]), reconstruction="gaussian", scale=1.0)
    torch.manual_seed(0)
    loss = parts(module, torch.full((40_000, 1), 2.0))["reconstruction"]
    assert loss == pytest.approx(4.5 + 0.5 * math.log(2 * math.pi), abs=0.1)  # three standard errors


def test_beta_and_the_warm_up_touch_the_training_loss_only() -> None:
    kl, reconstruction = 2.0, math.log(2)  # m = 2, v = 1; one number with the logit 0
    x = torch.ones(ROWS, 1)
    module = Autoencoding(Fixed([2.0], [0.0], [0.0]), beta=3.0, warmup_epochs=2)
    seen = fit_on((x,), module, max_epochs=4)
    weights = [0.0, 0.5, 1.0, 1.0]
    losses = [reconstruction + 3 * weight * kl for weight in weights]
    assert [epoch["train_loss"] for epoch in seen.epochs] == pytest.approx(losses)
    assert [epoch["val_loss"] for epoch in seen.epochs] == pytest.approx([reconstruction + kl] * 4)


@pytest.mark.parametrize("labels", [True, False])
def test_batches_with_labels_and_without(labels: bool) -> None:
    torch.manual_seed(0)
    x = torch.rand(ROWS, 3)
    module = Autoencoding(VAE((3,), latent_size=2, width=8))
    batch: Any = (x, torch.zeros(ROWS)) if labels else x
    assert module.batch_loss(batch)[1] == ROWS
    assert module.batch_sums(batch, 0).keys() == {"reconstruction", "kl", "rows"}
    assert torch.equal(module.predict_step(batch, 0), module(x))


def test_an_evaluation_repeats_to_the_last_bit_and_leaves_the_seed_alone() -> None:
    torch.manual_seed(0)
    x = torch.rand(ROWS, 3)
    module = Autoencoding(VAE((3,), latent_size=2, width=8))
    first = evaluate_on((x,), module)
    state = torch.get_rng_state()
    assert evaluate_on((x,), module) == first
    module.batch_sums(x, 0)
    assert torch.equal(torch.get_rng_state(), state)


def test_answers_are_in_the_units_of_the_data() -> None:
    torch.manual_seed(0)
    x, net = torch.rand(ROWS, 3), VAE((3,), latent_size=2, width=8)
    assert torch.allclose(Autoencoding(net)(x), net(x).sigmoid())
    assert torch.equal(Autoencoding(net, reconstruction="gaussian")(x), net(x))


def test_a_seed_repeats_a_training_on_digits_and_the_bound_gets_better() -> None:
    def epochs(seed: int) -> list[dict[str, float]]:
        seed_everything(seed, verbose=False)
        module, seen = Autoencoding(VAE((1, 8, 8), latent_size=4, width=64)), Seen()
        fit = trainer(callbacks=[seen], max_epochs=3)
        fit.fit(with_adam(module, lr=3e-3), datamodule=DigitsDataModule(image=True))
        samples = module.sample(100)
        assert samples.min() >= 0
        assert samples.max() <= 1
        return seen.epochs

    first = epochs(1)
    assert first == epochs(1)
    assert first != epochs(2)
    losses = [epoch["val_loss"] for epoch in first]
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] < 64 * math.log(2) * 0.7  # what answering 1/2 for each of the 64 pixels costs, less a third
    assert first[2]["val_loss"] == pytest.approx(first[2]["val_kl"] + first[2]["val_reconstruction"])


def test_inputs_outside_of_0_to_1_are_refused_for_bernoulli_only() -> None:
    net, x = VAE((2,), latent_size=2, width=8), torch.tensor([[0.5, -0.25], [2.0, 1.0]])
    with pytest.raises(ValueError, match=r"wants x in 0\.\.1, but got -0\.25 to 2; reconstruction=gaussian takes any"):
        Autoencoding(net).batch_loss(x)
    assert Autoencoding(net, reconstruction="gaussian").batch_loss(x)[0].isfinite()


def test_inputs_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(batch, \*\(1, 8, 8\)\), but got \(5, 64\)"):
        VAE((1, 8, 8)).encode(torch.rand(5, 64))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reconstruction": "mse"}, "reconstruction must be one of bernoulli, gaussian, but got 'mse'"),
        ({"scale": 0.0}, "scale > 0 must hold, but got 0.0"),
        ({"beta": -1.0}, "beta >= 0 must hold, but got -1.0"),
        ({"warmup_epochs": 1.5}, "warmup_epochs must be a whole number >= 0, but got 1.5"),
    ],
)
def test_bad_arguments_are_refused_with_rule_and_value(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Autoencoding(VAE((4,)), **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": ()}, "input_shape must have at least one dimension"),
        ({"input_shape": (1, 0)}, r"input_shape\[1\] must be a whole number >= 1, but got 0"),
        ({"latent_size": 0}, "latent_size must be a whole number >= 1, but got 0"),
    ],
)
def test_bad_sizes_are_refused_with_rule_and_value(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VAE(**{"input_shape": (4,)} | arguments)


def test_fewer_samples_than_one_are_refused() -> None:
    with pytest.raises(ValueError, match="n must be a whole number >= 1, but got 0"):
        Autoencoding(VAE((4,))).sample(0)
