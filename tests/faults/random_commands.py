"""Random overrides: keys that exist or nearly do, and values that fit, nearly fit, or are noise."""

from __future__ import annotations

from hypothesis import strategies as st

KEYS = [
    "seed", "mode", "verbose", "study.name", "study.storage", "study.resume", "objective.metric", "objective.mode",
    "budget.num_trials", "budget.max_epochs", "budget.max_hours", "resources.cpus", "resources.gpus", "cluster.cpus",
    "cluster.address", "failures.max_retries", "failures.no_report_timeout", "failures.stop_after",
    "checkpoints.every_minutes", "security.allow_targets", "model",
    "model.net", "model.net.width", "model.net._target_", "data", "data.batch_size", "optimizer", "optimizer.lr",
    "optimizer._target_", "lr_scheduler", "lr_scheduler.scheduler", "callbacks", "trainer", "trainer.max_epochs",
    "search", "search/searcher", "search.scheduler.grace_period", "search.points", "search_space",
    "search_space.optimizer.lr", "search_space.optimizer.choose", "init", "model_weights", "hydra", "hydra.run.dir",
    "hydra/launcher", "experiment", "debug", "nope", "model@data", "a.b.c", "",
]  # fmt: skip
VALUES = [
    "null", "true", "-1", "0", "1", "3.5", "1e999", "nan", "inf", "???", "adam", "sgd", "cnn", "asha", "random", "[]",
    "{}", "[1,2]", "{a: 1}", "{_target_: os.system}", "os.system", "${seed}", "${nope}", "${oc.env:NOPE}", "${",
    "'", '"',
    "a b", "\\",
    "../x", "/", "choice(a,b)", '"choice(a, b)"', "glob(*)", "range(1,3)", "a,b", "\n", "\0", "é", "=", "x" * 300,
    "${model}", "${oc.decode:'['}", "${from_data:x}", "${.}", "${..a}", "!!python/none", "*", "&a", "{a: ${b}", "plan",
]  # fmt: skip

GOOD = [
    "seed=3", "verbose=0", "study.name=é", "study.resume=never", "objective.metric=val_loss", "objective.mode=min",
    "budget.num_trials=2", "budget.max_epochs=30", "model=cnn", "model.net.width=8", "data.batch_size=7", "~callbacks",
    "optimizer=sgd", "optimizer.lr=1e-3", "lr_scheduler=cosine", "init=orthogonal", "callbacks=early_stopping",
    "+search=asha", "+search=random", "+search=tpe", "search_space.optimizer.lr.low=1e-5", "cluster.cpus=1",
    "+trainer.deterministic=true", "+optimizer.eps=1e-7", "checkpoints.every_minutes=null",
    "security.allow_targets=[a.b]",
]  # fmt: skip

signs = st.sampled_from(["", "", "", "+", "++", "~"])
keys = st.sampled_from(KEYS) | st.text(max_size=8)
values = st.sampled_from(VALUES) | st.text(max_size=8)
overrides = st.builds(lambda sign, key, value: f"{sign}{key}={value}", signs, keys, values)
noise = st.text(max_size=12) | st.sampled_from(
    ["--help=", "--cfg", "-m", "--config-dir", "-cn", "--", "=", "~", "--foo"]
)
good = st.lists(st.sampled_from(GOOD), max_size=3, unique_by=lambda text: text.partition("=")[0].lstrip("+"))
bad = st.lists(overrides | overrides | overrides | keys.map("~{}".format) | noise, max_size=2)
lines = st.builds(lambda good, bad: [*good, *bad], good, bad).filter(
    lambda line: not {"--help", "-h", "--version", "--hydra-help", "--cfg", "-c"} & set(line)
)
