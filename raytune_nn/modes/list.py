"""Lists the studies of a storage."""

from __future__ import annotations

import time

from raytune_nn.config.compose import Composed
from raytune_nn.report.study_list import study_list
from raytune_nn.store.listing import list_studies


def show_studies(composed: Composed) -> None:
    """Prints a line for each study under ``study.storage``, the newest first.

    Raises:
        ConfigError: The storage is a file, or no URL of an object store.
        UnusableError: It cannot be read.
    """
    storage = composed.settings.study.storage
    studies = list_studies(storage)
    if studies:
        print(study_list(studies, time.time()))
    else:
        print(f"no study in {storage.partition('?')[0]}; +search=asha study.name=first begins one")
