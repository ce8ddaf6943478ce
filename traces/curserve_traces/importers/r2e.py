"""R2E-Gym trajectories: `trajectory_steps` with thought, action and observation, and the times of both sides."""

from __future__ import annotations

from collections.abc import Iterator

from curserve_traces.importers.builder import Builder, clean
from curserve_traces.importers.markup import calls_in
from curserve_traces.importers.report import Imported
from curserve_traces.importers.source import Source
from curserve_traces.importers.values import Json, a_list, a_string, an_integer, an_object, given, seconds_ns
from curserve_traces.model import Observation


def sniff(source: Source) -> bool:
    """Whether its first record has such steps."""
    first = source.record() or next(iter(source.head(1)), {})
    steps = [an_object(step) for step in a_list(first.get("trajectory_steps"))[:1]]
    return bool(steps) and "action" in steps[0]


def read(source: Source) -> Iterator[Imported]:
    """Yield a trace for every record."""
    records = [source.record()] if source.record() else (record for _, record in source.records())
    for number, record in enumerate(records):
        builder = Builder("r2e")
        task = a_string(record.get("problem_statement"))
        if task:
            builder.message("user", task)
        for step in map(an_object, a_list(record.get("trajectory_steps"))):
            _step(builder, step)
        instance = record.get("docker_image") or record.get("instance_id")
        yield builder.finish(
            id=str(instance or f"{source.path.stem}-{number}"),
            agent="r2e-gym",
            model=a_string(an_object(record.get("agent_args")).get("llm_name")),
            task=task,
            extra=given(exit_reason=a_string(record.get("exit_reason")), reward=record.get("reward")),
        )


def _step(builder: Builder, step: Json) -> None:
    builder.turn(
        text=clean(str(step.get("thought") or "")),
        prompt_tokens=an_integer(step.get("token_usage_prompt")),
        output_tokens=an_integer(step.get("token_usage_completion")),
        model_ns=seconds_ns(step.get("llm_exec_time")),
    )
    action = clean(str(step.get("action") or ""))
    calls = calls_in(action)
    if not calls and action.strip():
        calls = [("bash", {"command": action})]
    for name, arguments in calls[:1]:
        builder.call(None, name, arguments)
    for _ in calls[1:]:
        builder.report.drop("call behind the first of its step (the agent runs one)")
    if calls and isinstance(step.get("observation"), str):
        took = seconds_ns(step.get("env_exec_time"))
        seen = Observation(stdout=clean(step["observation"]).encode(), merged=True, duration_ns=took)
        builder.result(builder.newest_call(), seen)
        if took is not None:
            builder.report.note("tool time: as the environment recorded it (env_exec_time), dispatch included")
