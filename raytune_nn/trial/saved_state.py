"""The file of a training state: written so that it can be checked and loaded, and checked before it is.

A state that is damaged, or that cannot be loaded, costs a trial no retry: the driver hears of it and hands the trial
out again, with the state before or from its beginning.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import torch
from pytorch_lightning.trainer.connectors import checkpoint_connector

from raytune_nn.store.checkpoints import state_path
from raytune_nn.store.retry import Retry
from raytune_nn.store.seal import damage, write_sealed
from raytune_nn.trial.gpu import is_out_of_memory
from raytune_nn.trial.ranks import Ranks
from raytune_nn.trial.task import TrialTask


class UnusableState(Exception):
    """No trial can go on from this state; the text says why."""


def write_state(state: dict[str, Any], file: IO[bytes]) -> None:
    """Writes what ``torch.load(weights_only=True)`` reads, and seals it.

    Raises:
        ValueError: Something in it is neither a tensor nor plain data; or, over an OSError, the disk refuses.
        OSError: The disk refuses.
    """
    try:
        write_sealed(partial(torch.save, state), file)
        path = f"/dev/fd/{file.fileno()}"  # it may have no other name
        torch.load(path, map_location="cpu", mmap=True, weights_only=True)  # reads no tensor
    except OSError:
        raise
    except Exception as error:  # pickle lets through whatever an object raises
        raise ValueError(
            "the state of a training must consist of tensors and plain data (what module and callbacks "
            f"save, state_dict of optimizer and schedule), but {str(error).strip().splitlines()[-1]}"
        ) from error


def check_state(checkpoints: Path, task: TrialTask, ranks: Ranks, retry: Retry) -> None:
    """Checks the file that a trial goes on from, if it does.

    Args:
        checkpoints: The study's folder of them.
        ranks: The first worker looks, for all of them.
        retry: Waits for the storage: without it, nothing is known of its files.

    Raises:
        UnusableState: By all workers: it is damaged.
        OSError, RaytuneError: As `Retry.run` does.
    """
    if not task.epoch:
        return
    why = ""
    if ranks.rank == 0:
        path = state_path(checkpoints, task.id, task.saves)
        why = retry.run(partial(damage, path), path)
    why = ranks.agree(why)
    if why:
        raise UnusableState(why)


def blames_state(error: Exception) -> bool:
    """Whether an error, raised before a training goes on, is of bringing its state back.

    It is where Lightning's restoring is in its traceback: the module's, the callbacks' and the data module's own hooks
    count, the memory of the machine and the storage do not.
    """
    if isinstance(error, OSError | MemoryError) or is_out_of_memory(error):
        return False
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == checkpoint_connector.__file__:
            return True
        trace = trace.tb_next
    return False


def as_unusable(error: Exception) -> UnusableState:
    """The same for the driver; to be raised from the error."""
    return UnusableState(f"it cannot be loaded: {(str(error).strip() or type(error).__name__).splitlines()[-1]}")
