"""Adapters: harnesses that are extended in Python get the daemon's answers by an import path.

Each module imports the harness that it is for, so that none of them is needed for the others.
"""
