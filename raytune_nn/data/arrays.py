"""Batches of tensors that are held or mapped in memory, without per-sample collation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader

Arrays = tuple[Tensor, ...]  # all with the same number of rows, their first dimension
_Batch = TypeVar("_Batch")


class ArrayLoader:
    """Batches of rows: what ``DataLoader(TensorDataset(...))`` yields, in a fraction of its time.

    A DataLoader fetches every row by itself and stacks them again; here one index cuts a whole batch.
    Every batch is a copy, so a module may change it in place.

    Args:
        tensors: One or more tensors with the same number of rows (their first dimension).
        batch_size: Rows in a batch; the last one may be shorter.
        rows: Numbers of the rows that take part, shape (rows taking part,); by default all.
        transform: Makes of the rows of a batch what is yielded, such as floats of bytes.
        shuffle: Take the rows in a new order each epoch, drawn from torch's global generator, so that a
            seeded training is reproducible. Workers that share an epoch may have drawn unequal numbers of
            times, so theirs follows from the seed and the number of the epoch (``set_epoch``).
        drop_last: Leave out a last batch that is shorter than ``batch_size``.
        rank: Number of this worker among the workers that share an epoch.
        world_size: How many workers share an epoch. Worker ``rank`` takes every ``world_size``-th row.
            While shuffling, up to ``world_size - 1`` rows sit an epoch out, so that all workers take the same
            number of steps: gradients are averaged at each, and a step that one of them lacks never ends.
        num_workers: Processes that cut batches ahead; 0 cuts each in this process when it is asked for. The
            batches are the same.
        pin_memory: With ``num_workers``: put batches where a GPU fetches them without waiting.

    Raises:
        ValueError: The tensors differ in rows or there is none, ``batch_size`` is below one, or ``rank`` is
            not below ``world_size``.
    """

    def __init__(
        self,
        *tensors: Tensor,
        batch_size: int,
        rows: Tensor | None = None,
        transform: Callable[[Arrays], Arrays] | None = None,
        shuffle: bool = False,
        drop_last: bool = False,
        rank: int = 0,
        world_size: int = 1,
        num_workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        counts = {len(tensor) for tensor in tensors}
        if len(counts) != 1:
            raise ValueError(f"all tensors must have the same number of rows, but got {sorted(counts)}")
        check_batch_size(batch_size)
        if not 0 <= rank < world_size:
            raise ValueError(f"0 <= rank < world_size must hold, but got rank={rank}, world_size={world_size}")
        taking_part = torch.arange(len(tensors[0])) if rows is None else rows
        rest = len(taking_part) % world_size if shuffle else 0
        share = slice(rank, len(taking_part) - rest, world_size)
        of_all = (taking_part, share, batch_size, shuffle, drop_last)
        self._order = _Order(*of_all) if world_size == 1 else _SharedOrder(*of_all)
        self.batch_sampler = self._order  # where Lightning looks for a sampler to tell the epoch
        self._cut = _Cut(tensors, transform)
        self._ahead: DataLoader[Arrays] | None = None
        if num_workers:
            self._ahead = DataLoader(
                self._cut,  # type: ignore[arg-type]  # Dataset is no protocol
                sampler=self._order,
                batch_size=None,
                collate_fn=_as_it_is,
                num_workers=num_workers,
                persistent_workers=True,
                pin_memory=pin_memory,
                # Its draw for the workers' seeds would move the global generator.
                generator=torch.Generator(),
            )

    def __len__(self) -> int:
        """Batches in an epoch of this worker."""
        return len(self._order)

    def __iter__(self) -> Iterator[Arrays]:
        if self._ahead is None:
            return map(self._cut.__getitem__, self._order)
        return map(tuple, self._ahead)  # pinning makes lists of tuples


class _Order:
    """Numbers of the rows of each batch, one epoch after another."""

    def __init__(self, rows: Tensor, share: slice, batch_size: int, shuffle: bool, drop_last: bool) -> None:
        self._rows, self._share, self._batch_size = rows, share, batch_size
        self._shuffle, self._drop_last = shuffle, drop_last

    def __len__(self) -> int:
        rows = len(range(len(self._rows))[self._share])
        return rows // self._batch_size if self._drop_last else -(-rows // self._batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        rows = self._rows[self._permutation()] if self._shuffle else self._rows
        rows = rows[self._share]
        for number in range(len(self)):
            yield rows[number * self._batch_size : (number + 1) * self._batch_size]

    def _permutation(self) -> Tensor:
        return torch.randperm(len(self._rows))


class _SharedOrder(_Order):
    """The same order on all workers, whatever else each of them draws."""

    _epoch = 0

    @property
    def sampler(self) -> _SharedOrder:
        """Itself: Lightning tells the sampler of a batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Says which epoch is the next, from 0."""
        self._epoch = epoch

    def _permutation(self) -> Tensor:
        seed = torch.initial_seed() + self._epoch
        return torch.randperm(len(self._rows), generator=torch.Generator().manual_seed(seed % 2**63))


class _Cut:
    """The rows of one batch, by their numbers."""

    def __init__(self, tensors: Arrays, transform: Callable[[Arrays], Arrays] | None) -> None:
        self._tensors, self._transform = tensors, transform

    def __getitem__(self, rows: Tensor) -> Arrays:
        batch = tuple(tensor.index_select(0, rows) for tensor in self._tensors)
        return batch if self._transform is None else self._transform(batch)


def _as_it_is(batch: _Batch) -> _Batch:
    return batch


def check_batch_size(batch_size: int) -> None:
    """Check that a batch size is a whole number of at least one row.

    Raises:
        ValueError: It is not.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number >= 1, but got {batch_size!r}")
