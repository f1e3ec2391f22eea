"""Rewards: one file a way to have finished answers scored by a model."""
