"""Runs side by side: what differs between their configurations, and which is best by each metric. Pure: reads no file."""
