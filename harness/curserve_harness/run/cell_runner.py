"""Runs one cell: a fresh workspace, a session in its placement's role, the trajectory, and judged rows."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Any, Self

from curserve_engines import registry
from curserve_engines.cell.spec import CellSpec
from curserve_engines.renewed import is_broken
from curserve_harness.plan.plan import Block, Plan
from curserve_harness.plan.profiles import ModelProfile
from curserve_harness.plan.served import is_given, model_of
from curserve_harness.prepare.prepared import PreparedTrace, PreparedTraces
from curserve_harness.run.role_process import RoleProcess
from curserve_harness.run.run_folder import remove
from curserve_harness.samples.judging import judge
from curserve_harness.samples.rows import EXTRA, Row, join_rows
from curserve_netem.hosts import Pair


class CellRunner:
    """The two roles of one link, and the cells that run through them."""

    def __init__(
        self, plan: Plan, profiles: dict[str, ModelProfile], pair: Pair, prepared: PreparedTraces, run: str
    ) -> None:
        self._plan, self._profiles, self._pair, self._prepared, self._run = plan, profiles, pair, prepared, run
        self._stack = ExitStack()
        self._url = ""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            logs = Path(mkdtemp(prefix="roles-", dir=self._prepared.scratch))
            name, options = self._model_server(logs)
            self._server = stack.enter_context(
                RoleProcess(name, self._pair.server, logs, "--bind", self._pair.server.address, *options)
            )
            self._client = stack.enter_context(RoleProcess("client", self._pair.client, logs))
            self._client.stands_with(self._server)
            self._server.stands_with(self._client)
            self._stack = stack.pop_all()
        return self

    def _model_server(self, folder: Path) -> tuple[str, list[str]]:
        """Return the role that serves the model, and its options: the paced server, or the real vLLM.

        The tiny model that vLLM serves by default is stretched to the profile's pace; a given one has its own.
        """
        if self._plan.llm == "paced":
            return "server", []
        options: dict[str, Any] = {"arguments": list(self._plan.vllm_args)}
        if is_given(self._plan):
            options["model"] = "given"
        else:
            model = self._profiles[self._plan.models[0]].model()
            options["pace"] = {
                "tpot_ns": model.tpot_ns,
                "ttft_ns": model.ttft_ns,
                "prefill_tokens_per_s": model.prefill_tokens_per_s,
            }
        return "vllm", ["--options", json.dumps(options), "--folder", str(folder / "vllm")]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def stop(self) -> None:
        """End the roles, from any thread; a cell that runs ends with ExecutionFailed."""
        self._client.stop()
        self._server.stop()

    def run(self, block: Block, engine: str, order: int) -> list[Row]:
        """Run one cell and return its rows, judged; raises ExecutionFailed where a role dies."""
        prepared = self._prepared[block.trace]
        root = self._prepared.copy(block.trace)
        try:
            spec = self._spec(block, engine, order, prepared, root)
            opened = self._server.ask({"op": "open", "cell": spec.to_json()})
            filled = self._join(spec, opened.get("port"))
            client = self._client.ask({"op": "run", "cell": spec.to_json(), "url": self._server.ready["url"]})
            client["rows"] += filled
            if filled:
                self._client.ask({"op": "leave", "cell": spec.cell})
            server = self._server.ask({"op": "close", "cell": spec.cell})
        finally:
            remove(root)
        return judged(join_rows(spec, client["rows"], server["rows"]), prepared)

    def _join(self, spec: CellSpec, port: int | None) -> list[Row]:
        """Bring the halves of an engine on both hosts together; return what that took, as a row of the cell."""
        if port is None:
            return []
        host, port = self._pair.reach(port)
        home = {"op": "home", "cell": spec.to_json(), "address": f"{host}:{port}"}
        fill_ns = self._client.ask(home)["fill_ns"]
        self._server.ask({"op": "wait", "cell": spec.cell})
        return [{"cell": spec.cell, "kind": "cell", "fill_ns": fill_ns}]

    def _spec(self, block: Block, engine: str, order: int, prepared: PreparedTrace, root: Path) -> CellSpec:
        link = self._pair.link
        trace = prepared.trace
        return CellSpec(
            run=self._run,
            block=block.block,
            cell=block.block * len(self._plan.engines) + order,  # the same after a resume
            trace=str(prepared.file),
            engine=engine,
            placement=registry.load(engine).placement,
            model=model_of(self._plan, self._profiles, block.model),
            root=str(root),
            at=trace.workspace.at,
            shell=trace.shell,
            api=self._plan.api,
            pace=self._plan.pace,
            stream=self._plan.stream,
            tcp=asdict(link.tcp),
            turns=prepared.policy,
            sandbox=self._plan.sandbox,
            trace_id=trace.id,
            repetition=block.repetition,
            link=block.link,
            backend=self._pair.backend,
            rtt_ns=link.rtt_ns,
            order=order,
        )


def judged(rows: list[Row], prepared: PreparedTrace) -> list[Row]:
    """Compare every executed answer with the reference; leave the columns of the sample schema.

    Not those after a session broke: what it left in the workspace is not what the reference had.
    """
    failed = [row for row in rows if row["kind"] == "call" and row.get("label") == "failed"]
    unknown = min(((row["turn"], row["call"]) for row in failed if is_broken(row["reason"])), default=None)
    for row in rows:
        digest, lines_digest = (row.pop(name, None) for name in EXTRA)
        if row["kind"] != "call":
            continue
        place = (row["turn"], row["call"])
        policy = prepared.policy[place[0]].calls[place[1]]
        row["answer"], row["workspace"] = "unchecked", policy.workspace
        if unknown is not None and place > unknown:
            row["workspace"] = "undetermined"
            row["reason"] = row.get("reason") or f"the session broke in turn {unknown[0]}"
            continue
        if row.get("label") in ("executed", "refused") and policy.workspace != "undetermined":
            call = prepared.trace.turns[place[0]].calls[place[1]].call
            judgement = judge(call, (digest, lines_digest), prepared.reference[place])
            row["answer"], row["right"] = judgement.answer, judgement.right
            row["reason"] = "; ".join(filter(None, (judgement.reason, row.get("reason")))) or None
    return rows
