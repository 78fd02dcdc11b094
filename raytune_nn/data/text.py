"""Labelled texts in TSV files, as the numbers of their words."""

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
from raytune_nn.data.module import ArrayDataModule, ArrayOptions
from raytune_nn.data.ragged import pad
from raytune_nn.data.tsv import read_tsv
from raytune_nn.data.vocabulary import FIRST_WORD, PADDING, count_vocabulary, tokenise


class TextDataModule(ArrayDataModule):
    """Texts and their classes as batches ``(x, y)``.

    ``x`` is int64 of shape (batch, max_length): a text's first words as their numbers, then 0 as padding. 1 stands
    for every word that is not in the vocabulary. ``y`` is int64 of shape (batch,). Words are runs of letters and
    digits, with apostrophes inside; each other mark is a word of its own.

    Args:
        path: A TSV file in UTF-8: a header, then a row a text; quotes mean nothing.
        test_path: A file of test rows with the same two columns; else they are cut from the first file.
        text_column: Column of the texts.
        label_column: Column of the classes, names or numbers.
        max_length: Words that are kept of each text.
        max_vocab: Most numbers that a word can have, those of padding and of unknown words among them.
        min_count: How often a word must occur in the training rows to be in the vocabulary. With 1 no training
            row has an unknown word, so that a network cannot learn what to make of one.
        lower: Take capitals as small letters.
        options: Those of `ArrayDataModule`.

    Attributes:
        vocab_size: Numbers that a word can have; from ``setup`` on, as all below.
        words: The vocabulary of the training rows: word ``n`` has the number ``n + 2``.
        num_classes: Classes.
        class_names: Their names, in the order of their numbers.

    Raises:
        ValueError: An argument breaks its bounds; from ``setup``: a file cannot be read, lacks a column, or has a
            ragged row, a text without a word, only one class, or more classes than a label can mean.
    """

    vocab_size: int
    words: list[str]
    class_names: list[str]

    def __init__(
        self,
        path: str,
        test_path: str | None = None,
        text_column: str = "text",
        label_column: str = "label",
        max_length: int = 64,
        max_vocab: int = 20_000,
        min_count: int = 2,
        lower: bool = True,
        **options: Unpack[ArrayOptions],
    ) -> None:
        super().__init__(**options)
        for name, value, least in [
            ("max_length", max_length, 1),
            ("max_vocab", max_vocab, FIRST_WORD + 1),
            ("min_count", min_count, 1),
        ]:
            if value < least:
                raise ValueError(f"{name} >= {least} must hold, but got {value}")
        self.paths = [path] if test_path is None else [path, test_path]
        self.source, self.test_source = path, str(test_path)
        self.text_column, self.label_column, self.lower = text_column, label_column, lower
        self.max_length, self.max_vocab, self.min_count = max_length, max_vocab, min_count

    def read(self) -> Arrays:
        """Words as their numbers in the list of all words, shape (rows, max_length), and labels; 0 is padding."""
        self._files = self._decoded()
        self.class_names = self._files["classes"].tolist()
        self.num_classes = len(self.class_names)
        return self._rows(0)

    def read_test(self) -> Arrays | None:
        """The same of the test file."""
        return self._rows(1) if len(self.paths) > 1 else None

    def fit(self, arrays: Arrays, rows: Tensor) -> None:
        """Make the vocabulary from the training rows."""
        words = self._files["words"].tobytes().decode().split("\n")
        tokens = arrays[0][rows].numpy()
        numbers, self.vocab_size = count_vocabulary(
            tokens[tokens != PADDING] - 1, len(words), self.max_vocab, self.min_count
        )
        if self.vocab_size == FIRST_WORD:
            raise ValueError(f"{self.source}: no word occurs min_count={self.min_count} times in the training rows")
        self.words = [""] * (self.vocab_size - FIRST_WORD)
        for word, number in zip(words, numbers.tolist(), strict=True):
            if number >= FIRST_WORD:
                self.words[number - FIRST_WORD] = word
        self._numbers = torch.from_numpy(np.insert(numbers, 0, PADDING))

    def transform(self, arrays: Arrays) -> Arrays:
        """Numbers in the list of all words become those in the vocabulary."""
        return self._numbers[arrays[0]], arrays[1]

    def _rows(self, file: int) -> Arrays:
        tokens, starts, labels = (self._files[f"{name}{file}"] for name in ("tokens", "starts", "labels"))
        return torch.from_numpy(pad(tokens, starts.astype(np.int64), self.max_length)), torch.from_numpy(labels)

    def _decoded(self) -> Named:
        options = self.text_column, self.label_column, self.lower
        return cached("text 1", map(Path, self.paths), {"": options}, partial(decode_texts, self.paths, *options))


def decode_texts(paths: list[str], text: str, label: str, lower: bool) -> Named:
    """Words and classes of the training file and, if there is a second one, of the test file.

    Args:
        paths: One or two TSV files.
        text: Column of the texts.
        label: Column of the classes.
        lower: Take capitals as small letters.

    Returns:
        ``words``, all that occur, by the alphabet, as UTF-8 with line feeds between them, and ``classes``, their
        names. For file ``n`` ``tokensn``, its texts end to end, each word as 1 + its number in
        ``words``; ``startsn``, where each text begins, and the end of the last; ``labelsn``, number of each class.

    Raises:
        ValueError: A text has no word, or the label column cannot be one.
    """
    tables = [read_tsv(path, [text, label]) for path in paths]
    classes = find_classes(tables[0].columns[label], f"{paths[0]}, column {label!r}")
    numbers: dict[str, int] = {}
    arrays: Named = {"classes": np.array(classes)}
    for file, table in enumerate(tables):
        tokens: list[int] = []
        starts = [0]
        for row, content in enumerate(table.columns[text]):
            words = tokenise(content, lower)
            if not table.columns[label][row]:
                raise ValueError(f"{table.place(row)}, column {label!r}: the label must not be empty")
            if not words:
                raise ValueError(f"{table.place(row)}, column {text!r}: a text must have a word, but is {content!r}")
            tokens += [numbers.setdefault(word, len(numbers)) for word in words]
            starts.append(len(tokens))
        arrays[f"tokens{file}"] = np.array(tokens)
        arrays[f"starts{file}"] = np.array(starts)
        arrays[f"labels{file}"] = class_numbers(table.columns[label], classes, table.place)
    # The alphabet is the same whatever row a word comes first in.
    words = sorted(numbers)
    places = np.empty(len(words), np.int32)
    places[[numbers[word] for word in words]] = np.arange(1, len(words) + 1)
    for file in range(len(tables)):
        arrays[f"tokens{file}"] = places[arrays[f"tokens{file}"]]
    return arrays | {"words": np.frombuffer("\n".join(words).encode(), np.uint8)}
