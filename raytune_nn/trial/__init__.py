"""One trial: what runs inside a slot. Nothing here is imported by the driver before the first result."""
