"""Words of a text, and the words that a network knows."""

from __future__ import annotations

import numpy as np

from raytune_nn.data.vocabulary import UNKNOWN, count_vocabulary, tokenise


def test_words_and_marks() -> None:
    assert tokenise("Don't go, U.S.!", lower=True) == ["don't", "go", ",", "u", ".", "s", ".", "!"]
    assert tokenise("Ünïcode  çafé\t5£", lower=False) == ["Ünïcode", "çafé", "5", "£"]
    assert tokenise("'quoted'", lower=True) == ["'", "quoted", "'"]
    assert tokenise(" \u00a0 ", lower=True) == []


def test_the_most_frequent_words_come_first_and_ties_keep_their_order() -> None:
    tokens = np.array([3, 3, 3, 1, 1, 2, 2, 0], dtype=np.int32)
    numbers, size = count_vocabulary(tokens, 5, max_vocab=100, min_count=1)
    assert numbers.tolist() == [5, 3, 4, 2, UNKNOWN]  # word 4 is not in the training rows
    assert size == 6


def test_rare_words_and_those_past_the_maximum_are_unknown() -> None:
    tokens = np.array([3, 3, 3, 1, 1, 2, 2, 0], dtype=np.int32)
    numbers, size = count_vocabulary(tokens, 5, max_vocab=100, min_count=2)
    assert (numbers.tolist(), size) == ([UNKNOWN, 3, 4, 2, UNKNOWN], 5)
    numbers, size = count_vocabulary(tokens, 5, max_vocab=4, min_count=1)
    assert (numbers.tolist(), size) == ([UNKNOWN, 3, UNKNOWN, 2, UNKNOWN], 4)
