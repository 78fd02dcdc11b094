"""Batches of tensors that are held in memory, without per-sample collation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


class ArrayLoader:
    """Batches of rows: what ``DataLoader(TensorDataset(...))`` yields, in a fraction of its time.

    A DataLoader fetches every row by itself and stacks them again; here one index cuts a whole batch.
    Every batch is a copy, so a module may change it in place.

    Args:
        tensors: One or more tensors with the same number of rows (their first dimension).
        batch_size: Rows in a batch; the last one may be shorter.
        shuffle: Take the rows in a new order each epoch, drawn from torch's global generator, so that a
            seeded training is reproducible.
        drop_last: Leave out a last batch that is shorter than ``batch_size``.
        rank: Number of this worker among the workers that share an epoch.
        world_size: How many workers share an epoch. Worker ``rank`` takes every ``world_size``-th row.
            While shuffling, up to ``world_size - 1`` rows sit an epoch out, so that all workers take the same
            number of steps: gradients are averaged at each, and a step that one of them lacks never ends.

    Raises:
        ValueError: The tensors differ in rows or there is none, ``batch_size`` is below one, or ``rank`` is
            not below ``world_size``.
    """

    def __init__(
        self,
        *tensors: Tensor,
        batch_size: int,
        shuffle: bool = False,
        drop_last: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        rows = {len(tensor) for tensor in tensors}
        if len(rows) != 1:
            raise ValueError(f"all tensors must have the same number of rows, but got {sorted(rows)}")
        check_batch_size(batch_size)
        if not 0 <= rank < world_size:
            raise ValueError(f"0 <= rank < world_size must hold, but got rank={rank}, world_size={world_size}")
        self.tensors, self.batch_size, self.shuffle, self.drop_last = tensors, batch_size, shuffle, drop_last
        rest = len(tensors[0]) % world_size if shuffle else 0
        # The places in an epoch's order that are this worker's.
        self._share = slice(rank, len(tensors[0]) - rest, world_size)

    def __len__(self) -> int:
        """Batches in an epoch of this worker."""
        rows = len(range(len(self.tensors[0]))[self._share])
        return rows // self.batch_size if self.drop_last else -(-rows // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        count = len(self.tensors[0])
        order = (torch.randperm(count) if self.shuffle else torch.arange(count))[self._share]
        for number in range(len(self)):
            rows = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield tuple(tensor.index_select(0, rows) for tensor in self.tensors)


def check_batch_size(batch_size: int) -> None:
    """Check that a batch size is a whole number of at least one row.

    Raises:
        ValueError: It is not.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number >= 1, but got {batch_size!r}")
