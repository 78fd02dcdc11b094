"""``report.html``: one file that shows a study offline, made from its journal alone."""
