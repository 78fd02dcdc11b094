"""A node without memory, of which Ray's monitor ends the processes of trials."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import events, new_place, summary


@pytest.mark.slow
def test_a_process_that_ray_ends_for_want_of_memory_is_told_as_such(tmp_path: Path) -> None:
    """Here any use of memory is too much, so no trial gets anywhere."""
    with new_place(tmp_path, environment={"RAY_memory_usage_threshold": "0.0001"}) as place:
        ran = place.run("+search=random", "study.name=first", "budget.num_trials=2", "failures.max_retries=1")
        assert ran.code == 3, ran.err
        assert "2 times: out of memory; try resources.memory=" in ran.out
        assert "tried again\n  2 times: out of memory; try" in ran.out
        assert "Traceback" not in ran.out + ran.err
        assert summary(place.study())["counts"]["failed"] == 2
        errors = [event["error"] for event in events(place.study()) if event["type"] == "ended"]
        assert all("since its node ran low on memory" in error and "exceeded threshold of" in error for error in errors)
        assert all("GB used /" in error and "COMMAND" not in error for error in errors)
        assert place.processes() == []
        assert place.leftovers() == []
