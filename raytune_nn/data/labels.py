"""From the names of classes, as files hold them, to numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

MOST_CLASSES = 1000


def find_classes(labels: Sequence[str], source: str) -> list[str]:
    """The classes among the labels of all rows: numbers in their order, else names by the alphabet.

    Args:
        labels: Label of each row.
        source: What the labels were read from, for messages.

    Raises:
        ValueError: There are fewer than two classes, more than `MOST_CLASSES`, or more than half as many as rows.
    """
    classes = set(labels)
    if len(classes) < 2:
        raise ValueError(f"{source}: classification needs two classes, but all {len(labels)} rows are {labels[0]!r}")
    if len(classes) > min(MOST_CLASSES, len(labels) / 2):
        raise ValueError(
            f"{source}: at most {MOST_CLASSES} classes and two rows a class on average must hold, "
            f"but {len(labels)} rows have {len(classes)} classes ({labels[0]!r}, …); is it the label?"
        )
    # "10" comes after "9", as everybody who reads a confusion matrix expects.
    numeric = all(name.isdecimal() for name in classes)
    return sorted(classes, key=lambda name: (int(name), name)) if numeric else sorted(classes)


def class_numbers(labels: Sequence[str], classes: Sequence[str], place: Callable[[int], str]) -> npt.NDArray[np.int64]:
    """Number of each label's class, shape (rows,).

    Args:
        labels: Label of each row.
        classes: The classes in their order.
        place: Where a row stands, for messages.

    Raises:
        ValueError: A label is none of the classes; the message names its row.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    for row, label in enumerate(labels):
        if label not in numbers:
            raise ValueError(f"{place(row)}: the class {label!r} is not in the training file")
    return np.array([numbers[label] for label in labels], dtype=np.int64)
