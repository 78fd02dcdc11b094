"""Crops and flips: every image of a batch is a shift of itself, and all shifts are equally likely."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from callback_parts import Net, Rows, fit
from torch import Tensor, nn

from raytune_nn.trial.callbacks import Augment

HEIGHT, WIDTH = 4, 3


def images(count: int) -> Tensor:
    """Two channels of numbers that are all different, none of them zero."""
    return 1 + torch.arange(count * 2 * HEIGHT * WIDTH).float().reshape(count, 2, HEIGHT, WIDTH)


def changed(augment: Augment, x: Tensor) -> Tensor:
    batch: list[Any] = [x, None]
    result: Tensor = augment.change(None, batch)[0]  # type: ignore[arg-type]
    return result


def shifts(image: Tensor, padding: int) -> list[Tensor]:
    framed = F.pad(image, (padding,) * 4)
    side = range(2 * padding + 1)
    return [framed[:, top : top + HEIGHT, left : left + WIDTH] for top in side for left in side]


def test_crops_are_shifts_and_all_are_as_likely() -> None:
    torch.manual_seed(0)
    x = images(1800)
    drawn = Counter(
        next(place for place, shift in enumerate(shifts(image, 1)) if torch.equal(shift, crop))
        for image, crop in zip(x, changed(Augment(padding=1), x), strict=True)
    )
    assert sorted(drawn) == list(range(9))
    assert sum((count - 200) ** 2 / 200 for count in drawn.values()) < 26.1, "chi square, 8 degrees, one in a thousand"


def test_half_of_the_images_are_flipped() -> None:
    torch.manual_seed(0)
    x = images(1000)
    flipped = changed(Augment(padding=0, flip=True), x)
    mirrored = [torch.equal(after, before.flip(2)) for before, after in zip(x, flipped, strict=True)]
    kept = [torch.equal(after, before) for before, after in zip(x, flipped, strict=True)]
    assert all(one != other for one, other in zip(mirrored, kept, strict=True))
    assert sum(mirrored) == pytest.approx(500, abs=4 * 250**0.5)


def test_crop_and_flip_together() -> None:
    torch.manual_seed(0)
    x = images(50)
    for image, after in zip(x, changed(Augment(padding=2, flip=True), x), strict=True):
        allowed = [*shifts(image, 2), *(shift.flip(2) for shift in shifts(image, 2))]
        assert any(torch.equal(after, shift) for shift in allowed)


def test_the_images_given_stay() -> None:
    x = images(5)
    changed(Augment(padding=2, flip=True), x)
    assert torch.equal(x, images(5))


def test_switched_off_it_draws_nothing() -> None:
    x = images(5)
    before = torch.get_rng_state()
    assert changed(Augment(padding=0), x) is x
    assert torch.equal(torch.get_rng_state(), before)


def test_equal_seeds_are_equal_crops() -> None:
    results = []
    for _ in range(2):
        torch.manual_seed(7)
        results.append(changed(Augment(padding=2, flip=True), images(20)))
    assert torch.equal(*results)


def test_training_goes_by_crops_and_validation_by_images() -> None:
    x = images(4)
    module = Net(nn.Sequential(nn.Flatten(), nn.Linear(2 * HEIGHT * WIDTH, 1)), lr=1e-6)
    torch.manual_seed(0)
    fit(module, Rows(x, torch.zeros(4, 1)), Augment(padding=2))
    assert not torch.equal(module.seen[0][0], x)
    assert torch.equal(module.checked[0][0], x)


def test_other_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(batch, channels, height, width\), but got float32 of shape \(2, 3\)"):
        changed(Augment(), torch.zeros(2, 3))
    with pytest.raises(ValueError, match="floating point, but got uint8"):
        changed(Augment(), torch.zeros(2, 1, 3, 3, dtype=torch.uint8))


@pytest.mark.parametrize("padding", [-1, 1.5, True])
def test_padding_is_a_whole_number(padding: Any) -> None:
    with pytest.raises(ValueError, match="padding must be a whole number >= 0"):
        Augment(padding=padding)
