"""Where jobs are handed in: one file a place that takes them, chosen in `submitters.py`."""
