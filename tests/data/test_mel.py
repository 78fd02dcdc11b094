"""Mel bands by their definition, and sounds whose bands are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from raytune_nn.data.mel import QUIETEST, from_mel, log_mel, mel_filters, to_mel


def test_the_scale_has_its_known_points_and_its_inverse() -> None:
    assert float(to_mel(700)) == pytest.approx(2595 * math.log10(2))
    assert float(to_mel(1000)) == pytest.approx(1000, abs=0.1)  # what the scale is made for
    hertz = np.linspace(0, 8000, 50)
    np.testing.assert_allclose(from_mel(to_mel(hertz)), hertz, atol=1e-9)


def test_bands_are_triangles_that_add_up_to_one_between_the_outer_centres() -> None:
    filters = mel_filters(20, 2048, 16_000)
    hertz = torch.arange(1025) * 16_000 / 2048
    centres = from_mel(np.arange(1, 21) * to_mel(8000) / 21)
    inside = (hertz >= centres[0]) & (hertz <= centres[-1])
    torch.testing.assert_close(filters.sum(0)[inside], torch.ones(int(inside.sum())))
    # The highest weight of each band lies at its centre, to the nearest frequency of the transform.
    assert np.abs(hertz[filters.argmax(1)].numpy() - centres).max() <= 16_000 / 2048
    assert float(filters.max()) <= 1
    assert float(filters.min()) == 0
    assert (float(filters[0, 0]), float(filters[-1, -1])) == pytest.approx((0, 0))


@pytest.mark.parametrize("hertz", [300, 1000, 2500])
def test_a_sine_is_loudest_in_the_band_of_its_pitch(hertz: int) -> None:
    sound = torch.sin(2 * math.pi * hertz * torch.arange(8000) / 8000)
    features = log_mel(sound, 8000, num_mels=20, window=512, hop=80)
    band = 21 * float(to_mel(hertz)) / float(to_mel(4000)) - 1  # where the pitch lies on the bands' centres
    assert abs(int(features[50].argmax()) - band) <= 0.5


def test_a_sines_energy_is_that_of_its_window() -> None:
    # A sine at a frequency of the transform, in the middle of nothing but itself: (sum of the window / 2)^2.
    sound = torch.sin(2 * math.pi * 1000 * torch.arange(4096) / 8000)
    features = log_mel(sound, 8000, num_mels=10, window=512, hop=256)
    whole = float(features[8].exp().sum())
    window = torch.hann_window(512)
    spectrum = torch.fft.rfft(sound[8 * 256 - 256 : 8 * 256 + 256] * window).abs().square()
    assert whole == pytest.approx(float((mel_filters(10, 512, 8000) @ spectrum).sum()) + 10 * QUIETEST, rel=1e-4)
    assert float(spectrum[64]) == pytest.approx((float(window.sum()) / 2) ** 2, rel=1e-3)


def test_frames_are_counted_by_hops_and_silence_is_the_quietest() -> None:
    for samples, frames in [(1, 1), (79, 1), (80, 2), (800, 11)]:
        assert log_mel(torch.zeros(samples), 8000, 20, 200, 80).shape == (frames, 20)
    silence = log_mel(torch.zeros(800), 8000, 20, 200, 80)
    torch.testing.assert_close(silence, torch.full((11, 20), math.log(QUIETEST)))


def test_the_time_of_a_click_is_its_frame() -> None:
    sound = torch.zeros(8000)
    sound[4000] = 1
    assert int(log_mel(sound, 8000, 20, 200, 80).sum(1).argmax()) == 50


def test_more_bands_than_frequencies_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"every mel band must hold a frequency, but with 120 bands the \d+\. .* 31\.2 Hz"
    ):
        mel_filters(120, 256, 8000)
