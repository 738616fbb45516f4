"""Measurements: figures in the docs come from the commands in this package."""
