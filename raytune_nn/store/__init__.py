"""The study folder: the journal is the truth, everything else in it is derived."""
