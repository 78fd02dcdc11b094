"""What becomes of a trial that failed, and of a study whose first trials all fail the same way."""

from __future__ import annotations

from raytune_nn.config.schema import FailuresConfig
from raytune_nn.errors import ConfigError
from raytune_nn.store.causes import Diagnosis
from raytune_nn.store.record import StudyRecord
from raytune_nn.store.trial import TrialRecord

STOPPED = "failures.stop_after="  # how the reason of a study begins that was ended for its failures


class Failures:
    """Decides for one driver.

    Args:
        record: What earlier drivers left; kept up to date by the conductor.
    """

    def __init__(self, config: FailuresConfig, record: StudyRecord) -> None:
        self._config, self._record = config, record
        self._stop_after = config.stop_after
        self._first: list[str] = []  # that began with this driver, while no trial of the study has a value
        self._causes: dict[str, Diagnosis] = {}  # of those of them that failed

    def began(self, trial: TrialRecord) -> None:
        """Told of each attempt, in their order."""
        if self._stop_after is not None and len(self._first) < self._stop_after and trial.id not in self._first:
            self._first.append(trial.id)

    def try_again(self, trial: TrialRecord, lost: bool) -> bool:
        """Whether a failed trial is tried again.

        Args:
            lost: It did not fail by itself: its process was ended, or heard of no more.
        """
        return (lost or self._config.retry_exceptions) and trial.retries < self._config.max_retries

    def end_study(self, trial: TrialRecord, diagnosis: Diagnosis) -> str:
        """Told of each trial that failed for good; returns why the study ends, empty where it goes on.

        It ends where the first trials that began with this driver all failed for one cause, and no trial, be it of an
        earlier driver, ever had a value. What an earlier one saw fail does not count: the module may be mended.
        """
        first = self._stop_after
        if first is None:
            return ""
        if any(other.value is not None for other in self._record.trials.values()):
            self._stop_after = None
            return ""
        if trial.id in self._first:
            self._causes[trial.id] = diagnosis.cause
        if len(self._causes) < first or len(set(self._causes.values())) > 1:
            return ""
        return f"{STOPPED}{first}: " + (
            "the first trial failed" if first == 1 else f"the first {first} all failed alike"
        )


def check_failures(config: FailuresConfig) -> None:
    """Whether every number makes sense.

    Raises:
        ConfigError: One does not.
    """
    if config.max_retries < 0:
        raise ConfigError("failures.max_retries must not be negative", config.max_retries, "failures.max_retries=0")
    if config.no_report_timeout is not None and not 0 < config.no_report_timeout < float("inf"):
        raise ConfigError(
            "failures.no_report_timeout must be seconds, more than 0, or null for no limit",
            config.no_report_timeout,
            "failures.no_report_timeout=3600",
        )
    if config.stop_after is not None and config.stop_after < 1:
        raise ConfigError(
            "failures.stop_after must be at least 1 trial, or null for never",
            config.stop_after,
            "failures.stop_after=5",
        )
