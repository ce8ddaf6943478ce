"""The real vLLM server as the model server: its process, and how its tokens compare with recorded ones."""
