"""Finding recordings in folders and zips, and their labels."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from raytune_nn.data.recordings import compile_pattern, label_of, list_recordings, read_recordings


def test_a_folder_and_a_zip_of_it_are_read_alike(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    for name in ("b/2.WAV", "a/1.wav", "a/notes.txt", ".trash/x.wav", "__MACOSX/a/1.wav", "a/._1.wav"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    with zipfile.ZipFile(tmp_path / "sounds.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder))
    for path in (str(folder), str(tmp_path / "sounds.zip")):
        names = list_recordings(path)
        assert names == ["a/1.wav", "b/2.WAV"]
        assert list(read_recordings(path, names)) == [b"a/1.wav", b"b/2.WAV"]


def test_what_holds_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must hold \.wav files, but none of its 0 files is one"):
        list_recordings(str(tmp_path))
    (tmp_path / "a.mp3").write_text("")
    with pytest.raises(ValueError, match="but none of its 1 files is one"):
        list_recordings(str(tmp_path))
    with pytest.raises(ValueError, match=r"a\.mp3 must be a folder or a zip of WAV files, but: File is not a zip"):
        list_recordings(str(tmp_path / "a.mp3"))
    with pytest.raises(ValueError, match=r"absent must be a folder or a zip of WAV files, but: No such file"):
        list_recordings(str(tmp_path / "absent"))


def test_a_damaged_zip_is_refused_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a_1.wav", b"0123456789")
    path.write_bytes(path.read_bytes().replace(b"0123456789", b"0123456780"))
    with pytest.raises(ValueError, match=r"s\.zip: a_1\.wav cannot be read: Bad CRC-32"):
        list(read_recordings(str(path), ["a_1.wav"]))


def test_labels_come_from_the_name_or_the_folder() -> None:
    pattern = compile_pattern("^(?P<label>[^_]+)_")
    assert label_of("recordings/7_theo_12.wav", pattern, "s") == "7"
    assert label_of("x/up/1_a.wav", None, "s") == "up"
    with pytest.raises(ValueError, match=r"s: label_pattern '\^.*' finds no label in the file name of a_b/c\.wav"):
        label_of("a_b/c.wav", pattern, "s")
    with pytest.raises(ValueError, match=r"every file must lie in a folder of its class, but c\.wav"):
        label_of("c.wav", None, "s")


def test_patterns_that_cannot_find_a_label_are_refused() -> None:
    with pytest.raises(ValueError, match="label_pattern must be a regular expression, but '\\(' is not"):
        compile_pattern("(")
    with pytest.raises(ValueError, match="must have a group"):
        compile_pattern("^(.*)_")
