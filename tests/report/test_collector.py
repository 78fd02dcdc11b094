"""Python's collector rests while a journal is read, and works afterwards as it did before."""

from __future__ import annotations

import gc

from raytune_nn.report.collector import no_collector


def test_it_rests_inside_only() -> None:
    with no_collector():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_where_it_was_off_it_stays_off() -> None:
    gc.disable()
    try:
        with no_collector():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
