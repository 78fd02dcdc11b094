"""WAV files of every width, and files that are none."""

from __future__ import annotations

import io
import struct
import wave

import numpy as np
import pytest

from raytune_nn.data.wav import decode_wav


def wav(pcm: bytes, width: int, channels: int = 1, rate: int = 8000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setsampwidth(width)
        out.setnchannels(channels)
        out.setframerate(rate)
        out.writeframes(pcm)
    return file.getvalue()


@pytest.mark.parametrize(
    ("width", "pcm"),
    [
        (1, bytes([0, 64, 128, 192])),  # unsigned: 128 is silence
        (2, struct.pack("<4h", -(2**15), -(2**14), 0, 2**14)),
        (3, b"".join(value.to_bytes(3, "little", signed=True) for value in (-(2**23), -(2**22), 0, 2**22))),
        (4, struct.pack("<4i", -(2**31), -(2**30), 0, 2**30)),
    ],
)
def test_every_width_has_the_same_scale(width: int, pcm: bytes) -> None:
    samples, rate = decode_wav(wav(pcm, width, rate=16_000), "x.wav")
    assert samples.tolist() == [-1.0, -0.5, 0.0, 0.5]
    assert samples.dtype == np.float32
    assert rate == 16_000


def test_channels_are_averaged() -> None:
    pcm = struct.pack("<6h", 2**14, 0, -(2**14), 2**14, 2**13, 2**13)
    assert decode_wav(wav(pcm, 2, channels=2), "x.wav")[0].tolist() == [0.25, 0.0, 0.25]


def test_the_extensible_format_is_read() -> None:
    pcm = b"".join(value.to_bytes(3, "little", signed=True) for value in (-(2**22), 2**22))
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    chunk = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 8000, 24_000, 3, 24, 22, 24, 4) + guid
    body = b"WAVEJUNK" + struct.pack("<I", 4) + b"junkfmt " + struct.pack("<I", len(chunk)) + chunk
    body += b"data" + struct.pack("<I", len(pcm)) + pcm
    samples, rate = decode_wav(b"RIFF" + struct.pack("<I", len(body)) + body, "x.wav")
    assert (samples.tolist(), rate) == ([-0.5, 0.5], 8000)
    floats = body.replace(guid, b"\x03" + guid[1:])
    with pytest.raises(ValueError, match=r"x\.wav is not a WAV file of integer PCM"):
        decode_wav(b"RIFF" + struct.pack("<I", len(floats)) + floats, "x.wav")


def test_what_is_no_wav_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"x\.wav is not a WAV file of integer PCM: file does not start with RIFF id"):
        decode_wav(b"ID3 is what an MP3 begins with", "x.wav")
    with pytest.raises(ValueError, match=r"x\.wav is not a WAV file of integer PCM: it ends within its header"):
        decode_wav(b"", "x.wav")
    floats = bytearray(wav(b"\0" * 8, 4))
    floats[20] = 3  # the format's number: IEEE float
    with pytest.raises(ValueError, match="integer PCM: unknown format: 3"):
        decode_wav(bytes(floats), "x.wav")
    with pytest.raises(ValueError, match=r"x\.wav holds no sample"):
        decode_wav(wav(b"", 2), "x.wav")


def test_a_file_that_was_cut_off_is_refused() -> None:
    with pytest.raises(ValueError, match="its header says 8 bytes of samples, but 5 are there"):
        decode_wav(wav(b"\0" * 8, 2)[:-3], "x.wav")


def test_wherever_a_file_ends_it_is_refused() -> None:
    whole = wav(b"\1\2" * 8, 2, channels=2)
    for end in range(len(whole)):
        with pytest.raises(ValueError, match=r"x\.wav"):
            decode_wav(whole[:end], "x.wav")
