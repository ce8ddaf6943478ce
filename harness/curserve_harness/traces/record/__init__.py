"""Records a session of any agent: its shell and search calls through shims, its model through a proxy.

`session.record` starts the agent with both in its way, `assemble.traces` joins what they saw into traces.
"""
