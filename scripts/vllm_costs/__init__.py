"""What a tool call costs the real vLLM server: the parts of `scripts/vllm-costs.py`, which its tests use too."""
