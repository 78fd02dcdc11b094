"""On what a trial is trained, as far as it decides the last bits of its metrics."""

from __future__ import annotations

import functools
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from raytune_nn.trial.instantiate import setting

GPU = "gpu"


def this_machine(config: Mapping[str, Any]) -> dict[str, Any]:
    """Kind of CPU, threads and torch of this process, and the kind of GPU where a trial may use one.

    The kind of CPU names the instructions that torch uses, since these decide in which order it sums.

    Args:
        config: A trial's configuration, interpolations unresolved.
    """
    cpu = f"{_cpu_model()}, {torch.backends.cpu.get_cpu_capability()}"
    facts = {"cpu": cpu, "threads": torch.get_num_threads(), "torch": str(torch.__version__)}
    accelerator = setting(config, "trainer.accelerator") if "accelerator" in config["trainer"] else "auto"
    if accelerator != "cpu" and torch.cuda.is_available():
        facts[GPU] = torch.cuda.get_device_name()
    return facts


@functools.cache
def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()  # ARM's Linux names none


def inexact(then: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Why a training here need not give what it gave there to the last bit; empty: it has to.

    Args:
        then: As ``this_machine`` was there; what is not known of it is taken to be the same.
        here: The same of this process.
    """
    if gpu := then.get(GPU) or here.get(GPU):
        return f"a GPU ({gpu}) need not add in the same order twice"
    names = {"cpu": "the CPU", "threads": "threads", "torch": "torch"}
    changed = [name for name in names if name in then and then[name] != here[name]]
    return ", ".join(f"{names[name]} was {then[name]}, is {here[name]}" for name in changed)
