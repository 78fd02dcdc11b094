"""Nodes that join a cluster while a study runs there: they are asked what its first nodes were, as soon as they come.

Ray places trials on them at once. One that does not see the study's storage would train what nobody can read, so the
study ends in order before it does.
"""

from __future__ import annotations

import threading

from raytune_nn.cluster.visit import check_nodes
from raytune_nn.errors import RaytuneError, UnusableError
from raytune_nn.store.folder import StudyFolder

LOOK_SECONDS = 2.0
LEAVE_SECONDS = 5.0


class Newcomers:
    """Looks for them in a thread, while inside.

    Args:
        study: The folder of the study, which all nodes have to see.
        known: Ids of the nodes that were asked before.
    """

    def __init__(self, study: StudyFolder, known: set[str]) -> None:
        self._study, self._known = study, known
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True, name="newcomers")
        self.fault: UnusableError | None = None  # what is wrong with one of them

    def __enter__(self) -> Newcomers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(LEAVE_SECONDS)

    def _look(self) -> None:
        while self.fault is None and not self._ended.wait(LOOK_SECONDS):
            try:
                self._known |= check_nodes(self._study, self._known, self._ended)
            except RaytuneError as error:
                self.fault = UnusableError(f"{error.rule}; one has joined that is not so", error.found, error.fix)
            except Exception:  # of Ray, whose head is lost or which is about to end: `head_watch` tells of that
                continue
