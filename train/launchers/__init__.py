"""How a training run gets onto its nodes: one file per kind of launcher."""
