"""Log-mel features of sound: how loud each band of pitch is, frame by frame."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

# Added to the energy of a band, so that silence has a logarithm: about the noise of 16-bit samples.
QUIETEST = 1e-6

ROUNDING = 1e-9  # a weight below it is none


def log_mel(samples: Tensor, rate: int, num_mels: int, window: int, hop: int) -> Tensor:
    """Natural logarithm of each mel band's energy, shape (1 + samples // hop, num_mels).

    Frame ``t`` is a Hann window around sample ``t * hop``; the sound goes on as silence past both ends. The
    transform has the next power of two as its length.

    Args:
        samples: Sound in -1..1, float32 of shape (samples,).
        rate: Samples a second.
        num_mels: Bands from 0 to half the rate.
        window: Samples in a frame.
        hop: Samples from one frame to the next.

    Raises:
        ValueError: There are so many bands that one has no frequency of the transform in it.
    """
    length = 1 << (window - 1).bit_length()
    filters = mel_filters(num_mels, length, rate)
    shape = torch.hann_window(window, device=samples.device)
    spectrum = torch.stft(samples, length, hop, window, shape, center=True, pad_mode="constant", return_complex=True)
    energy = spectrum.real.square() + spectrum.imag.square()
    return (filters @ energy + QUIETEST).log().T


@cache
def mel_filters(num_mels: int, length: int, rate: int) -> Tensor:
    """Weight of each frequency in each band, shape (num_mels, length // 2 + 1).

    Triangles of height one over frequency, whose corners lie evenly on the mel scale of HTK, ``2595
    log10(1 + hertz / 700)`` (Young et al., The HTK Book, section 5.4); each begins at the centre of the one
    before. Slaney's variant divides each triangle by its width: after the logarithm that is a constant,
    which standardising takes out again.

    Args:
        num_mels: Bands from 0 to half the rate.
        length: Samples in the transform.
        rate: Samples a second.

    Raises:
        ValueError: A band has no frequency in it.
    """
    corners = from_mel(np.linspace(0, to_mel(rate / 2), num_mels + 2))
    hertz = np.arange(length // 2 + 1) * (rate / length)
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (hertz - left) / (centre - left), (right - hertz) / (right - centre)
    filters = np.maximum(0, np.minimum(rising, falling))
    empty = np.flatnonzero(filters.sum(1) < ROUNDING)
    if len(empty):
        raise ValueError(
            f"every mel band must hold a frequency, but with {num_mels} bands the {empty[0] + 1}. "
            f"({corners[empty[0]]:.0f} to {corners[empty[0] + 2]:.0f} Hz) lies between two, which are "
            f"{rate / length:.1f} Hz apart; take fewer bands or a longer window"
        )
    return torch.from_numpy(filters.astype(np.float32))


def to_mel(hertz: np.ndarray | float) -> np.ndarray:
    """Pitch in mel."""
    return 2595 * np.log10(1 + np.asarray(hertz) / 700)


def from_mel(mel: np.ndarray | float) -> np.ndarray:
    """Frequency in hertz."""
    return 700 * (10 ** (np.asarray(mel) / 2595) - 1)
