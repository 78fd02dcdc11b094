"""Several workers of one trial, each in a process of its own: `raytune_nn.trial.ranks` by ``torch.distributed``.

A group is made before a training and left after it, so each training has its own, on a port of its own. Lightning
finds it there, and is told by a small environment who is who.
"""

from __future__ import annotations

import gc
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_utilities.core import rank_zero
from torch import distributed
from torch._C._distributed_c10d import TCPStore

from raytune_nn.trial.interface import interface_towards
from raytune_nn.trial.ranks import FSDP, Ranks

Value = TypeVar("Value")

_INTERFACE = "GLOO_SOCKET_IFNAME"
_INTERFACE_GIVEN = _INTERFACE in os.environ  # by whoever set up the node, who knows better


@dataclass(frozen=True)
class Place:
    """One worker among those of a trial, and where they meet: at the store of worker 0."""

    rank: int
    size: int
    host: str
    port: int


class Group(Ranks):
    """The workers of a trial, once they have met; every method is called by all of them, in the same order."""

    def __init__(self, place: Place) -> None:
        self._place, self.rank = place, place.rank

    def mean(self, metrics: dict[str, float]) -> dict[str, float]:
        everyones = self.gather(metrics)
        names = dict.fromkeys(name for one in everyones for name in one)
        return {name: _mean([one[name] for one in everyones if name in one]) for name in names}

    def agree(self, value: Value) -> Value:
        told: list[Value] = [value]
        distributed.broadcast_object_list(told, src=0)
        return told[0]

    def gather(self, value: Value) -> list[Value]:
        values: list[Any] = [None] * self._place.size
        distributed.all_gather_object(values, value)
        return values

    def trainer_keywords(self, trainer: Mapping[str, Any]) -> dict[str, Any]:
        ours = {"num_nodes": self._place.size, "plugins": [_Environment(self._place)]}
        strategy = trainer.get("strategy")
        if strategy == FSDP:
            from raytune_nn.trial.fully_sharded import FullySharded

            return {**ours, "strategy": FullySharded()}
        return {**ours, "strategy": "ddp"} if strategy in (None, "auto") else ours


def open_store(host: str, size: int) -> tuple[TCPStore, list[Place]]:
    """Where a group will meet, and a place for each of its workers; worker 0 opens it.

    Args:
        host: Address of this machine. The store listens nowhere else: it knows no passwords.
        size: Workers.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family)
    port = listener.getsockname()[1]
    file = listener.detach()
    store = TCPStore(host, port, size, is_master=True, wait_for_workers=False, master_listen_fd=file)
    return store, [Place(rank, size, host, port) for rank in range(size)]


def join(place: Place, store: TCPStore | None = None) -> Group:
    """Meets the other workers.

    Args:
        store: Worker 0's, which it has opened.
    """
    interface = interface_towards(place.host, place.port)
    if not _INTERFACE_GIVEN and interface is not None:
        os.environ[_INTERFACE] = interface  # else it listens on what the machine's name stands for
    vars(rank_zero.rank_zero_only)["rank"] = place.rank
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
        store=store or TCPStore(place.host, place.port, place.size, wait_for_workers=False),
        rank=place.rank,
        world_size=place.size,
    )
    return Group(place)


def leave() -> None:
    """Leaves the group, if there is one; whoever still waits for this worker then gets an error."""
    gc.collect()  # a model that is wrapped for several workers would keep the connections open
    if distributed.is_initialized():
        distributed.destroy_process_group()


def _mean(values: Sequence[float]) -> float:
    """Of equal values that value, to the last bit."""
    return values[0] if len(set(values)) == 1 else sum(values) / len(values)


class _Environment(ClusterEnvironment):
    """Tells Lightning what we know: to it, each worker is a node with one device."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return self._place.host

    @property
    def main_port(self) -> int:
        return self._place.port

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self._place.size

    def set_world_size(self, size: int) -> None:
        """Nothing: it is known."""

    def global_rank(self) -> int:
        return self._place.rank

    def set_global_rank(self, rank: int) -> None:
        """Nothing: it is known."""

    def local_rank(self) -> int:
        return 0

    def node_rank(self) -> int:
        return self._place.rank
