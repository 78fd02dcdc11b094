"""How a training ended, in words that can be sent."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass

from raytune_nn.errors import UnusableError
from raytune_nn.trial.targets import as_plain


@dataclass(frozen=True)
class Outcome:
    """How a training ended: of itself or by the answer to a report, or with this traceback."""

    error: str = ""
    out_of_memory: bool = False  # of a GPU
    node_lost: bool = False  # and a worker with it
    unusable: str = ""  # why the state that it was to go on from cannot be used
    storage_lost: tuple[str, str | None, str] | None = None  # arguments of an error: the storage did not come back


def attempt(train: Callable[[], None]) -> Outcome:
    """Trains; whatever the user's code raises is in the outcome, and nothing refers to the training any more."""
    from raytune_nn.trial.gpu import is_out_of_memory
    from raytune_nn.trial.saved_state import UnusableState

    try:
        train()
    except UnusableState as error:
        return Outcome(traceback.format_exc(), unusable=str(error))
    except UnusableError as error:
        return Outcome(traceback.format_exc(), storage_lost=as_plain(error))
    except BaseException as error:
        return Outcome("".join(traceback.format_exception(_users(error))), is_out_of_memory(error))
    return Outcome()


def _users(error: BaseException) -> BaseException:
    """The KeyboardInterrupt of the user's code, which Lightning answers by setting a signal: no thread may do that."""
    return error.__context__ if isinstance(error.__context__, KeyboardInterrupt) else error
