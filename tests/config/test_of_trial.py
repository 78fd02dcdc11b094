"""`${trial:…}` is a mark in the driver and a name in a trial."""

from __future__ import annotations

import pytest

from raytune_nn.config.of_trial import MARKS, of_trial


def test_before_there_is_a_trial_it_is_a_mark() -> None:
    assert of_trial()("id") == MARKS["id"]


def test_in_a_trial_it_is_its_name() -> None:
    assert of_trial({"id": "7", "study": "first", "folder": "/s/first"})("study") == "first"


def test_another_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="trial knows id, study, folder, but not 'name'"):
        of_trial()("name")
