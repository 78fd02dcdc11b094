"""The journal on a real disk: what was written comes back, and what was damaged does not."""

from __future__ import annotations

import json
import os
import resource
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytune_nn.errors import UnusableError
from raytune_nn.store.journal import SYNC_SECONDS, Event, Journal, read_journal, torn_lines
from raytune_nn.store.retry import Retry

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def write(folder: Path, *bodies: dict[str, Any]) -> list[Event]:
    """One driver's segment."""
    journal = Journal(folder)
    events = [journal.append("reported", **body) for body in bodies]
    journal.close()
    return events


def segment(folder: Path, number: int = 0) -> Path:
    return folder / f"{number:05d}.jsonl"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.text(min_size=1).map(lambda key: f"x{key}"), json_values, max_size=4), max_size=4))
def test_any_plain_value_comes_back(bodies: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as name, patch("os.fsync"):
        events = write(Path(name), *bodies)
        assert repr(list(read_journal(Path(name)))) == repr(events), "NaN equals itself only as a text"


def test_what_json_does_not_have_comes_back(tmp_path: Path) -> None:
    write(
        tmp_path, {"metrics": {"nan": float("nan"), "inf": float("inf"), "small": 5e-324}, "text": "ü\n\u2028🙂\ud800"}
    )
    [event] = read_journal(tmp_path)
    assert repr(event["metrics"]) == "{'nan': nan, 'inf': inf, 'small': 5e-324}"
    assert event["text"] == "ü\n\u2028🙂\ud800"
    assert event["type"] == "reported"
    assert event["time"] > 1.7e9


def test_no_folder_and_an_empty_segment_hold_no_event(tmp_path: Path) -> None:
    assert list(read_journal(tmp_path / "none")) == []
    Journal(tmp_path).close()
    assert list(read_journal(tmp_path)) == []
    assert torn_lines(tmp_path) == 0


def test_each_driver_has_a_segment_of_its_own(tmp_path: Path) -> None:
    for number in range(12):
        write(tmp_path, {"n": number})
        assert [event["n"] for event in read_journal(tmp_path)] == [*range(number + 1)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{number:05d}.jsonl" for number in range(12)]


def test_what_is_appended_can_be_read_at_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for number in range(3):
        journal.append("reported", n=number)
        assert [event["n"] for event in read_journal(tmp_path)] == [*range(number + 1)]
    journal.close()


def test_a_torn_last_line_is_dropped_and_counted_wherever_it_was_cut(tmp_path: Path) -> None:
    write(tmp_path, {"n": 0}, {"n": 1}, {"n": 2, "text": "the last line\nwith an ü"})
    whole = segment(tmp_path).read_bytes()
    start = whole[:-1].rindex(b"\n") + 1
    write(tmp_path, {"n": 3})
    for end in range(start, len(whole)):
        segment(tmp_path).write_bytes(whole[:end])
        assert [event["n"] for event in read_journal(tmp_path)] == [0, 1, 3]
        assert torn_lines(tmp_path) == (end > start)
    segment(tmp_path).write_bytes(whole)
    assert [event["n"] for event in read_journal(tmp_path)] == [0, 1, 2, 3]
    assert torn_lines(tmp_path) == 0


@settings(max_examples=200, deadline=None)
@given(position=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_any_other_byte_that_changed_is_refused_with_its_place(position: int, byte: int) -> None:
    with tempfile.TemporaryDirectory() as name, patch("os.fsync"):
        folder = Path(name)
        write(folder, {"n": -1})
        write(folder, {"n": 0, "value": 0.5}, {"n": 1, "text": "a b"}, {"n": 2})
        path = segment(folder, 1)
        data = bytearray(path.read_bytes())
        position %= len(data) - 1  # but the last newline: without it the line is torn
        if data[position] == byte:
            return
        data[position] = byte
        line_start = path.read_bytes()[:position].rfind(b"\n") + 1
        path.write_bytes(data)
        with pytest.raises(UnusableError) as caught:
            list(read_journal(folder))
        assert f"{path}, byte {line_start}: " in str(caught.value)


def test_a_line_that_is_lost_in_part_is_refused(tmp_path: Path) -> None:
    write(tmp_path, {"n": 0}, {"n": 1})
    path = segment(tmp_path)
    path.write_bytes(path.read_bytes()[3:])
    with pytest.raises(UnusableError, match="byte 0"):
        list(read_journal(tmp_path))


def test_what_was_read_before_the_damage_was_real(tmp_path: Path) -> None:
    write(tmp_path, {"n": 0}, {"n": 1})
    path = segment(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"n":1', b'"n":7'))
    events = read_journal(tmp_path)
    assert next(events)["n"] == 0
    with pytest.raises(UnusableError):
        next(events)


def test_the_disk_is_synced_at_most_every_so_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    now = 100.0
    monkeypatch.setattr("os.fsync", synced.append)
    monkeypatch.setattr("time.monotonic", lambda: now)
    journal = Journal(tmp_path)
    journal.sync(force=True)
    assert synced == [], "nothing was appended"
    journal.append("a")
    journal.sync()
    assert synced == [], "too soon"
    now += SYNC_SECONDS + 0.01
    journal.sync()
    journal.sync()
    assert len(synced) == 1
    journal.append("b")
    journal.sync()
    assert len(synced) == 1, "too soon again"
    journal.sync(force=True)
    assert len(synced) == 2
    journal.append("c")
    journal.close()
    assert len(synced) == 3, "closing leaves nothing unsynced"


def test_a_disk_that_is_full_is_an_error_of_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_open = os.open
    with monkeypatch.context() as patch:
        patch.setattr("os.open", lambda path, flags, mode: real_open("/dev/full", os.O_WRONLY))
        journal = Journal(tmp_path)
    with pytest.raises(UnusableError, match="No space left on device") as caught:
        journal.append("a")
    assert str(segment(tmp_path)) in str(caught.value)
    assert caught.value.exit_code == 4
    journal.close()


def test_what_was_written_of_a_line_that_was_refused_is_overwritten(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append("kept", n=0)
    size = segment(tmp_path).stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, limits[1]))  # as a disk with 20 bytes left
    try:
        with pytest.raises(UnusableError):
            journal.append("torn", n=1, text="longer than the line that follows")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert segment(tmp_path).stat().st_size == size + 20
    assert torn_lines(tmp_path) == 1, "a driver that is killed now has torn no line that was acknowledged"
    assert [event["n"] for event in read_journal(tmp_path)] == [0]
    journal.append("late", n=2)
    journal.close()
    assert torn_lines(tmp_path) == 0
    write(tmp_path, {"n": 3})
    assert [event["n"] for event in read_journal(tmp_path)] == [0, 2, 3]


def test_a_closed_file_is_an_error_of_storage(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append("a")
    journal.close()
    with pytest.raises(UnusableError, match="Bad file descriptor"):
        journal.append("b")


def test_a_place_that_cannot_be_written_is_an_error_of_storage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnusableError, match="Not a directory"):
        Journal(tmp_path / "file" / "journal")


def test_a_segment_that_cannot_be_read_is_an_error_of_storage(tmp_path: Path) -> None:
    segment(tmp_path).mkdir()
    with pytest.raises(UnusableError, match="Is a directory"):
        list(read_journal(tmp_path))


def test_a_line_is_a_checksum_and_json_that_anyone_can_read(tmp_path: Path) -> None:
    [event] = write(tmp_path, {"n": 1})
    checksum, _, body = segment(tmp_path).read_text().rstrip("\n").partition(" ")
    assert json.loads(body) == event
    assert len(checksum) == 8
    assert int(checksum, 16) >= 0


def open_as(folder: Path, events: int) -> Journal:
    """The segment of a driver that has read so many events."""
    journal = Journal(folder)
    journal.append("opened", events=events)
    return journal


def test_what_a_driver_writes_after_another_one_has_read_the_journal_counts_for_nobody(tmp_path: Path) -> None:
    suspended = open_as(tmp_path, 0)
    suspended.append("counts", n=0)
    second = open_as(tmp_path, 2)
    suspended.append("late", n=1)
    second.append("counts", n=2)
    third = open_as(tmp_path, 4)
    suspended.append("late", n=3)
    second.append("late", n=4)
    third.append("counts", n=5)
    for journal in (suspended, second, third):
        journal.close()
    assert [event["type"] for event in read_journal(tmp_path)] == ["opened", "counts"] * 3


def test_of_two_drivers_that_open_at_once_the_later_one_has_the_study(tmp_path: Path) -> None:
    first, second = open_as(tmp_path, 0), open_as(tmp_path, 0)
    first.append("late")
    second.append("counts")
    for journal in (first, second):
        journal.close()
    assert [event["type"] for event in read_journal(tmp_path)] == ["opened", "counts"]


def test_a_driver_that_was_killed_before_its_first_line_changes_nothing(tmp_path: Path) -> None:
    first = open_as(tmp_path, 0)
    first.append("counts")
    Journal(tmp_path).close()
    segment(tmp_path, 1).write_bytes(b"0000")  # or in the middle of it
    second = open_as(tmp_path, 2)
    first.append("late")
    second.close()
    first.close()
    assert [event["type"] for event in read_journal(tmp_path)] == ["opened", "counts", "opened"]


def test_lines_that_another_driver_has_read_and_that_are_gone_are_damage(tmp_path: Path) -> None:
    first = open_as(tmp_path, 0)
    for n in range(3):
        first.append("counts", n=n)
    first.close()
    open_as(tmp_path, 4).close()
    path = segment(tmp_path)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(UnusableError, match=r"00000\.jsonl: the last 1 of 4 lines by then are missing"):
        list(read_journal(tmp_path))


def test_a_driver_that_may_not_write_writes_nothing(tmp_path: Path) -> None:
    refusals: list[Exception] = []

    def guard() -> None:
        for refusal in refusals:
            raise refusal

    journal = Journal(tmp_path, Retry(guard=guard))
    journal.append("counts")
    refusals.append(UnusableError("lost"))
    for write_more in (lambda: journal.append("late"), lambda: journal.sync(force=True), journal.close):
        with pytest.raises(UnusableError, match="lost"):
            write_more()
    assert [event["type"] for event in read_journal(tmp_path)] == ["counts"]
