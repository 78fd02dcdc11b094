"""Whether a training was interrupted by the user, or exits for reasons of its own."""

from __future__ import annotations


def raise_if_interrupted(error: BaseException) -> None:
    """Tells Ctrl-C, which Lightning answers by SystemExit, from a SystemExit of the user's own module.

    Args:
        error: What came out of a training.

    Raises:
        KeyboardInterrupt: It was Ctrl-C, or a SIGTERM that counts as such.
    """
    if isinstance(error.__context__, KeyboardInterrupt):
        raise KeyboardInterrupt from error
