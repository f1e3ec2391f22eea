"""Texts that are equal or nearly so: finding every pair, and what groups they make."""
