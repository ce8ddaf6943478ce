"""Two revisions side by side on one machine."""
