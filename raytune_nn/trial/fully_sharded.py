"""Training whose workers each hold a part of the weights, gradients and optimizer state, instead of a copy: FSDP.

It is torch's ``fully_shard`` (FSDP2), which runs on CPUs too. Lightning's own strategy for it leaves the sharding to
the module; this one shards any module. For a file, weights and states are put together again, and worker 0 writes
them: the files are those of a training that is not sharded. So worker 0's node needs memory for all of them.

Source: Zhao et al. 2023, "PyTorch FSDP: Experiences on Scaling Fully Sharded Data Parallel".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.strategies import DDPStrategy
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Adam, Optimizer

from raytune_nn.trial.sharding import check_sharding

_CONTAINERS = (nn.ModuleList, nn.ModuleDict, nn.Sequential)
_STEPS = ("training_step", "validation_step")


class FullySharded(DDPStrategy):
    """FSDP for any module: DDP's strategy, but for what a worker holds.

    The weights of a block are put together when it is needed, all that is outside of blocks with the first step. As in
    DDP, the weights that worker 0 begins with count, and its buffers before each batch.
    """

    def configure_ddp(self) -> None:
        """Shards the module, before the optimizers are made: they are of the parts."""
        module = self._module
        for tensor in (*module.parameters(), *module.buffers()):
            distributed.broadcast(tensor.detach(), src=0)
        mesh = init_device_mesh(self.root_device.type, (self.world_size,))
        for block in blocks(module):
            fully_shard(block, mesh=mesh)
        fully_shard(module, mesh=mesh)
        for step in _STEPS:  # Lightning calls these in place of ``forward``, by which the weights are put together
            register_fsdp_forward_method(module, step)
        super().model_to_device()

    def setup(self, trainer: Trainer) -> None:
        super().setup(trainer)
        check_sharding(trainer, self._module)  # what a trial has sampled, no check of the study has seen
        for optimizer in self.optimizers:
            if not isinstance(optimizer, Adam):  # torch has no other fused kernel for parts of weights
                for group in optimizer.param_groups:
                    group.update({"fused": None} if "fused" in group else {})

    def model_to_device(self) -> None:
        """Nothing yet: each block moves as it is sharded, since a GPU may be too small for the whole."""

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        self._share_buffers()
        return super().training_step(*args, **kwargs)

    def validation_step(self, *args: Any, **kwargs: Any) -> Any:
        self._share_buffers()
        return super().validation_step(*args, **kwargs)

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """The whole weights; for worker 0."""
        return self._whole(self._module.state_dict())

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The whole state of an optimizer; for worker 0."""
        return self._whole(super().optimizer_state(optimizer))

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Takes this worker's part of whole states. (Weights are loaded before they are sharded.)"""
        for optimizer, whole in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            parts = {
                index: {name: _part(value, parameters[index]) for name, value in state.items()}
                for index, state in whole["state"].items()
            }
            optimizer.load_state_dict({**whole, "state": parts})

    @property
    def _module(self) -> LightningModule:
        assert self.lightning_module is not None
        return self.lightning_module

    def _share_buffers(self) -> None:
        for buffer in self._module.buffers():
            distributed.broadcast(buffer, src=0)

    def _whole(self, state: dict[str, Any]) -> dict[str, Any]:
        """A state with all parts put together, in the memory of the CPU; the other workers only give theirs."""
        whole: dict[str, Any] = _put_together(state)
        return whole if self.is_global_zero else {}


def blocks(module: nn.Module) -> Iterator[nn.Module]:
    """What is sharded by itself: what is in a list, mapping or sequence of modules, but in no other block.

    A block that shares weights with another module is none, since each of them would get its own.
    """
    uses = _uses(module)
    for block in _in_containers(module):
        own = _uses(block)
        if own and all(uses[weight] == count for weight, count in own.items()):
            yield block


def _uses(module: nn.Module) -> Counter[int]:
    """How often each parameter, by identity, is a part of a module."""
    return Counter(id(parameter) for _, parameter in module.named_parameters(remove_duplicate=False))


def _in_containers(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(module, _CONTAINERS) and not isinstance(child, _CONTAINERS):
            yield child
        else:
            yield from _in_containers(child)


def _put_together(value: Any) -> Any:
    if isinstance(value, DTensor):
        whole: Tensor = value.full_tensor()
        return whole.detach().cpu()
    if isinstance(value, dict):
        return {key: _put_together(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_put_together, value))
    return value


def _part(value: Any, parameter: Tensor) -> Any:
    """Of a state that an optimizer keeps for each number of a parameter; anything else is on all workers."""
    if not isinstance(parameter, DTensor) or not isinstance(value, Tensor) or value.shape != parameter.shape:
        return value
    return distribute_tensor(value, parameter.device_mesh, parameter.placements, src_data_rank=None)
