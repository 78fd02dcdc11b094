"""Writes a study into a database as one of Optuna, which optuna-dashboard opens.

The database is any that SQLAlchemy knows; Optuna itself writes to it. A password in its URL is never shown.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import optuna
from optuna.exceptions import ExperimentalWarning, OptunaError
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from raytune_nn.errors import ConfigError, RaytuneError, UnusableError
from raytune_nn.store.record import StudyRecord

MARK = "raytune_nn"  # user attribute of Optuna's study: which study it is the export of
_FIX = "export.url=sqlite:///optuna.db"


def read_database(url: str) -> URL:
    """Checks ``export.url``.

    Raises:
        ConfigError: It is no URL of a database that keeps what is written, or nothing here can talk to that database.
    """
    try:
        database = make_url(url)
        database.get_dialect()().import_dbapi()
    except ImportError as error:
        rule = "the driver that export.url names must be installed"
        raise ConfigError(rule, f"{database.drivername}: {error}", f"pip install {error.name or '…'}") from error
    except (ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        scheme = url.partition("://")[0] if "://" in url else "no scheme"
        raise ConfigError("export.url must be a URL that SQLAlchemy knows", f"{scheme}://…", _FIX) from error
    if database.get_backend_name() == "sqlite" and database.database in (None, "", ":memory:"):
        raise ConfigError("export.url must be a database that stays", shown(database), _FIX)
    return database


def shown(database: URL) -> str:
    """For people: without its password."""
    return database.render_as_string(hide_password=True)


def export_to_optuna(
    database: URL, name: str, record: StudyRecord, trials: Sequence[FrozenTrial], fix: str = _FIX
) -> None:
    """Writes the trials as an Optuna study of this name, in place of an earlier export of the same study.

    Args:
        fix: What to type where the name is taken.

    Raises:
        ConfigError: The database has another study of this name, or is a file that cannot be one.
        UnusableError: The database does not answer, or refuses.
    """
    with _opened(database) as storage:
        mark = {"study": record.study.get("name"), "began": record.study.get("time")}
        for other in storage.get_all_studies():
            if other.study_name != name:
                continue
            if other.user_attrs.get(MARK) != mark:
                found = f"{shown(database)} has another one named {name}"
                raise ConfigError("an Optuna study is replaced by an export of the same study only", found, fix)
            storage.delete_study(other._study_id)
        goals = record.objective.goals
        directions = [StudyDirection.MAXIMIZE if goal.maximise else StudyDirection.MINIMIZE for goal in goals]
        study = optuna.create_study(storage=storage, study_name=name, directions=directions)
        study.set_user_attr(MARK, mark)  # first: an export that is cut off is replaced by the next one
        study.set_user_attr("command", record.study.get("command", ""))
        study.set_metric_names([goal.metric for goal in goals])
        study.add_trials(trials)


@contextmanager
def _opened(database: URL) -> Iterator[RDBStorage]:
    """The database; a file that was not there is not left by an error."""
    path = Path(database.database or "") if database.get_backend_name() == "sqlite" else None
    is_new = path is not None and not path.exists()
    url = database.render_as_string(hide_password=False)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with ExitStack() as stack, warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            storage = RDBStorage(url.replace("{", "{{").replace("}", "}}"))  # it is a template to Optuna
            stack.callback(storage.engine.dispose)
            stack.callback(storage.remove_session)
            yield storage
    except BaseException as error:
        if path is not None and is_new:
            path.unlink(missing_ok=True)
        if isinstance(error, SQLAlchemyError | OptunaError | RuntimeError):
            raise _refusal(database, error, is_file=path is not None) from None  # its words may have the password
        raise
    finally:
        optuna.logging.set_verbosity(verbosity)


def _refusal(database: URL, error: BaseException, is_file: bool) -> RaytuneError:
    cause = error.__cause__ if isinstance(error, OptunaError) and error.__cause__ is not None else error
    reason = " ".join(str(getattr(cause, "orig", None) or cause).split())
    if database.password:
        reason = reason.replace(str(database.password), "***")
    found = f"{shown(database)}: {reason}"
    if is_file:
        return ConfigError(
            "export.url must be a database of Optuna, or a new file in a folder that is there", found, _FIX
        )
    return UnusableError("the database of export.url must answer", found, "its server, or another export.url")
