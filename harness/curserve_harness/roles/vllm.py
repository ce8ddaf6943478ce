"""`python -m curserve_harness.roles.vllm`: the real vLLM server in the server host, in place of the paced one.

`--bind ADDRESS`; `--options JSON` holds fields of VllmOptions; `--folder DIR` keeps its model, log and stamps. The
control messages are in `curserve_harness.roles`, so the runner cannot tell the two servers apart.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from curserve_engines.cell.spec import BadMessage, CellSpec, cell_from_json
from curserve_engines.protocol import EngineError
from curserve_harness.roles.channel import answer_any, one_line, read_message, write_message
from curserve_harness.roles.lifetime import die_with_parent, leave_on_sigterm, private_stdout, watch_input
from curserve_harness.vllm.process import VllmError, VllmOptions, VllmServer
from curserve_traces import scratch


class VllmRole:
    """The server's side of the control channel, with vLLM behind it."""

    def __init__(self, server: VllmServer) -> None:
        self._server = server

    def answer(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer to a control message, None to end."""
        match message["op"]:
            case "open":
                return self._open(cell_from_json(message.get("cell")))
            case "close":
                return self._close(message.get("cell"))
            case _:
                return answer_any(message)

    def _open(self, spec: CellSpec) -> dict[str, Any]:
        if spec.placement == "client" and spec.api != "chat":
            raise BadMessage("--llm vllm serves client-placed tools over --api chat only; drop --api responses")
        self._server.open(spec.to_json())
        return {"ok": True}

    def _close(self, number: Any) -> dict[str, Any]:
        if not isinstance(number, int):
            raise BadMessage(f"close: cell {number!r} is not open")
        closed = self._server.close(number)
        rows = with_model_time(closed["rows"], closed["steps"])
        if closed["error"] is not None:
            return {"ok": False, "error": f"cell {number}: {closed['error']}", "rows": rows}
        return {"ok": True, "rows": rows}


def with_model_time(rows: list[dict[str, Any]], steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with the model's own time, as measured: no profile asked for it.

    `steps` are the turns as vLLM's worker stamped them, in order; where they are lost, the outer times stay.
    """
    turns = [row for row in rows if row["kind"] == "turn"]
    for number, row in enumerate(turns):
        if "first_token_ns" not in row or "last_token_ns" not in row:
            continue
        row["ttft_ns"] = row["first_token_ns"] - row["prompt_read_ns"]
        row["decode_ns"] = row["last_token_ns"] - row["first_token_ns"]
        if number < len(steps):
            row.setdefault("prompt_tokens", steps[number]["prompt"])
            row.setdefault("output_tokens", steps[number]["steps"])
    return rows


def main() -> None:
    """Answer control messages until the runner closes the channel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--options", default="{}")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    die_with_parent()
    leave_on_sigterm()
    channel = private_stdout()
    with scratch.folder("vllm") as place:
        folder = options.folder or place
        folder.mkdir(parents=True, exist_ok=True)
        wanted = json.loads(options.options)
        server = VllmServer(
            folder, VllmOptions(**wanted | {"arguments": tuple(wanted.get("arguments", ()))}), options.bind
        )
        try:
            server.start()
        except (EngineError, VllmError) as error:
            write_message(channel, {"ready": False, "error": one_line(error)})
            raise SystemExit(3) from error
        try:
            watch_input(sys.stdin.fileno())
            serve(server, channel)
        finally:
            server.stop()


def serve(server: VllmServer, channel: int) -> None:
    """Say where the server is, then answer until the end of the input."""
    role = VllmRole(server)
    write_message(channel, {"ready": True, "url": server.url, "pid": os.getpid()})
    for line in sys.stdin.buffer:
        try:
            reply = role.answer(read_message(line))
        except (BadMessage, VllmError) as error:
            reply = {"ok": False, "error": one_line(error)}
        if reply is None:
            break
        write_message(channel, reply)


if __name__ == "__main__":
    main()
