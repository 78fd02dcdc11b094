"""A study: what happens to its trials, and the adapter that lets Ray Tune run them."""
