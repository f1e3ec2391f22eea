"""What runs on the nodes, in the training interpreter: standard library alone, copied to the run's `code/`."""
