"""The real vLLM server as the model server, and what it costs."""
