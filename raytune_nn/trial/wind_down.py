"""How trainings hear that their study is interrupted: they save their states where they can, and leave.

A call of a slot is under way all the time that it trains, and calls of an actor are answered in their order. So the
driver posts a notice in the cluster's own store, and each training looks there when it reports.
"""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_SECONDS = 0.5  # short epochs do not look each time: it takes about a third of a millisecond
_NAMESPACE = "raytune_nn"


class Notice:
    """The driver's word to all slots of its study that it winds down.

    Args:
        key: Of this driver alone: others may share the cluster.
    """

    def __init__(self, key: str) -> None:
        self._key, self._posted, self._looked = key, False, -LOOK_SECONDS

    def post(self) -> None:
        """Tells the slots; only the first time counts."""
        from ray.experimental.internal_kv import _internal_kv_put

        if not self._posted:
            self._posted = True
            _internal_kv_put(self._key, b"1", namespace=_NAMESPACE)

    def is_posted(self) -> bool:
        """Whether the driver has posted it; what was not there a moment ago is not looked for again."""
        from ray.exceptions import RpcError
        from ray.experimental.internal_kv import _internal_kv_exists

        now = time.monotonic()
        if not self._posted and now - self._looked >= LOOK_SECONDS:
            self._looked = now
            try:
                self._posted = _internal_kv_exists(self._key, namespace=_NAMESPACE)
            except RpcError:  # the store is away for a moment: the next report looks again
                return False
        return self._posted

    def close(self) -> None:
        """Leaves nothing in the cluster."""
        from ray.experimental.internal_kv import _internal_kv_del

        if self._posted:
            _internal_kv_del(self._key, namespace=_NAMESPACE)


class WindDown:
    """One training's part in it.

    Args:
        asked: Whether the study winds down.

    Attributes:
        left: Whether the training ended for this, before its time.
    """

    def __init__(self, asked: Callable[[], bool] = lambda: False) -> None:
        self.asked, self.left = asked, False
