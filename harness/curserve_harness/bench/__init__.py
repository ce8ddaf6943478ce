"""Whole commands and search engines measured against each other."""
