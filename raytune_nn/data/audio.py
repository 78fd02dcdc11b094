"""Labelled recordings in a folder or zip of WAV files, as log-mel features."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Unpack

import numpy as np
import torch
from torch import Tensor

from raytune_nn.data.arrays import Arrays
from raytune_nn.data.cache import Named, cached
from raytune_nn.data.labels import class_numbers, find_classes
from raytune_nn.data.mel import log_mel
from raytune_nn.data.module import ArrayDataModule, ArrayOptions
from raytune_nn.data.ragged import pad
from raytune_nn.data.recordings import compile_pattern, label_of, list_recordings, read_recordings
from raytune_nn.data.wav import decode_wav

USUAL = 95  # percent of the files that are not cut if `max_frames` is left open


class AudioDataModule(ArrayDataModule):
    """Recordings and their classes as batches ``(x, y)``.

    ``x`` is float32 of shape (batch, num_mels, frames), or (batch, frames, num_mels) with ``time_first``: the
    log-mel features of `raytune_nn.data.mel`, each band standardised on the frames of the training rows. Longer
    recordings lose their end, shorter ones go on with frames of exactly 0. ``y`` is int64 of shape (batch,).

    Args:
        path: A folder or zip with WAV files of 8, 16, 24 or 32 bits, all of one sample rate; channels are averaged.
        label_pattern: Regular expression that finds the class as its group ``label`` in a file's name; none: the
            name of the folder that the file lies in is its class.
        num_mels: Bands of pitch.
        window_ms: Length of a frame in milliseconds.
        hop_ms: Time from one frame to the next in milliseconds.
        max_frames: Frames of every row; none: as many as 95 of 100 recordings do not exceed.
        time_first: Frames before bands, as recurrent networks and Transformers want it.
        options: Those of `ArrayDataModule`.

    Attributes:
        num_mels: Bands of pitch.
        num_frames: Frames of every row; from ``setup`` on, as all below.
        num_classes: Classes.
        class_names: Their names, in the order of their numbers.

    Raises:
        ValueError: An argument breaks its bounds; from ``setup``: a file is not WAV, holds no sample, has another
            sample rate than the others or no label, or there is only one class.
    """

    num_frames: int
    class_names: list[str]

    def __init__(
        self,
        path: str,
        label_pattern: str | None = "^(?P<label>[^_]+)_",
        num_mels: int = 40,
        window_ms: float = 25.0,
        hop_ms: float = 10.0,
        max_frames: int | None = None,
        time_first: bool = False,
        **options: Unpack[ArrayOptions],
    ) -> None:
        super().__init__(**options)
        if num_mels < 1 or (max_frames is not None and max_frames < 1):
            raise ValueError(f"num_mels, max_frames >= 1 must hold, but got {num_mels}, {max_frames}")
        if not (window_ms > 0 and hop_ms > 0):
            raise ValueError(f"window_ms, hop_ms > 0 must hold, but got {window_ms}, {hop_ms}")
        compile_pattern(label_pattern)
        self.path, self.source, self.label_pattern = path, path, label_pattern
        self.num_mels, self.window_ms, self.hop_ms = num_mels, window_ms, hop_ms
        self.max_frames, self.time_first = max_frames, time_first

    def read(self) -> Arrays:
        """Features of shape (rows, frames, mels), frames of each row, and labels."""
        decoded = self._decoded()
        self.class_names = decoded["classes"].tolist()
        self.num_classes = len(self.class_names)
        starts = decoded["starts"].astype(np.int64)
        lengths = np.diff(starts)
        # Over all recordings, so that every fold and share of them makes rows of one length.
        self.num_frames = self.max_frames or int(np.percentile(lengths, USUAL, method="higher"))
        features = pad(decoded["features"], starts, self.num_frames)
        return torch.from_numpy(features), torch.from_numpy(lengths), torch.from_numpy(decoded["labels"])

    def fit(self, arrays: Arrays, rows: Tensor) -> None:
        """Take the mean and the standard deviation of each band over the training rows."""
        features, lengths, _ = arrays
        frames = features[rows][self._is_frame(lengths[rows])].double()
        self._mean = frames.mean(0).float()
        # Rounding gives a constant band a standard deviation that is tiny, but not zero.
        constant = frames.amax(0) == frames.amin(0)
        self._scale = frames.std(0, correction=0).float().masked_fill(constant, 1)

    def transform(self, arrays: Arrays) -> Arrays:
        """Standardise the frames, leave the padding at 0."""
        features, lengths, labels = arrays
        standard = ((features - self._mean) / self._scale).masked_fill_(~self._is_frame(lengths)[:, :, None], 0)
        return standard if self.time_first else standard.transpose(1, 2).contiguous(), labels

    def _is_frame(self, lengths: Tensor) -> Tensor:
        return torch.arange(self.num_frames) < lengths[:, None]

    def _decoded(self) -> Named:
        names = list_recordings(self.path)
        files = [Path(self.path) / name for name in names] if Path(self.path).is_dir() else [Path(self.path)]
        options = self.label_pattern, self.num_mels, self.window_ms, self.hop_ms
        return cached("audio 1", files, {"": options}, partial(decode_recordings, self.path, names, *options))


def decode_recordings(
    path: str, names: list[str], label_pattern: str | None, num_mels: int, window_ms: float, hop_ms: float
) -> Named:
    """Features and classes of all recordings.

    Args:
        path: The folder or zip.
        names: The files in it.
        label_pattern: As in `AudioDataModule`, and the others too.
        num_mels: Bands of pitch.
        window_ms: Length of a frame in milliseconds.
        hop_ms: Time from one frame to the next in milliseconds.

    Returns:
        ``features``, all recordings end to end, shape (frames, num_mels); ``starts``, where each begins, and the
        end of the last; ``labels``, number of each class; ``classes``, their names.

    Raises:
        ValueError: A file cannot be decoded, or two have different sample rates.
    """
    pattern = compile_pattern(label_pattern)
    labels = [label_of(name, pattern, path) for name in names]
    classes = find_classes(labels, path)
    features, first = [], 0
    for name, content in zip(names, read_recordings(path, names), strict=True):
        samples, rate = decode_wav(content, f"{path}: {name}")
        first = first or rate
        if rate != first:
            raise ValueError(
                f"{path}: all files must have one sample rate, but {names[0]} has {first} Hz and {name} {rate} Hz"
            )
        window, hop = (max(1, round(rate * milliseconds / 1000)) for milliseconds in (window_ms, hop_ms))
        features.append(log_mel(torch.from_numpy(samples), rate, num_mels, window, hop).numpy())
    return {
        "features": np.concatenate(features),
        "starts": np.cumsum([0, *map(len, features)]),
        "labels": class_numbers(labels, classes, names.__getitem__),
        "classes": np.array(classes),
    }
