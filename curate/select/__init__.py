"""Selectors: one file a kind."""
