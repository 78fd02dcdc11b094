"""Where trials run: how many fit, and the connection to Ray."""
