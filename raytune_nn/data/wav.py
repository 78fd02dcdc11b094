"""Reading WAV files with the standard library and numpy."""

from __future__ import annotations

import wave
from io import BytesIO

import numpy as np
import numpy.typing as npt


def decode_wav(content: bytes, name: str) -> tuple[npt.NDArray[np.float32], int]:
    """Samples in -1..1 of shape (samples,), the mean over the channels, and the samples a second.

    Args:
        content: A WAV file of integer PCM with 8, 16, 24 or 32 bits.
        name: The file, for messages.

    Raises:
        ValueError: It is not such a file, holds no sample, or ends before its header says.
    """
    try:
        with wave.open(BytesIO(_plain_header(content))) as file:
            channels, width, rate, frames = file.getparams()[:4]
            pcm = file.readframes(frames)
    except (wave.Error, EOFError) as error:
        reason = str(error) or "it ends within its header"
        raise ValueError(f"{name} is not a WAV file of integer PCM: {reason}") from error
    if not frames:
        raise ValueError(f"{name} holds no sample")
    if len(pcm) != frames * channels * width:
        raise ValueError(
            f"{name} is cut off: its header says {frames * channels * width} bytes of samples, but {len(pcm)} are there"
        )
    samples: npt.NDArray[np.float32] = _integers(pcm, width, name).reshape(-1, channels).mean(1, dtype=np.float32)
    return samples, rate


def _plain_header(content: bytes) -> bytes:
    """The file with the extensible format, usual beyond 16 bits, as the plain one: Python 3.11 knows no other."""
    at = content.find(b"fmt ", 12) + len("fmt ") + 4  # past the chunk's name and length
    extensible, of_integers = content[at : at + 2] == b"\xfe\xff", content[at + 24 : at + 26] == b"\x01\x00"
    return content[:at] + b"\x01\x00" + content[at + 2 :] if extensible and of_integers else content


def _integers(pcm: bytes, width: int, name: str) -> npt.NDArray[np.float32]:
    """Little-endian integers of ``width`` bytes as shares of their full scale."""
    if width == 1:  # the only width without a sign
        return (np.frombuffer(pcm, np.uint8).astype(np.float32) - np.float32(128)) / np.float32(128)
    if width in (2, 4):
        return np.frombuffer(pcm, f"<i{width}").astype(np.float32) / np.float32(2 ** (8 * width - 1))
    if width == 3:  # the upper three bytes of 32 bits
        wide = np.zeros((len(pcm) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(pcm, np.uint8).reshape(-1, 3)
        return wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)
    raise ValueError(f"{name} has samples of {8 * width} bits, but 8, 16, 24 and 32 can be read")
