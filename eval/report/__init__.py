"""The report of an evaluation: one page without a network, and the same in Markdown."""
