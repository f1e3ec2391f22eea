"""The audit: every row of a dataset that others made is verified again, with no teacher and no run."""
