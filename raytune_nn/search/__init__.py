"""Searchers say what to try next, schedulers say which trials go on.

One algorithm a file, in pure Python: nothing here imports Ray or torch, so an algorithm can be replayed from
a journal or run on a virtual clock. A new one is a subclass of `Searcher` or `Scheduler` in a file of its
own, an option in ``conf/search/`` and a line in ``tests/contracts/``.
"""
