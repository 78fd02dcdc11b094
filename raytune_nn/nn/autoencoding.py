"""The LightningModule that trains a variational auto-encoder."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from raytune_nn.nn.layers import check_at_least
from raytune_nn.nn.row_means import Batch, RowMeans, Sums, inputs
from raytune_nn.nn.vae import VAE

RECONSTRUCTIONS = ("bernoulli", "gaussian")


class Autoencoding(RowMeans):
    """The evidence lower bound (ELBO) of a variational auto-encoder.

    Kingma & Welling 2014, "Auto-Encoding Variational Bayes", equation 10, with one draw of the latent vector a
    row. A batch is ``x`` of shape (batch, *), or begins with it, as ``(x, y)`` does.

    Logs ``train_loss``, as it was trained on, and the mean over the rows of ``val_reconstruction`` (minus log
    likelihood of the row, in nats), ``val_kl`` (divergence of the posterior from the prior, in nats) and
    ``val_loss``, their sum, which is minus the ELBO; the same of the test as ``test_…``. ``beta`` and the
    warm-up do not touch these: trials that differ in them stay comparable. The draws of an evaluation are the
    same in each. It brings no optimizer of its own: the one of the configuration trains it.

    Args:
        net: Encoder and decoder.
        reconstruction: ``"bernoulli"``: each number of ``x``, in 0..1, has a mean, of which the decoder gives the
            logit. ``"gaussian"``: the decoder gives the mean, and ``x`` may be any numbers.
        scale: Standard deviation of the Gaussian reconstruction, in units of ``x``; positive.
        beta: Weight of the divergence in training (Higgins et al. 2017, "beta-VAE", equation 4), at least 0.
        warmup_epochs: Epochs in which that weight grows linearly from 0 (Sønderby et al. 2016, "Ladder
            Variational Autoencoders", section 2.3).

    Raises:
        ValueError: The reconstruction is unknown, or a number is out of bounds.
    """

    def __init__(
        self,
        net: VAE,
        reconstruction: str = "bernoulli",
        scale: float = 0.1,
        beta: float = 1.0,
        warmup_epochs: int = 0,
    ) -> None:
        super().__init__()
        if reconstruction not in RECONSTRUCTIONS:
            raise ValueError(f"reconstruction must be one of {', '.join(RECONSTRUCTIONS)}, but got {reconstruction!r}")
        if not 0 < scale < math.inf:
            raise ValueError(f"scale > 0 must hold, but got {scale}")
        if not 0 <= beta < math.inf:
            raise ValueError(f"beta >= 0 must hold, but got {beta}")
        check_at_least(0, warmup_epochs=warmup_epochs)
        self.net, self.reconstruction, self.scale = net, reconstruction, scale
        self.beta, self.warmup_epochs = beta, warmup_epochs

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction of ``x``, from the mean of its latent vector; in the units and the shape of ``x``."""
        return self._mean(self.net(x))

    def sample(self, n: int) -> Tensor:
        """``n`` new rows: the decoder's means for latent vectors drawn from the prior.

        Raises:
            ValueError: ``n`` is below one.
        """
        check_at_least(1, n=n)
        with torch.no_grad():
            return self._mean(self.net.decode(torch.randn(n, self.net.latent_size, device=self.device)))

    def batch_loss(self, batch: Batch | Tensor) -> tuple[Tensor, float]:
        """Minus the ELBO of one batch, a row, with the divergence weighted; and its rows.

        Raises:
            ValueError: ``x`` leaves 0..1 where the reconstruction is Bernoulli's.
        """
        x = inputs(batch)
        warm = min(1.0, self.current_epoch / self.warmup_epochs) if self.warmup_epochs else 1.0
        reconstruction, kl = self._bound(x, None)
        return (reconstruction + self.beta * warm * kl) / len(x), len(x)

    def batch_sums(self, batch: Batch | Tensor, batch_idx: int) -> Sums:
        """The sums of both parts of the ELBO, and the rows.

        Raises:
            ValueError: ``x`` leaves 0..1 where the reconstruction is Bernoulli's.
        """
        x = inputs(batch)
        # The same draws in each evaluation: a run that is repeated must give the same numbers, also after a resume.
        generator = torch.Generator(x.device).manual_seed(batch_idx)
        reconstruction, kl = self._bound(x, generator)
        return {"reconstruction": reconstruction, "kl": kl, "rows": len(x)}

    def epoch_metrics(self, sums: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Minus the ELBO a row, and its two parts."""
        reconstruction, kl = sums["reconstruction"] / sums["rows"], sums["kl"] / sums["rows"]
        return {"loss": reconstruction + kl, "kl": kl, "reconstruction": reconstruction}

    def _bound(self, x: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Sums over the batch of minus log likelihood and of the divergence."""
        if self.reconstruction == "bernoulli" and self.current_epoch == 0:  # a first epoch has seen all rows
            _check_unit(x)
        mean, log_variance = self.net.encode(x)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
        decoded = self.net.decode(mean + noise * (log_variance / 2).exp())
        kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
        return self._minus_log_likelihood(decoded, x), kl

    def _minus_log_likelihood(self, decoded: Tensor, x: Tensor) -> Tensor:
        if self.reconstruction == "bernoulli":
            return F.binary_cross_entropy_with_logits(decoded, x, reduction="sum")
        constant = x.numel() * (math.log(self.scale) + 0.5 * math.log(2 * math.pi))
        return 0.5 * F.mse_loss(decoded, x, reduction="sum") / self.scale**2 + constant

    def _mean(self, decoded: Tensor) -> Tensor:
        return decoded.sigmoid() if self.reconstruction == "bernoulli" else decoded


def _check_unit(x: Tensor) -> None:
    low, high = x.aminmax()
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"reconstruction=bernoulli wants x in 0..1, but got {low.item():g} to {high.item():g}; "
            "reconstruction=gaussian takes any numbers"
        )
