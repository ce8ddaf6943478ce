"""The two processes of an experiment: `client` runs in the client host, `server` (or `vllm`) in the server host.

The runner starts `python -m curserve_harness.roles.server` in the server host and
`python -m curserve_harness.roles.client` in the client host, and speaks with both over their standard input and
output, one JSON object a line, never over the link:

    server → {"ready": true, "url": "http://10.0.0.2:8000", "pid": 7}       once, at start
    server ← {"op": "open", "cell": {…CellSpec…}}      → {"ok": true}        trace loaded, session open
    server ← {"op": "open", …}, an engine on both hosts → {"ok": true, "port": 4711}  it waits for its other half
    client ← {"op": "home", "cell": {…}, "address": "…"} → {"ok": true, "fill_ns": 9}  it stands, the copy is whole
    server ← {"op": "wait", "cell": 12}                → {"ok": true}        it answers as it will from now on
    client ← {"op": "leave", "cell": 12}               → {"ok": true}        that half has ended
    server ← {"op": "close", "cell": 12}               → {"ok": true, "rows": [turn rows; call rows]}
    client → {"ready": true, "pid": 8}                                       once, at start
    client ← {"op": "run", "cell": {…}, "url": "…"}    → {"ok": true, "rows": [a cell row; turn rows; call rows]}
    either ← {"op": "ping"}                            → {"ok": true}
    either ← {"op": "exit"}, or end of file            → the process ends

What cannot be done is answered with `{"ok": false, "error": "one line: what, on what, what to do next"}`;
`close` and `run` add the rows measured until then. A cell whose player was stopped has no cell row.
`samples.rows.join_rows` makes the samples.
"""
