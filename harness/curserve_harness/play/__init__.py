"""The agent on the client host: it sends the conversation, reads the model's turns, and runs the tools."""
