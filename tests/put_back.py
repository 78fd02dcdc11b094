"""What trainings in the tests' own process leave there, undone."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import torch


def isolation_undone() -> Iterator[None]:
    """The body of a fixture: what an Isolation changes in this process for good is put back."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    gc.unfreeze()
