"""Whether a training was interrupted by the user, or exits for reasons of its own."""

from __future__ import annotations

import functools


@functools.cache
def keep_signals() -> None:
    """For good, no Trainer of this process answers signals: Lightning would end the training at a SIGTERM's next batch.

    It has no option for it.
    """
    from pytorch_lightning.trainer.connectors.signal_connector import _SignalConnector

    _SignalConnector.register_signal_handlers = lambda self: None  # type: ignore[method-assign]


def raise_if_interrupted(error: BaseException) -> None:
    """Tells Ctrl-C, which Lightning answers by SystemExit, from a SystemExit of the user's own module.

    Args:
        error: What came out of a training.

    Raises:
        KeyboardInterrupt: It was Ctrl-C, or a SIGTERM that counts as such.
    """
    if isinstance(error.__context__, KeyboardInterrupt):
        raise KeyboardInterrupt from error
