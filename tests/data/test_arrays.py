"""ArrayLoader: every row once an epoch, in a seeded order, in the batches a DataLoader would give."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from raytune_nn.data import ArrayLoader

sizes = st.integers(1, 40)


def rows_of(loader: ArrayLoader) -> list[list[int]]:
    return [batch[0].tolist() for batch in loader]


@given(count=sizes, batch_size=sizes, shuffle=st.booleans())
def test_an_epoch_yields_each_row_once(count: int, batch_size: int, shuffle: bool) -> None:
    loader = ArrayLoader(torch.arange(count), batch_size=batch_size, shuffle=shuffle)
    batches = rows_of(loader)
    assert len(batches) == len(loader)
    assert sorted(row for batch in batches for row in batch) == list(range(count))
    assert all(len(batch) == batch_size for batch in batches[:-1])


@given(count=sizes, batch_size=sizes)
def test_drop_last_leaves_full_batches_only(count: int, batch_size: int) -> None:
    loader = ArrayLoader(torch.arange(count), batch_size=batch_size, drop_last=True)
    batches = rows_of(loader)
    assert len(batches) == len(loader) == count // batch_size
    assert all(len(batch) == batch_size for batch in batches)


@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_equal_those_of_a_dataloader(drop_last: bool) -> None:
    x, y = torch.rand(23, 2, 3), torch.arange(23)
    ours = list(ArrayLoader(x, y, batch_size=5, drop_last=drop_last))
    theirs: list[list[Tensor]] = list(DataLoader(TensorDataset(x, y), batch_size=5, drop_last=drop_last))
    assert len(ours) == len(theirs)
    for (our_x, our_y), (their_x, their_y) in zip(ours, theirs, strict=True):
        assert torch.equal(our_x, their_x)
        assert torch.equal(our_y, their_y)


def test_inputs_and_labels_stay_together_when_shuffled() -> None:
    x = torch.arange(30)
    for batch_x, batch_y in ArrayLoader(x, x * 10, batch_size=7, shuffle=True):
        assert torch.equal(batch_x * 10, batch_y)


def test_the_global_seed_decides_the_order() -> None:
    loader = ArrayLoader(torch.arange(30), batch_size=7, shuffle=True)
    torch.manual_seed(1)
    first, second = rows_of(loader), rows_of(loader)
    torch.manual_seed(1)
    assert rows_of(loader) == first
    assert rows_of(loader) == second
    assert first != second


def test_a_batch_changed_in_place_leaves_the_data_alone() -> None:
    loader = ArrayLoader(torch.ones(4), batch_size=4)
    for (batch,) in loader:
        batch.zero_()
    assert rows_of(loader) == [[1.0] * 4]


@given(count=sizes, world_size=st.integers(1, 5))
def test_workers_share_an_unshuffled_epoch(count: int, world_size: int) -> None:
    loaders = [
        ArrayLoader(torch.arange(count), batch_size=3, rank=rank, world_size=world_size) for rank in range(world_size)
    ]
    seen = [row for loader in loaders for batch in rows_of(loader) for row in batch]
    assert sorted(seen) == list(range(count))


def test_workers_that_drew_different_things_still_share_each_epoch() -> None:
    loaders = []
    for rank in range(2):
        torch.manual_seed(5)
        loaders.append(ArrayLoader(torch.arange(8), batch_size=3, shuffle=True, rank=rank, world_size=2))
    epochs = []
    for epoch in range(2):
        seen = []
        for rank, loader in enumerate(loaders):
            torch.rand(rank)
            loader.batch_sampler.sampler.set_epoch(epoch)  # type: ignore[attr-defined]  # as Lightning does
            seen += [int(row) for (rows,) in loader for row in rows]
        assert sorted(seen) == list(range(8))
        epochs.append(seen)
    assert epochs[0] != epochs[1]


@given(count=sizes, world_size=st.integers(1, 5))
def test_workers_of_one_seed_train_on_disjoint_rows_in_equally_many_steps(count: int, world_size: int) -> None:
    shares = []
    for rank in range(world_size):
        torch.manual_seed(0)
        loader = ArrayLoader(torch.arange(count), batch_size=3, shuffle=True, rank=rank, world_size=world_size)
        shares.append(rows_of(loader))
    seen = [row for share in shares for batch in share for row in batch]
    assert len(set(seen)) == len(seen) == count - count % world_size
    assert len({len(share) for share in shares}) == 1


@pytest.mark.parametrize("batch_size", [0, -1, True, 2.0])
def test_a_batch_size_that_is_no_positive_whole_number_is_refused(batch_size: int) -> None:
    with pytest.raises(ValueError, match=rf"batch_size must be a whole number >= 1, but got {batch_size}"):
        ArrayLoader(torch.arange(3), batch_size=batch_size)


def test_tensors_of_unequal_rows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"same number of rows, but got \[3, 4\]"):
        ArrayLoader(torch.arange(3), torch.arange(4), batch_size=2)


def test_a_rank_outside_the_world_is_refused() -> None:
    with pytest.raises(ValueError, match="but got rank=2, world_size=2"):
        ArrayLoader(torch.arange(3), batch_size=2, rank=2, world_size=2)


def test_only_the_given_rows_take_part() -> None:
    rows = torch.tensor([8, 2, 5])
    assert rows_of(ArrayLoader(torch.arange(10) * 10, rows=rows, batch_size=2)) == [[80, 20], [50]]
    shuffled = rows_of(ArrayLoader(torch.arange(10) * 10, rows=rows, batch_size=9, shuffle=True))
    assert sorted(shuffled[0]) == [20, 50, 80]


def test_a_transform_makes_the_batches() -> None:
    def doubled(arrays: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (arrays[0] * 2,)

    assert rows_of(ArrayLoader(torch.arange(5), batch_size=3, transform=doubled)) == [[0, 2, 4], [6, 8]]


def test_worker_processes_cut_the_same_batches_and_leave_the_same_random_state() -> None:
    x, y = torch.rand(23, 2), torch.arange(23)
    seen = []
    for num_workers in (0, 2):
        torch.manual_seed(0)
        loader = ArrayLoader(x, y, batch_size=5, shuffle=True, rank=1, world_size=2, num_workers=num_workers)
        epochs = [batch for _ in range(2) for batch in loader]
        assert all(isinstance(batch, tuple) for batch in epochs)
        seen.append((epochs, torch.rand(1)))
    (here, random_here), (there, random_there) = seen
    assert len(here) == len(there) == 2 * 3
    assert all(
        torch.equal(one, other) for a, b in zip(here, there, strict=True) for one, other in zip(a, b, strict=True)
    )
    assert torch.equal(random_here, random_there)
