"""The oracle: every call by an engine and by the real programs on one tree, compared."""
