"""What the judge is made of: its prompt, the reading of a reply, the asking."""
