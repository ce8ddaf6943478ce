"""Loads: many sessions at once against one server, and what came of them."""
