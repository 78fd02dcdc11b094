"""What two failures have in common, and what is kept of many."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from raytune_nn.nn.mlp import MLP
from raytune_nn.store.causes import MOST_CAUSES, OTHERS, Causes, Diagnosis, brief, diagnose, shorten


class Odd(Exception):
    """Cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Rows(Dataset[int]):
    """Its first row cannot be read."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, row: int) -> int:
        raise ValueError("row 0 is torn")


def error_of(body: Callable[[], object]) -> str:
    """The traceback of what it raises."""
    try:
        body()
    except BaseException:
        return traceback.format_exc()
    raise AssertionError("it raised nothing")


def fail(error: BaseException) -> NoReturn:
    raise error


def in_library(columns: int) -> object:
    return torch.nn.Linear(3, 1)(torch.zeros(1, columns))


def again(depth: int) -> int:
    return again(depth + 1)


def after_another() -> None:
    try:
        fail(KeyError("first"))
    except KeyError as error:
        raise ValueError("second") from error


def in_worker_of_loader() -> None:
    next(iter(DataLoader(Rows(), num_workers=1)))


def in_thread() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(fail, OSError(28, "No space left on device", "/a/b")).result()


@pytest.mark.parametrize(
    ("body", "reason", "function"),
    [
        (lambda: fail(ValueError("no")), "ValueError: no", "fail"),
        (lambda: fail(ValueError()), "ValueError", "fail"),
        (lambda: fail(ValueError("one\n  two\nthree")), "ValueError: one", "fail"),
        (lambda: fail(Odd()), "test_causes.Odd: <exception str() failed>", "fail"),
        (lambda: fail(SystemExit(3)), "SystemExit: 3", "fail"),
        (lambda: fail(KeyboardInterrupt()), "KeyboardInterrupt", "fail"),
        (lambda: again(0), "RecursionError: maximum recursion depth exceeded", "again"),
        (after_another, "ValueError: second", "after_another"),
        (in_worker_of_loader, "ValueError: row 0 is torn", "__getitem__"),
        (in_thread, "OSError: [Errno 28] No space left on device: '/a/b'", "fail"),
        (lambda: eval("1 +"), "SyntaxError: invalid syntax", "<lambda>"),
    ],
)
def test_type_message_and_the_users_innermost_line(body: Callable[[], object], reason: str, function: str) -> None:
    found = diagnose(error_of(body))
    assert found.reason == reason
    file, _, name = found.place.partition(", ")
    assert (file.partition(":")[0], name) == ("test_causes.py", function)


def test_where_only_this_package_is_at_work_its_line_is_the_place() -> None:
    error = error_of(lambda: MLP(4, 2)(torch.zeros(1, 3)))
    mine = error[: error.index("  File")] + error[error.index("  File", error.index("test_causes")) :]
    theirs = "\n".join(line for line in mine.splitlines() if "test_causes" not in line and "lambda" not in line)
    assert diagnose(theirs).place.startswith("mlp.py:")


def test_what_has_no_traceback_has_its_reason_at_the_end() -> None:
    assert diagnose("Ray's words\n  pid: 3\nthe trial's process died\n") == Diagnosis("the trial's process died")
    assert diagnose(" \n") == Diagnosis("no word of what went wrong")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: in_library(4), lambda: in_library(5)),
        (lambda: fail(ValueError(f"{object()} is 1.5e-3")), lambda: fail(ValueError(f"{object()} is 7"))),
        (lambda: fail(KeyError("relu")), lambda: fail(KeyError("gelu"))),
    ],
)
def test_numbers_addresses_and_quotes_make_no_other_cause(
    one: Callable[[], object], other: Callable[[], object]
) -> None:
    first, second = diagnose(error_of(one)), diagnose(error_of(other))
    assert first.reason != second.reason
    assert first.cause == second.cause


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: fail(ValueError("no")), lambda: fail(TypeError("no"))),
        (lambda: fail(ValueError("no")), lambda: fail(ValueError("never"))),
        (lambda: in_library(4), after_another),
    ],
)
def test_other_types_messages_and_lines_do(one: Callable[[], object], other: Callable[[], object]) -> None:
    assert diagnose(error_of(one)).cause != diagnose(error_of(other)).cause


def test_a_short_traceback_has_the_users_frames_and_the_one_that_raised() -> None:
    whole = error_of(lambda: in_library(4))
    lines = brief(whole).splitlines()
    files = [line.split('"')[1].rpartition("/")[2] for line in lines if line.startswith("  File")]
    assert files == ["test_causes.py"] * 3 + ["linear.py"]
    assert "  … 2 frames of libraries" in lines
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == whole.splitlines()[-1]
    assert len(lines) < len(whole.splitlines())
    assert brief("no traceback\n    at all") == "no traceback\n    at all"


def test_a_long_message_keeps_head_and_tail() -> None:
    error = error_of(lambda: fail(ValueError(f"first {'x' * 10_000_000} last")))
    short = shorten(error)
    assert len(short) < 20_000
    assert short.startswith("Traceback")
    assert "ValueError: first xxx" in short
    assert short.endswith("xxx last\n")
    assert f"… {len(error) - 16_000} characters left out …" in short
    assert len(diagnose(error).reason) == 300
    assert shorten("short") == "short"


def test_ten_thousand_failures_take_no_more_room_than_their_causes() -> None:
    causes = Causes()
    for trial in range(10_000):
        causes.failed(str(trial), Diagnosis(f"ValueError: {trial}", "a.py:1"), "T" * 5000)
    (cause,) = causes.of_failures
    assert (cause.count, cause.trials) == (10_000, [str(trial) for trial in range(10)])
    assert str(cause.diagnosis) == "ValueError: 0 (a.py:1)"
    for trial in range(10_000):
        causes.retried(str(trial % 3), Diagnosis("E", f"a.py:{trial}, f{trial}"), "T")
    assert len(causes.of_retries) == MOST_CAUSES
    most = causes.of_retries[0]
    assert (most.diagnosis, most.retries) == (Diagnosis(OTHERS), 10_000 - MOST_CAUSES + 1)
    assert most.retried == ["0", "1", "2"]
    assert causes.of_failures == [cause], "retries are none"


def test_causes_come_by_how_frequent_they_are() -> None:
    causes = Causes()
    for trial, reason in enumerate(["A", "B", "C", "B", "C", "C"]):
        causes.failed(str(trial), Diagnosis(reason), "")
    assert [(cause.diagnosis.reason, cause.count) for cause in causes.of_failures] == [("C", 3), ("B", 2), ("A", 1)]
