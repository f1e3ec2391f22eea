"""The recipe's schema, the command line, and the shipped recipes."""
