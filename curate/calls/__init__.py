"""The one way to reach and pay a model."""
