"""30 random commands as processes: exit code 0 or 2, one message, no traceback, and nothing on the disk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from processes import Place, new_place
from random_commands import lines

of_a_process = lines.map(lambda line: [*(word.replace("\0", "") for word in line), "mode=plan"])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with new_place(tmp_path_factory.mktemp("work")) as place:
        yield place


def check(place: Place, line: list[str]) -> None:
    ran = place.run(*line)
    assert ran.code in (0, 2), (line, ran.err)
    assert "Traceback" not in ran.err
    assert (ran.code == 2) == ran.err.startswith("raytune_nn: "), (line, ran.err)
    assert list(place.work.iterdir()) == []
    assert place.leftovers() == []


def fuzz(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@fuzz(1)
@given(line=of_a_process)
@pytest.mark.slow
def test_one_command(place: Place, line: list[str]) -> None:
    check(place, line)


@pytest.mark.slow
@fuzz(30)
@given(line=of_a_process | st.tuples(st.just("+search=asha"), lines).map(lambda pair: [pair[0], *of_text(pair[1])]))
def test_many_commands(place: Place, line: list[str]) -> None:
    check(place, line)


def of_text(line: list[str]) -> list[str]:
    return [*(word.replace("\0", "") for word in line), "mode=plan"]
