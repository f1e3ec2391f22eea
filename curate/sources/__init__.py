"""Where questions come from: one file a kind, and the bundled data."""
