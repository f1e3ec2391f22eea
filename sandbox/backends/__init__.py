"""Where tests run: a closed list, and never without isolation."""
