"""The typed configuration: its schema, how it is composed, and what an objective is."""
