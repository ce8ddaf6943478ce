"""The harness: plans an experiment, plays it turn by turn, and hands the samples to results."""
