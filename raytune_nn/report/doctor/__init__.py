"""The doctor: what the curves and probes of a training say is wrong with it, and what to try next."""
