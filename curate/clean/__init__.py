"""Cleaning stages: one file a kind."""
