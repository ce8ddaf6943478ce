"""Sweeps: many replays, loads and simulations from one file, here or over the machines of a Ray cluster."""
