"""Measured columns of attempts."""
