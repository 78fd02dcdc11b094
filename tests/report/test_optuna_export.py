"""A study as one of Optuna, in a database that Optuna reads back."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
from made_records import Told
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL, make_url
from study_folders import SPACE, make_study

from raytune_nn.errors import ConfigError
from raytune_nn.report.optuna_export import export_to_optuna, read_database, shown
from raytune_nn.report.optuna_trials import optuna_trials
from raytune_nn.space.parse import parse_space
from raytune_nn.store.journal import Event, read_journal
from raytune_nn.store.record import StudyRecord


def exported(tmp_path: Path, name: str = "s", **study: Any) -> tuple[URL, StudyRecord, list[FrozenTrial]]:
    """A made study in a database."""
    folder, record = make_study(tmp_path / name, **study)
    trials = optuna_trials(record, read_journal(folder.journal), parse_space(study.get("space") or SPACE))
    database = URL.create("sqlite", database=str(tmp_path / "o {x} %d.db"))
    export_to_optuna(database, "s", record, trials)
    return database, record, trials


@contextmanager
def opened(database: URL) -> Iterator[optuna.Study]:
    url = database.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    storage = optuna.storages.RDBStorage(url)
    try:
        yield optuna.load_study(study_name="s", storage=storage)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def test_what_optuna_reads_back(tmp_path: Path) -> None:
    database, record, _ = exported(tmp_path)
    with opened(database) as study:
        trials = study.trials
        assert study.metric_names == ["val_acc"]
    assert study.direction.name == "MAXIMIZE"
    assert [trial.number for trial in trials] == [0, 1, 2]
    assert [trial.state for trial in trials] == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]
    assert [trial.values for trial in trials] == [[0.75], [0.25], None], "of a pruned one the last"
    assert [trial.intermediate_values for trial in trials] == [{1: 0.5, 2: 0.75}, {1: 0.5, 2: 0.25}, {}]
    assert [trial.params for trial in trials] == [trial.params for trial in record.trials.values()]
    assert trials[1].user_attrs["value"] == 0.5
    assert (trials[2].user_attrs["state"], trials[2].user_attrs["cause"]) == ("failed", "ValueError: no")
    assert [trial.user_attrs["trial"] for trial in trials] == ["0", "1", "2"]
    for trial in trials:
        assert trial.datetime_start is not None
        assert trial.datetime_complete is not None
        assert trial.datetime_start <= trial.datetime_complete
        assert abs((datetime.now() - trial.datetime_complete).total_seconds()) < 3600
    assert trials[0].distributions == {
        "optimizer": CategoricalDistribution(["adamw", "sgd"]),
        "optimizer.lr": FloatDistribution(1e-4, 1e-1, log=True),
        "optimizer.momentum": FloatDistribution(0, 0.99),
    }


def test_several_objectives(tmp_path: Path) -> None:
    database, _, _ = exported(tmp_path, further="val_loss")
    with opened(database) as study:
        assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
        assert study.metric_names == ["val_acc", "val_loss"]
        assert [trial.values for trial in study.trials] == [[0.75, 0.25], [0.5, 0.5], None]
        assert [trial.number for trial in study.best_trials] == [0]


def test_an_export_replaces_an_earlier_one_of_the_same_study_only(tmp_path: Path) -> None:
    database, record, trials = exported(tmp_path)
    export_to_optuna(database, "s", record, trials[:2])
    with opened(database) as study:
        assert len(study.trials) == 2
    _, other = make_study(tmp_path / "elsewhere" / "s")
    with pytest.raises(ConfigError, match="by an export of the same study only"):
        export_to_optuna(database, "s", other, trials)
    export_to_optuna(database, "another", other, trials)
    with opened(database) as study:
        assert len(study.trials) == 2


def test_a_study_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    database = URL.create("sqlite", database=str(tmp_path / "o.db"))
    _, record = make_study(tmp_path / "s")
    storage = optuna.storages.RDBStorage(str(database))
    optuna.create_study(study_name="s", storage=storage)
    storage.engine.dispose()
    with pytest.raises(ConfigError, match="has another one named s"):
        export_to_optuna(database, "s", record, [])


def test_a_file_that_is_no_database_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    path.write_text("not a database, but some text that is long enough to be seen as one" * 20)
    before = path.read_bytes()
    _, record = make_study(tmp_path / "s")
    with pytest.raises(ConfigError, match="file is not a database"):
        export_to_optuna(URL.create("sqlite", database=str(path)), "s", record, [])
    assert path.read_bytes() == before


def test_nothing_is_left_of_an_export_that_fails(tmp_path: Path) -> None:
    _, record = make_study(tmp_path / "s")
    bad = FrozenTrial(-1, TrialState.COMPLETE, None, datetime.now(), None, {}, {}, {}, {}, {}, -1, values=[0.5])
    with pytest.raises(ValueError, match="datetime_complete"):
        export_to_optuna(URL.create("sqlite", database=str(tmp_path / "o.db")), "s", record, [bad])
    assert not (tmp_path / "o.db").exists()
    with pytest.raises(ConfigError, match="unable to open database file"):
        export_to_optuna(URL.create("sqlite", database=str(tmp_path / "none" / "o.db")), "s", record, [])
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("nope", "no scheme://…"),
        ("nope://u:secret@h/db", "nope://…"),
        ("sqlite://", "sqlite://"),
        ("sqlite:///:memory:", "sqlite:///%3Amemory%3A"),
        ("postgresql://u:secret@h:port/db", "postgresql://…"),
        ("postgresql+psycopg2://u:secret@h/db", "postgresql+psycopg2: No module named 'psycopg2'"),
    ],
)
def test_urls_that_are_refused(url: str, found: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_database(url)
    assert raised.value.found == found
    assert "secret" not in str(raised.value)


def test_a_password_is_not_shown() -> None:
    assert shown(make_url("mysql://u:secret@h/db")) == "mysql://u:***@h/db"


def test_trials_that_may_still_go_on_run() -> None:
    told = Told()
    for number in range(3):
        told.tell("suggested", trial=str(number), params={})
    for id in ("0", "1"):
        told.tell("started", trial=id)
    told.tell("reported", trial="1", epoch=1, seconds=1.0, metrics={"val_acc": 0.5}, saved=True)
    told.tell("decided", trial="1", epoch=1, decision="pause", reason="so")
    events = [_suggested(number) for number in range(3)] + [
        {"type": "started", "trial": id, "time": 2.0} for id in ("0", "1")
    ]
    trials = optuna_trials(told.record, events, parse_space({}))
    assert [trial.state for trial in trials] == [TrialState.RUNNING, TrialState.RUNNING, TrialState.WAITING]
    for trial in trials:
        trial._validate()


def _suggested(id: int) -> Event:
    return {"type": "suggested", "trial": str(id), "time": 1.0}


OPTIONS = [
    ["relu", "gelu"],
    [None, 0.5, 1],
    [[64, 64], [32]],
    [{"name": "gelu"}, "relu"],
    [1, 1.0, True, "1", "true"],
    [[1], "[1]"],
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_are_told_apart_in_the_database(options: list[Any], tmp_path: Path) -> None:
    space = parse_space({"x": {"dist": "choice", "options": options}})
    told = Told()
    events: list[Event] = []
    for option in options:
        events += told.trial(0.5, params={"x": option})
    trials = optuna_trials(told.record, events, space)
    database = URL.create("sqlite", database=str(tmp_path / "o.db"))
    export_to_optuna(database, "s", told.record, trials)
    with opened(database) as study:
        values = [trial.params["x"] for trial in study.trials]
    for one, other in itertools.combinations(values, 2):
        assert one != other
    if options in OPTIONS[:2]:
        assert values == options


def test_every_other_distribution(tmp_path: Path) -> None:
    texts = {"a": "uniform(0, 1)", "b": "quniform(0.1, 1, 0.3)", "c": "randint(1, 8)", "d": "lograndint(1, 512)"}
    space = parse_space(texts)
    told = Told()
    events = [
        event
        for params in ({"a": 0.0, "b": 0.1, "c": 1, "d": 512}, {"a": 1.0, "b": 1.0, "c": 8, "d": 1})
        for event in told.trial(0.5, params=params)
    ]
    trials = optuna_trials(told.record, events, space)
    export_to_optuna(URL.create("sqlite", database=str(tmp_path / "o.db")), "s", told.record, trials)
    assert [trial.params for trial in trials] == [trial.params for trial in told.record.trials.values()]


def test_a_parameter_outside_of_the_space_is_an_attribute() -> None:
    told = Told()
    events = list(told.trial(0.5, params={"a": 3.0, "b": 1}))
    (trial,) = optuna_trials(told.record, events, parse_space({"a": "uniform(0, 1)"}))
    assert trial.params == {}
    assert (trial.user_attrs["params.a"], trial.user_attrs["params.b"]) == (3.0, 1)


def test_the_database_holds_no_half_of_anything_else(tmp_path: Path) -> None:
    database, _, _ = exported(tmp_path)
    with closing(sqlite3.connect(str(database.database))) as connection:
        (count,) = connection.execute("select count(*) from trials").fetchone()
        (running,) = connection.execute("select count(*) from trials where state = 'RUNNING'").fetchone()
    assert (count, running) == (3, 0)


def test_optuna_dashboard_opens_it(tmp_path: Path) -> None:
    """Asked as its page asks."""
    dashboard = pytest.importorskip("optuna_dashboard")
    database, _, _ = exported(tmp_path)
    with opened(database) as study:
        app = dashboard.wsgi(study._storage)

        def get(path: str) -> Any:
            asked: dict[str, Any] = {"PATH_INFO": path}
            setup_testing_defaults(asked)
            return json.loads(b"".join(app(asked, lambda status, headers, fault=None: None)))

        (listed,) = get("/api/studies")["study_summaries"]
        assert (listed["study_name"], listed["directions"]) == ("s", ["maximize"])
        trials = get(f"/api/studies/{listed['study_id']}")["trials"]
    assert [trial["state"] for trial in trials] == ["Complete", "Pruned", "Fail"]
    assert trials[0]["values"] == [0.75]
