"""What callbacks that change training batches share: they wrap the training step of one instance.

A hook cannot do it: Lightning drops what ``on_train_batch_start`` returns, and to write into a batch would write into
the data set wherever a loader hands out views of it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor


class BatchChange(Callback):
    """Gives ``training_step`` a changed batch; validation, test and prediction keep theirs.

    Several of them work in the order of the Trainer's callbacks. A batch is changed once, also where the optimizer
    evaluates it several times.
    """

    def change(self, trainer: Trainer, batch: Any) -> Any:
        """The changed batch; the one given stays as it is.

        Raises:
            ValueError: Batches of this form cannot be changed.
        """
        raise NotImplementedError

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Puts itself in front of the training step.

        Raises:
            ValueError: The training step draws its batches itself.
        """
        if stage != "fit":
            return
        if "dataloader_iter" in inspect.signature(pl_module.training_step).parameters:
            raise ValueError(
                f"{type(self).__name__} must see the batch before training_step does, but {type(pl_module).__name__} "
                "draws its batches itself (dataloader_iter)"
            )
        if not hasattr(pl_module.training_step, "changes"):
            _wrap(trainer, pl_module)
        pl_module.training_step.changes.append(self)  # type: ignore[attr-defined]

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leaves the module with the training step that it came with."""
        if stage == "fit" and hasattr(pl_module.training_step, "changes"):
            pl_module.training_step = pl_module.training_step.__wrapped__  # type: ignore[attr-defined,method-assign]


def _wrap(trainer: Trainer, module: LightningModule) -> None:
    step: Callable[..., Any] = module.training_step
    changes: list[BatchChange] = []
    number, changed = -1, None  # the batch that was changed last

    @functools.wraps(step)
    def training_step(batch: Any, *rest: Any) -> Any:
        nonlocal number, changed
        if not trainer.training:  # some modules validate by it
            return step(batch, *rest)
        if trainer.fit_loop.total_batch_idx != number:
            for change in changes:
                batch = change.change(trainer, batch)
            number, changed = trainer.fit_loop.total_batch_idx, batch
        try:
            return step(changed, *rest)
        except Exception as error:
            names = ", ".join(type(change).__name__ for change in changes)
            error.add_note(f"The batch was changed before training_step saw it, by: {names}.")
            raise

    training_step.changes = changes  # type: ignore[attr-defined]
    module.training_step = training_step  # type: ignore[method-assign]


def change_input(name: str, batch: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A batch whose input is changed: the batch itself where it is a tensor, else the first part of a list or tuple.

    Args:
        name: Who asks, for the message.
        batch: As the module's training step gets it.
        change: From the input to the new one.

    Raises:
        ValueError: The batch has another form, or its input is not of floating point.
    """
    if isinstance(batch, Tensor):
        return change(check_floating(name, batch))
    if not isinstance(batch, (list, tuple)) or not batch or not isinstance(batch[0], Tensor):
        raise ValueError(
            f"{name} needs batches that are a tensor, or a list or tuple that begins with one, but got {form(batch)}"
        )
    return rebuilt(batch, [change(check_floating(name, batch[0])), *batch[1:]])


def check_floating(name: str, x: Tensor) -> Tensor:
    """The input itself.

    Raises:
        ValueError: It is not of floating point, such as tokens.
    """
    if not x.is_floating_point():
        raise ValueError(f"{name} needs inputs of floating point, but got {form(x)}")
    return x


def rebuilt(batch: Any, parts: list[Any]) -> Any:
    """New parts in a batch of the same class: list, tuple or named tuple."""
    if isinstance(batch, list):
        return parts
    return batch._make(parts) if hasattr(batch, "_make") else tuple(parts)


def form(batch: Any) -> str:
    """A batch in words: the classes of its parts, and type and shape of tensors."""
    if isinstance(batch, Tensor):
        return f"{str(batch.dtype).removeprefix('torch.')} of shape {tuple(batch.shape)}"
    if isinstance(batch, (list, tuple)):
        return f"{type(batch).__name__} of ({', '.join(form(part) for part in batch)})"
    if isinstance(batch, dict):
        return f"dict of {', '.join(map(str, batch))}"
    return type(batch).__name__
