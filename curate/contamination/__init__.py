"""Finds benchmark items in training texts: canonical tokens, an index of the items, matching, a self-test."""
