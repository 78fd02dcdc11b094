"""Where a slot works: in the study's folder, or where that is on an object store, in a working folder of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from raytune_nn.store.bucket import read_url
from raytune_nn.store.files import IN_FOLDER, Files, ObjectFiles
from raytune_nn.store.object_store import ObjectStore
from raytune_nn.trial.task import StudyContext


@contextmanager
def workplace(study: StudyContext) -> Iterator[tuple[StudyContext, Files]]:
    """What a slot is to know of a study while it works at a trial, and how it reaches the study's files.

    A working folder is among the files of Ray's own session, which Ray or our reaper removes; and at the end here.
    """
    if not study.url:
        yield study, IN_FOLDER
        return
    from ray._private.worker import _global_node

    session = None if _global_node is None else _global_node.get_session_dir_path()
    folder = tempfile.mkdtemp(prefix="rtnn-work-", dir=session)
    try:
        yield replace(study, folder=folder), ObjectFiles(ObjectStore(read_url(study.url)), Path(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
