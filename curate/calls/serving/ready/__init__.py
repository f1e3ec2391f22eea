"""Servers ready to submit: for each a block as it stands in a recipe, and the batch script that it stands for."""
