"""A ranking against sorting anew."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from raytune_nn.search.standing import Standing


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20), st.sampled_from([0.0, 0.5, 1.0])), max_size=60))
def test_it_is_what_sorting_gives(moves: list[tuple[bool, int, float]]) -> None:
    standing, scores = Standing(), dict[str, float]()
    for enters, number, score in moves:
        trial = str(number)
        if not enters:
            standing.leave(trial)
            scores.pop(trial, None)
        elif trial not in scores:
            standing.enter(trial, score)
            scores[trial] = score
        ranked = sorted(scores, key=scores.__getitem__)  # of equals the first to come
        assert [standing[place] for place in range(len(standing))] == ranked
        assert [standing.place(one) for one in ranked] == list(range(len(ranked)))
        assert {one: standing.score(one) for one in ranked} == scores
        assert (trial in standing) == (trial in scores)
