"""The model: a paced OpenAI-compatible server that emits recorded turns."""
