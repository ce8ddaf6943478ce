"""What `curserve-bench trace` does: import, show, check, perform, record."""
