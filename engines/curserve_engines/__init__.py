"""Engines: ways to execute a tool call; `protocol` has the seam, each engine is one file and one entry point."""
