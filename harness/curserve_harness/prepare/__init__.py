"""What cells need of a trace before the first of them runs: workspace, policy, what the real programs answer."""
