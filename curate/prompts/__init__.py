"""Every prompt, as YAML in one folder per use."""
