"""`veristill train`: one file a verb."""
