"""What the doctor cannot see in curves: gradients, updates and hidden units, in a few groups of layers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence
from torch.optim import Optimizer

from raytune_nn.trial.callbacks.gradients import unscaled, with_gradients
from raytune_nn.trial.callbacks.layer_groups import LayerGroup, layer_groups

SAME = 1e-3  # of its largest answer: a unit whose answers differ by less than this says nothing
NOTHING = 1e-6  # likewise, in units of its output
NUMBERS = 4096  # of a parameter, whose update stands for that of all


class Probes(Callback):
    """Adds three metrics for each of at most four groups of layers, 1 the nearest to the input, to every report:

    * ``probe/grad_norm/<group>``: the 2-norm of its gradients at an optimizer's step, before any clipping;
    * ``probe/update_ratio/<group>``: the 2-norm of what that step changed over the 2-norm of the weights before it
      (of evenly spread weights where there are many); about 1e-3 is usual (Karpathy 2015, "CS231n", Babysitting the
      learning process);
    * ``probe/dead/<group>``: the share of its hidden units that give the same answer to all rows looked at: a ReLU's
      zero (Lu et al. 2019, "Dying ReLU and Initialization"), a saturated unit's bound. Units are those of torch's
      activations and recurrent layers; one that is called as a function is not seen.

    They are means over the steps looked at since the last report; where there was none, they stay. Nothing of the
    training changes: no random number is drawn, and all is read outside the graph.

    Args:
        every: Training batches from one that is looked at to the next; the first is the training's second.
        rows: Of the batch, that hidden units are looked at with.

    Raises:
        ValueError: A number is below 1 (rows: 2).
    """

    def __init__(self, every: int = 50, rows: int = 64) -> None:
        for name, value, least in (("every", every, 1), ("rows", rows, 2)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be a whole number >= {least}, but got {value!r}")
        self._every, self._rows = every, rows
        self._groups: list[LayerGroup] = []
        self._looking = False  # until the next step was taken
        self._hooks: list[Any] = []
        self._before: dict[int, tuple[list[Tensor], list[Tensor]]] = {}  # by group: weights, and copies of them
        self._found: dict[str, list[tuple[Tensor, float]]] = {}  # since the last report: sums, and of how many

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        if trainer.fit_loop.total_batch_idx % self._every != 1 % self._every:
            return
        self._looking = True
        self._groups = self._groups or layer_groups(pl_module)  # not earlier: sizes may follow from the first batch
        of_steps = any(isinstance(part, nn.Conv1d) for part in pl_module.modules())
        for number, group in enumerate(self._groups, start=1):
            for unit in group.units:
                self._hooks.append(unit.register_forward_hook(partial(self._look, set(), number, of_steps)))

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        if self._looking:  # else nothing is to cost time, not even ``torch.no_grad``
            self._note_gradients(trainer, optimizer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._looking:
            self._note_updates()

    @torch.no_grad()
    def _note_gradients(self, trainer: Trainer, optimizer: Optimizer) -> None:
        moved = {id(w) for w in with_gradients(optimizer)}
        for number, group in enumerate(self._groups, start=1):
            weights = [w for w in group.parameters if id(w) in moved]
            if weights and number not in self._before:  # the first time: some optimizers evaluate a step often
                self._note(f"grad_norm/{number}", unscaled(_norm([w.grad for w in weights]), trainer, optimizer))
                few = _few([w.detach() for w in weights if w.dim() > 1])
                self._before[number] = few, [part.clone() for part in few]

    @torch.no_grad()
    def _note_updates(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        if not self._before:  # gradients of several batches make a step
            return
        for number, (now, before) in self._before.items():
            if now:
                change = _norm(torch._foreach_sub(now, before))
                self._note(f"update_ratio/{number}", change / _norm(before).clamp(min=torch.finfo(change.dtype).tiny))
        self._before.clear()
        self._looking = False

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._show(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.enable_validation:
            self._show(trainer)

    def _look(self, seen: set[int], group: int, of_steps: bool, unit: nn.Module, inputs: Any, output: Any) -> None:
        """Counts the units of an output that are dead; of a module that is called several times, in the first call."""
        if seen:
            return
        seen.add(group)
        answers = output[0] if isinstance(output, tuple) else output
        if isinstance(answers, PackedSequence):
            answers = answers.data
        if isinstance(answers, Tensor) and answers.dim() > 1:
            dead = dead_units(answers.detach()[: self._rows], of_steps)
            self._note(f"dead/{group}", dead.sum(), len(dead))

    def _note(self, name: str, value: Tensor, count: float = 1.0) -> None:
        self._found.setdefault(f"probe/{name}", []).append((value, count))

    def _show(self, trainer: Trainer) -> None:
        """Puts the means among the metrics, where they stay; not by ``self.log``, which takes longer than a look."""
        if not self._found:
            return
        values = iter(torch.stack([value for notes in self._found.values() for value, _ in notes]).tolist())
        means = {}
        for name, notes in self._found.items():
            mean = sum(islice(values, len(notes))) / sum(count for _, count in notes)
            means[name] = torch.tensor(float(f"{mean:.4g}"), dtype=torch.float64)  # as the journal has it
        self._found.clear()
        trainer.callback_metrics.update(means)


@torch.no_grad()
def dead_units(answers: Tensor, of_steps: bool = False) -> Tensor:
    """Which units give the same answer everywhere, bool (units,).

    Args:
        answers: Shape (rows, units), (rows, units, height, width) or the like, or (rows, steps, units); of a packed
            sequence (steps, units).
        of_steps: Whether three dimensions are (rows, units, steps), as torch's convolutions have it.
    """
    units = 1 if answers.dim() != 3 or of_steps else 2
    others = [dim for dim in range(answers.dim()) if dim != units]
    low, high = answers.amin(others), answers.amax(others)  # not aminmax, which takes one dimension and longer
    return high - low <= torch.maximum(low.abs(), high.abs()) * SAME + NOTHING


def _norm(tensors: Sequence[Any]) -> Tensor:
    """The 2-norm of them all together; of parts that workers hold, of the whole."""
    dense = [tensor.coalesce().values() if tensor.is_sparse else tensor for tensor in tensors]
    norms = torch._foreach_norm(dense)  # as torch's ``get_total_norm``, which takes three times as long
    norm: Any = torch.linalg.vector_norm(torch.stack([norm.to(norms[0].device) for norm in norms]))
    return norm.full_tensor() if hasattr(norm, "full_tensor") else norm  # type: ignore[no-any-return]


def _few(weights: Sequence[Tensor]) -> list[Tensor]:
    """Views of evenly spread numbers of these weights; of all, where they are few."""
    stride = 1 + sum(w.numel() for w in weights) // NUMBERS
    return [_view(w, stride) for w in weights]


def _view(weight: Any, stride: int) -> Tensor:
    """Evenly spread numbers, of this worker's part where each has one; not a copy, which no step would change."""
    local: Tensor = weight.to_local() if hasattr(weight, "to_local") else weight
    return local.view(-1)[::stride] if local.is_contiguous() else local[::stride]
