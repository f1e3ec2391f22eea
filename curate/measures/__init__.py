"""Measured columns of attempts: what selectors may read, and how it is counted."""
