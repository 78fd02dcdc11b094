"""One of several trials on a GPU: what it may take of the memory, and whether it failed for want of it."""

from __future__ import annotations

import torch

from raytune_nn.errors import ConfigError

# What a process holds outside torch's allocator, in bytes: CUDA's context and the kernels that were used, which are
# loaded one by one (PyTorch's issue 107667 speaks of 300 MB and more), beside a little for cuBLAS, cuDNN and NCCL.
CONTEXT = 512 * 2**20

_SIGNS = ("CUDA error: out of memory", "_STATUS_ALLOC_FAILED")  # outside the allocator; the second of cuBLAS and cuDNN


def limit_memory(gpus: float) -> None:
    """Keeps this process to its share of the GPU; comes before it allocates anything there.

    torch's limit counts what its allocator holds, so the share of the whole memory is lessened by ``CONTEXT``.

    Args:
        gpus: ``resources.gpus``; a whole number, or a machine without a GPU, needs no limit.

    Raises:
        ConfigError: The share is no larger than the context.
    """
    if not 0 < gpus < 1 or not torch.cuda.is_available():
        return
    total = torch.cuda.get_device_properties(0).total_memory  # Ray shows a process no other GPU than its own
    if gpus * total <= CONTEXT:
        raise ConfigError(
            "a trial's share of a GPU must hold more than CUDA's own 0.5 GiB",
            f"resources.gpus={gpus:g} of {total / 2**30:.1f} GiB",
            f"resources.gpus={min(1.0, 2 * CONTEXT / total):.2g}",
        )
    torch.cuda.set_per_process_memory_fraction(gpus - CONTEXT / total)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether a GPU's memory was too small, also where another error was raised of that one."""
    while error is not None:
        if isinstance(error, torch.OutOfMemoryError) or any(sign in _text(error) for sign in _SIGNS):
            return True
        error = error.__cause__ or error.__context__
    return False


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # the user's own class
        return ""
