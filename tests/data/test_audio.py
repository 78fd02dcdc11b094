"""AudioDataModule: features of sines, standardisation on the training rows alone, errors, and the spoken digits."""

from __future__ import annotations

import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from shared_data import shared_data
from torch import Tensor

from raytune_nn.data import AudioDataModule, stratified_split
from raytune_nn.data.mel import log_mel

RATE = 8000
COUNT = 20


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYTUNE_NN_CACHE", str(tmp_path / "cache"))


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((samples * 32767).astype("<i2").tobytes())


def sine(row: int) -> np.ndarray:
    """Row ``n`` lasts ``(10 + n) / 100`` seconds: 300 Hz if n is even, 2000 Hz if it is odd."""
    time = np.arange(RATE * (10 + row) // 100) / RATE
    noise = np.random.default_rng(row).normal(0, 0.01, len(time))
    return np.asarray(0.1 * np.sin(2 * np.pi * (300, 2000)[row % 2] * time) + noise)


def made(folder: Path) -> str:
    for row in range(COUNT):
        write(folder / f"{('low', 'high')[row % 2]}_{row:02}.wav", sine(row))
    return str(folder)


def order() -> list[int]:
    """Rows as files are read, by their names."""
    return [*range(1, COUNT, 2), *range(0, COUNT, 2)]


def ready(path: str, **options: Any) -> AudioDataModule:
    data = AudioDataModule(path, **{"batch_size": None, "num_mels": 20} | options)
    data.setup()
    return data


def batch(loader: Any) -> tuple[Tensor, Tensor]:
    x, y = zip(*loader, strict=True)
    return torch.cat(x), torch.cat(y)


def split_rows() -> list[list[int]]:
    labels = torch.tensor([row % 2 == 0 for row in order()])
    return [[order()[place] for place in part.tolist()] for part in stratified_split(labels, 0.2, 0.2, 0)]


def features(row: int) -> Tensor:
    samples = (sine(row) * 32767).astype("<i2").astype(np.float32) / 2**15
    return log_mel(torch.from_numpy(samples), RATE, 20, window=200, hop=80)


def test_features_are_standardised_on_the_training_frames_and_padded_with_zeros(tmp_path: Path) -> None:
    data = ready(made(tmp_path / "s"), max_frames=40)
    train, val, _ = split_rows()
    frames = torch.cat([features(row) for row in train])
    x, y = batch(data.val_dataloader())
    assert (x.dtype, y.dtype, tuple(x.shape)) == (torch.float32, torch.int64, (len(val), 20, 40))
    for made_features, label, row in zip(x, y.tolist(), val, strict=True):
        expected = (features(row) - frames.mean(0)) / frames.std(0, correction=0)
        torch.testing.assert_close(made_features[:, : len(expected)].T, expected, atol=1e-4, rtol=1e-4)
        assert not made_features[:, len(expected) :].any()
        assert data.class_names[label] == ("low", "high")[row % 2]
    assert (data.num_frames, data.num_mels, data.num_classes, data.class_names) == (40, 20, 2, ["high", "low"])


def test_the_moments_of_the_training_frames_are_zero_and_one(tmp_path: Path) -> None:
    x, _ = batch(ready(made(tmp_path / "s"), max_frames=40, time_first=True).train_dataloader())
    frames = x[x.any(2)]
    assert len(frames) == sum(len(features(row)) for row in split_rows()[0])
    torch.testing.assert_close(frames.mean(0), torch.zeros(20), atol=1e-5, rtol=0)
    torch.testing.assert_close(frames.std(0, correction=0), torch.ones(20), atol=1e-5, rtol=0)


def test_nothing_is_learnt_from_validation_and_test_rows(tmp_path: Path) -> None:
    path = made(tmp_path / "s")
    torch.manual_seed(0)
    before = batch(ready(path, max_frames=30).train_dataloader())
    _, val, test = split_rows()
    for row in val + test:
        write(Path(path) / f"{('low', 'high')[row % 2]}_{row:02}.wav", 9 * sine(row)[: RATE // 20])
    torch.manual_seed(0)
    after = batch(ready(path, max_frames=30).train_dataloader())
    assert torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])


def test_a_sine_stands_out_in_its_band(tmp_path: Path) -> None:
    data = ready(made(tmp_path / "s"), max_frames=10)  # shorter than all, so there is no padding
    x, y = batch(data.test_dataloader())
    for made_features, label in zip(x, y.tolist(), strict=True):
        loudest = int(made_features.mean(1).argmax())
        assert loudest < 8 if data.class_names[label] == "low" else loudest > 10


def test_time_may_come_first(tmp_path: Path) -> None:
    path = made(tmp_path / "s")
    one, other = ready(path), ready(path, time_first=True)
    assert torch.equal(batch(one.val_dataloader())[0].transpose(1, 2), batch(other.val_dataloader())[0])


def test_the_usual_length_is_that_of_95_in_100(tmp_path: Path) -> None:
    data = ready(made(tmp_path / "s"))
    lengths = sorted(len(features(row)) for row in range(COUNT))
    assert data.num_frames == lengths[-1]  # 19 of the 20 are shorter, one in 20 is more than 5 in 100 allow
    write(tmp_path / "s" / "low_99.wav", np.tile(sine(0), 9))
    assert ready(str(tmp_path / "s")).num_frames == lengths[-1]


def test_a_zip_gives_what_its_folder_does(tmp_path: Path) -> None:
    path = made(tmp_path / "s")
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for file in Path(path).iterdir():
            archive.write(file, f"inner/{file.name}")
    one, other = batch(ready(path).val_dataloader()), batch(ready(str(tmp_path / "s.zip")).val_dataloader())
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])


def test_folders_may_be_classes(tmp_path: Path) -> None:
    for row in range(COUNT):
        write(tmp_path / "s" / ("low", "high")[row % 2] / f"{row:02}.wav", sine(row))
    assert ready(str(tmp_path / "s"), label_pattern=None).class_names == ["high", "low"]


def test_a_band_that_never_changes_is_zero(tmp_path: Path) -> None:
    for row in range(COUNT):
        write(tmp_path / "s" / f"{'ab'[row % 2]}_{row}.wav", np.zeros(1000))
    x, _ = batch(ready(str(tmp_path / "s")).train_dataloader())
    torch.testing.assert_close(x, torch.zeros_like(x), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("option", "value"),
    [("num_mels", 0), ("max_frames", 0), ("window_ms", 0), ("hop_ms", -1), ("label_pattern", "(")],
)
def test_bad_arguments_are_refused_at_once(option: str, value: float) -> None:
    with pytest.raises(ValueError, match=option):
        AudioDataModule("s", **{option: value})  # type: ignore[arg-type]


def test_files_that_do_not_fit_are_refused_by_name(tmp_path: Path) -> None:
    path = made(tmp_path / "s")
    other = tmp_path / "s" / "low_99.wav"
    write(other, sine(0), rate=16_000)
    with pytest.raises(ValueError, match=r"one sample rate, but high_01\.wav has 8000 Hz and low_99\.wav 16000 Hz"):
        ready(path)
    other.write_bytes(b"not sound")
    with pytest.raises(ValueError, match=r"s: low_99\.wav is not a WAV file of integer PCM"):
        ready(path)
    write(other, np.zeros(0))
    with pytest.raises(ValueError, match=r"s: low_99\.wav holds no sample"):
        ready(path)
    other.rename(tmp_path / "s" / "nolabel.wav")
    with pytest.raises(ValueError, match=r"finds no label in the file name of nolabel\.wav"):
        ready(path)


def test_one_class_is_refused(tmp_path: Path) -> None:
    for row in range(4):
        write(tmp_path / "s" / f"low_{row}.wav", sine(row))
    with pytest.raises(ValueError, match="classification needs two classes, but all 4 rows are 'low'"):
        ready(str(tmp_path / "s"))


@pytest.mark.slow
def test_spoken_digits() -> None:
    data = ready(shared_data("fsdd/recordings.zip"), num_mels=40)
    x, y = batch(data.val_dataloader())
    assert y.bincount().tolist() == [40] * 10
    assert (data.class_names, tuple(x.shape[1:])) == ([str(digit) for digit in range(10)], (40, data.num_frames))
    assert 50 < data.num_frames < 100  # frames of 10 ms: a digit takes less than a second
    assert bool(x.isfinite().all())
