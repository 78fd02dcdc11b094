"""Loggers that tests name by `_target_`; what they were told stays in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pytorch_lightning.loggers import Logger


class Run:
    """What a server would have of one run."""

    def __init__(self, **keywords: Any) -> None:
        self.keywords = keywords
        self.hyperparams: list[dict[str, Any]] = []
        self.metrics: list[tuple[int | None, dict[str, float]]] = []
        self.ends: list[str] = []

    def finish(self) -> None:
        self.ends.append("finished")


class Recorder(Logger):
    """Records."""

    runs: ClassVar[list[Run]] = []
    refuses: ClassVar[list[str]] = []  # methods that raise, with this message

    def __init__(self, name: str = "", group: str = "", folder: str = "", token: str = "", wrong: bool = False) -> None:
        super().__init__()
        if wrong:
            raise ValueError("wrong must be false")
        self._refuse("__init__", token)
        self._name, self._token = name, token
        self.experiment = Run(name=name, group=group, folder=folder, token=token)
        self.runs.append(self.experiment)

    @property
    def name(self) -> str:
        return self._name

    @property
    def version(self) -> int:
        return 0

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        self._refuse("log_hyperparams", self._token)
        self.experiment.hyperparams.append(dict(params))

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._refuse("log_metrics", self._token)
        self.experiment.metrics.append((step, dict(metrics)))

    def finalize(self, status: str) -> None:
        self._refuse("finalize", self._token)
        self.experiment.ends.append(status)

    @classmethod
    def _refuse(cls, method: str, token: str) -> None:
        if method in cls.refuses:
            raise ConnectionError(f"the server is away for {token or 'you'}\nand more")
