"""The two processes of an experiment: `client` runs in the client host, `server` in the server host."""
