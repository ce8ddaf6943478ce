"""A cell as whoever executes its tools knows it: its specification, and how its calls are answered and shown."""
