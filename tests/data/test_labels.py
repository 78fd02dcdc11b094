"""Classes: their order, and label columns that cannot be one."""

from __future__ import annotations

import pytest

from raytune_nn.data.labels import class_numbers, find_classes


def test_names_follow_the_alphabet_and_numbers_their_value() -> None:
    assert find_classes(["spam", "ham"] * 2, "f") == ["ham", "spam"]
    assert find_classes(["10", "9", "1"] * 2, "f") == ["1", "9", "10"]
    assert find_classes(["10", "9", "a"] * 2, "f") == ["10", "9", "a"]


def test_one_class_is_refused() -> None:
    with pytest.raises(ValueError, match=r"f\.tsv: classification needs two classes, but all 3 rows are 'ham'"):
        find_classes(["ham"] * 3, "f.tsv")


def test_a_label_column_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"10000 rows have 10000 classes \('0', …\); is it the label\?"):
        find_classes([str(number) for number in range(10_000)], "f.tsv")
    with pytest.raises(ValueError, match="10010 rows have 1001 classes"):
        find_classes([str(number % 1001) for number in range(10_010)], "f.tsv")
    assert len(find_classes([str(number % 1000) for number in range(2000)], "f.tsv")) == 1000
    with pytest.raises(ValueError, match="3 rows have 2 classes"):
        find_classes(["a", "b", "b"], "f.tsv")


def test_labels_become_places_in_the_list_of_classes() -> None:
    assert class_numbers(["b", "a", "b"], ["a", "b"], str).tolist() == [1, 0, 1]


def test_an_unknown_class_is_refused_with_its_row() -> None:
    with pytest.raises(ValueError, match="line 3: the class 'c' is not in the training file"):
        class_numbers(["b", "c"], ["a", "b"], lambda row: f"line {row + 2}")
