"""Texts as numbers: cutting them into words, and the words that a network knows."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

PADDING = 0
UNKNOWN = 1
FIRST_WORD = 2

# Letters and digits hang together, with an apostrophe between them too; each other mark is a word of its own.
WORD = re.compile(r"\w+(?:'\w+)*|[^\w\s]")


def tokenise(text: str, lower: bool) -> list[str]:
    """The words and marks of a text: ``"Don't go, U.S.!"`` has ``don't go , u . s . !``.

    Args:
        text: Any text.
        lower: Take capitals as small letters.
    """
    words: list[str] = WORD.findall(text.lower() if lower else text)
    return words


def count_vocabulary(
    tokens: npt.NDArray[np.int32], num_words: int, max_vocab: int, min_count: int
) -> tuple[npt.NDArray[np.int64], int]:
    """Number of each word in a vocabulary that holds the most frequent ones, and the vocabulary's size.

    Numbers begin at `FIRST_WORD` with the most frequent word; of two as frequent the one with the lower
    number in ``tokens`` comes first. `PADDING` and `UNKNOWN` count as members.

    Args:
        tokens: Words of the training rows, each as its number in some list of all words.
        num_words: Length of that list.
        max_vocab: Most members that the vocabulary may have.
        min_count: How often a member must occur.

    Returns:
        The new number of each word of the list, shape (num_words,), `UNKNOWN` for those left out; and the size.
    """
    counts = np.bincount(tokens, minlength=num_words)
    frequent = np.argsort(-counts, kind="stable")[: max_vocab - FIRST_WORD]
    frequent = frequent[counts[frequent] >= min_count]
    numbers = np.full(num_words, UNKNOWN, np.int64)
    numbers[frequent] = np.arange(FIRST_WORD, FIRST_WORD + len(frequent))
    return numbers, FIRST_WORD + len(frequent)
