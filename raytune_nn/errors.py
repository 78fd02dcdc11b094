"""The errors a user can meet, one branch an exit code.

RaytuneError                 1  a fault of ours, or of something underneath
├── ConfigError              2  bad configuration or input: nothing was created
│   ├── SpaceError           2  the search space itself
│   └── StudyMismatchError   2  the study exists and was made from another configuration
├── NoSuccessfulTrialError   3  the study ended, and no trial of it has a value
├── UnusableError            4  storage or cluster cannot be used, or another driver holds the study
├── NotReproducedError       5  a repeated training gave other metrics
└── InterruptedStudyError   75  ended by a signal; the same command resumes
"""

from __future__ import annotations


class RaytuneError(Exception):
    """Base of all errors that are shown to the user as one message, without a traceback.

    Args:
        rule: What must hold, as a sentence.
        found: The value that breaks it; left out of the message when None.
        fix: What to type to mend it, usually an override such as ``budget.max_epochs=9``.
    """

    exit_code = 1

    def __init__(self, rule: str, found: object = None, fix: str = "") -> None:
        self.rule, self.found, self.fix = rule, found, fix
        lines = [rule]
        if found is not None:
            lines.append(f"  found: {found}")
        if fix:
            lines.append(f"  try:   {fix}")
        super().__init__("\n".join(lines))


class ConfigError(RaytuneError):
    """The configuration or an input file breaks a rule."""

    exit_code = 2


class SpaceError(ConfigError):
    """A search space that cannot be read, or that does not fit the configuration."""


class StudyMismatchError(ConfigError):
    """A study of this name exists, made from a configuration that differs."""


class NoSuccessfulTrialError(RaytuneError):
    """The study ended and no trial of it produced a value."""

    exit_code = 3


class UnusableError(RaytuneError):
    """Storage or cluster cannot be used, or another driver holds the study."""

    exit_code = 4


class NotReproducedError(RaytuneError):
    """A trial that was trained again gave other metrics."""

    exit_code = 5


class InterruptedStudyError(RaytuneError):
    """The study was ended by a signal; what it had is kept and the same command resumes it."""

    exit_code = 75
