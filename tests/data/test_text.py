"""TextDataModule: words as numbers by hand, a vocabulary of the training rows alone, errors, and the real texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from shared_data import shared_data
from torch import Tensor

from raytune_nn.data import TextDataModule, stratified_split


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAYTUNE_NN_CACHE", str(tmp_path / "cache"))


def write(folder: Path, rows: list[tuple[str, str]], name: str = "t.tsv") -> str:
    path = folder / name
    path.write_text("\n".join(["label\ttext", *("\t".join(row) for row in rows)]) + "\n")
    return str(path)


def made(count: int = 50) -> list[tuple[str, str]]:
    """Texts of two classes; row n has the word ``wn`` once and ``even`` or ``odd``."""
    return [("yn"[row % 2], f"The {['even', 'odd'][row % 2]} w{row} !") for row in range(count)]


def ready(path: str, **options: Any) -> TextDataModule:
    data = TextDataModule(path, **{"batch_size": None} | options)
    data.setup()
    return data


def batch(loader: Any) -> tuple[Tensor, Tensor]:
    x, y = zip(*loader, strict=True)
    return torch.cat(x), torch.cat(y)


def splits(rows: list[tuple[str, str]], test_fraction: float = 0.2) -> list[list[int]]:
    labels = torch.tensor([row[0] == "y" for row in rows])
    return [part.tolist() for part in stratified_split(labels, 0.2, test_fraction, 0)]


def words_of(data: TextDataModule, row: list[int]) -> list[str]:
    return [["", "?", *data.words][number] for number in row]


def test_texts_become_the_numbers_of_their_words(tmp_path: Path) -> None:
    rows = made()
    data = ready(write(tmp_path, rows), max_length=6)
    x, y = batch(data.val_dataloader())
    _, val, _ = splits(rows)
    assert (x.dtype, y.dtype, tuple(x.shape)) == (torch.int64, torch.int64, (len(val), 6))
    for numbers, label, row in zip(x.tolist(), y.tolist(), val, strict=True):
        assert words_of(data, numbers) == ["the", ["even", "odd"][row % 2], "?", "!", "", ""]
        assert data.class_names[label] == rows[row][0]
    # As often as each other: "!" and "the" by the alphabet, then the two that every second row has.
    assert data.words == ["!", "the", "even", "odd"]
    assert (data.vocab_size, data.num_classes, data.max_length) == (6, 2, 6)


def test_long_texts_lose_their_end(tmp_path: Path) -> None:
    data = ready(write(tmp_path, made()), max_length=2)
    x, _ = batch(data.train_dataloader())
    assert {tuple(words_of(data, row)) for row in x.tolist()} == {("the", "even"), ("the", "odd")}


def test_the_vocabulary_is_that_of_the_training_rows(tmp_path: Path) -> None:
    rows = made()
    train, val, test = splits(rows)
    data = ready(write(tmp_path, rows), min_count=1)
    assert set(data.words) == {"the", "even", "odd", "!"} | {f"w{row}" for row in train}
    torch.manual_seed(0)
    before = batch(data.train_dataloader())
    for row in val + test:
        rows[row] = rows[row][0], "aaa aaa aaa odd odd"
    other = ready(write(tmp_path, rows), min_count=1)
    torch.manual_seed(0)
    after = batch(other.train_dataloader())
    assert data.words == other.words
    assert torch.equal(before[0], after[0])
    x, _ = batch(other.val_dataloader())
    assert all(words_of(other, row)[:4] == ["?", "?", "?", "odd"] for row in x.tolist())


def test_a_small_share_of_the_training_rows_makes_a_small_vocabulary(tmp_path: Path) -> None:
    whole = ready(write(tmp_path, made()), min_count=1)
    fifth = ready(write(tmp_path, made()), min_count=1, train_fraction=0.2)
    assert fifth.vocab_size - 6 == (whole.vocab_size - 6) / 5
    assert set(fifth.words) < set(whole.words)


def test_the_most_frequent_words_fill_a_limited_vocabulary(tmp_path: Path) -> None:
    data = ready(write(tmp_path, made()), max_vocab=4, min_count=1)
    assert (data.vocab_size, data.words) == (4, ["!", "the"])
    x, _ = batch(data.train_dataloader())
    assert int(x.max()) == 3


def test_capitals_may_be_kept(tmp_path: Path) -> None:
    assert ready(write(tmp_path, made()), lower=False).words == ["!", "The", "even", "odd"]


def test_a_test_file_is_read_with_the_vocabulary_of_the_other(tmp_path: Path) -> None:
    rows = made(20)
    test = write(tmp_path, [("n", "odd odd odd"), ("y", "THE unheard")], "test.tsv")
    data = ready(write(tmp_path, rows), test_path=test, max_length=4)
    x, y = batch(data.test_dataloader())
    assert [words_of(data, row) for row in x.tolist()] == [["odd"] * 3 + [""], ["the", "?", "", ""]]
    assert y.tolist() == [0, 1]
    train, val, _ = splits(rows, test_fraction=0)
    assert len(batch(data.train_dataloader())[1]) == len(train)
    assert len(train) + len(val) == 20


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("id\tquestion\tkind\n" + "".join(f"{n}\tthe {n}\t{n % 2}\n" for n in range(20)))
    data = ready(str(path), text_column="question", label_column="kind")
    assert (data.words, data.class_names) == (["the"], ["0", "1"])
    with pytest.raises(ValueError, match=r"column 'id': at most 1000 classes .* is it the label\?"):
        ready(str(path), text_column="question", label_column="id")


@pytest.mark.parametrize("option", ["max_length", "min_count", "max_vocab"])
def test_bad_arguments_are_refused_at_once(option: str) -> None:
    with pytest.raises(ValueError, match=rf"{option} >= \d must hold, but got 0"):
        TextDataModule("t.tsv", **{option: 0})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("a", "x y"), ("b", ""), ("b", "x"), ("a", "x")],
            "t.tsv, line 3, column 'text': a text must have a word, but is ''",
        ),
        ([("a", "x"), ("", "x")] * 2, "t.tsv, line 3, column 'label': the label must not be empty"),
        ([("a", "x")] * 4, "t.tsv, column 'label': classification needs two classes, but all 4 rows are 'a'"),
        ([(f"q{n}", "x") for n in range(10_000)], "10000 rows have 10000 classes ('q0', …); is it the label?"),
        ([("ab"[n % 2], f"w{n}") for n in range(20)], "no word occurs min_count=2 times in the training rows"),
    ],
)
def test_texts_that_cannot_be_learnt_from_are_refused(
    tmp_path: Path, rows: list[tuple[str, str]], message: str
) -> None:
    with pytest.raises(ValueError, match=r"t\.tsv") as refused:
        ready(write(tmp_path, rows))
    assert message in str(refused.value)


def test_a_test_file_with_other_classes_is_refused(tmp_path: Path) -> None:
    test = write(tmp_path, [("n", "the"), ("maybe", "the")], "test.tsv")
    with pytest.raises(ValueError, match=r"test\.tsv, line 3: the class 'maybe' is not in the training file"):
        ready(write(tmp_path, made()), test_path=test)


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_bytes(b"label\ttext\na\tcaf\xe9\n")
    with pytest.raises(ValueError, match=r"t\.tsv, line 2: byte 0xe9 is not UTF-8"):
        ready(str(path))


def test_trec() -> None:
    data = ready(shared_data("trec/train.tsv"), test_path=shared_data("trec/test.tsv"), max_length=32)
    x, _ = batch(data.test_dataloader())
    assert (tuple(x.shape), data.num_classes) == ((500, 32), 6)
    assert words_of(data, x[0].tolist())[:5] == ["how", "far", "is", "it", "from"]
    assert len(batch(data.train_dataloader())[1]) == pytest.approx(0.8 * 5452, abs=6)
    assert int(x.max()) < data.vocab_size
    # What a model of the training rows' words meets in the test: few words that it does not know.
    assert float((x == 1).sum() / (x > 0).sum()) < 0.15


def test_sms_spam() -> None:
    data = ready(shared_data("sms_spam/sms.tsv"))
    assert data.class_names == ["ham", "spam"]
    loaders = data.train_dataloader(), data.val_dataloader(), data.test_dataloader()
    assert sum(len(batch(loader)[1]) for loader in loaders) == 5574
