"""Servers that a run starts and stops for itself."""
