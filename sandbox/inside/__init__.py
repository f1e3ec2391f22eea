"""What runs inside the sandbox: standard library only, and never imported by the host's own code path."""
