"""From options to a plan: what the user asked for, checked and completed before anything runs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from curserve_engines import registry
from curserve_harness.console.exits import BadInput
from curserve_harness.console.progress import say
from curserve_harness.plan import links as declared
from curserve_harness.plan import profiles
from curserve_harness.plan.plan import Api, Backend, Execute, Llm, Pace, Plan, TraceRef, with_blocks
from curserve_traces import codec, suites
from curserve_traces.grants import Grants
from curserve_traces.model import Trace, digest

BUNDLED = "bundled:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """The options of `replay`, as given."""

    suite: str = "quick"
    traces: tuple[Path, ...] = ()
    workspace: Path | None = None
    rtts: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    last_mile: str | None = None
    backend: Backend = "auto"
    engines: tuple[str, ...] = ()
    models: tuple[str, ...] = ("swe-grep",)
    repetitions: int = 3
    seed: int = 1
    execute: Execute = "reads-and-edits"
    pace: Pace = "real"
    api: Api = "chat"
    stream: bool = True
    llm: Llm = "paced"
    vllm_args: str = ""
    links_at_once: int = 1
    sandbox: str = "auto"
    offline: bool = False
    allow_source: tuple[str, ...] = ()

    def grants(self) -> Grants:
        """Return what the person grants the traces; never taken from a plan, always from the command line."""
        return Grants(self.workspace, self.allow_source, self.offline, say)


def resolve(options: ReplayOptions) -> tuple[Plan, dict[str, Trace]]:
    """Return the plan and its traces by id; raises BadInput, TraceError, LinkError or EngineError."""
    if options.workspace and not options.workspace.is_dir():
        raise BadInput(f"--workspace {options.workspace}: not a folder; give the one the traces were recorded in")
    refs, traces = _load(_files(options.traces) or suites.files(options.suite))
    links = declared.declare(options.rtts, options.tiers, options.last_mile)
    plan = Plan(
        seed=options.seed,
        suite=options.suite if not options.traces else "own traces",
        traces=tuple(refs),
        links={name: link.to_json() for name, link in links.items()},
        models=tuple(_models(options.models)),
        engines=tuple(_engines(options.engines, options.llm)),
        repetitions=options.repetitions,
        blocks=(),
        execute=options.execute,
        pace=options.pace,
        api=options.api,
        stream=options.stream,
        backend=options.backend,
        workspace=place_of(options.workspace),
        llm=options.llm,
        vllm_args=tuple(vllm_arguments(options)),
        links_at_once=options.links_at_once,
        sandbox=options.sandbox,
    )
    return with_blocks(plan), traces


def reload(plan: Plan, options: ReplayOptions) -> dict[str, Trace]:
    """Load the traces of a plan again: bundled ones by name, others from the files that the options name.

    A run folder may come from anywhere, so it opens no file of this machine. Raises BadInput where one is not
    named, or is not what it was.
    """
    bundled = {_label(file): file for name in suites.names() for file in suites.files(name)}
    wanted = dict.fromkeys(ref.path for ref in plan.traces)
    given = {_label(file): file for file in _files(options.traces)} if wanted.keys() - bundled.keys() else {}
    for path in wanted:
        if path not in bundled and path not in given:
            raise BadInput(f"--resume: the run replays {path}; name it again: --trace {shlex.quote(path)}")
    refs, traces = _load([bundled[path] if path in bundled else given[path] for path in wanted])
    if [(ref.id, ref.digest) for ref in refs] != [(ref.id, ref.digest) for ref in plan.traces]:
        raise BadInput("--resume: its traces have changed since the run began; start a new run")
    return traces


def load_traces(paths: Sequence[Path], suite: str) -> list[Trace]:
    """Return the traces of the files that were named, else those of a suite; raises BadInput or TraceError."""
    return list(_load(_files(paths) or suites.files(suite))[1].values())


def _files(paths: Sequence[Path]) -> list[Path]:
    """Return the trace files that were named; of a folder, those with calls (`trace import` writes others too)."""
    found = []
    for path in paths:
        inside = sorted(p for p in path.iterdir() if p.name.endswith(codec.SUFFIXES)) if path.is_dir() else []
        kept = [file for file in inside if _with_calls(file)] if path.is_dir() else [path]
        if not kept:
            raise BadInput(
                f"--trace {path}: no trace with a tool call in it ({', '.join(codec.SUFFIXES)}); give another"
            )
        found += kept
    return found


def _with_calls(file: Path) -> list[Trace]:
    """Return the traces of a file that have calls to replay."""
    return [trace for trace in codec.load_all(file) if any(turn.calls for turn in trace.turns)]


def _load(files: Sequence[Path]) -> tuple[list[TraceRef], dict[str, Trace]]:
    """Load every trace of every file that has calls to replay; a file may hold several."""
    refs: list[TraceRef] = []
    traces: dict[str, Trace] = {}
    for file in files:
        found = _with_calls(file)
        if not found:
            raise BadInput(f"--trace {file}: it has no tool call to replay; leave it out, or give another")
        content = digest(file.read_bytes())
        for trace in found:
            if trace.id in traces:
                raise BadInput(f"--trace {file}: a trace called {trace.id!r} was given already; give each once")
            traces[trace.id] = trace
            refs.append(TraceRef(trace.id, content, _label(file)))
    return refs, traces


def _label(file: Path) -> str:
    """Return how the plan names a trace file: a bundled one alike on every machine."""
    if file.is_relative_to(suites.FOLDER):
        return BUNDLED + str(file.relative_to(suites.FOLDER))
    return str(file)


def place_of(path: Path | None) -> str | None:
    """Return how the plan names a path that was given."""
    return str(path.resolve()) if path is not None else None


def _models(names: Sequence[str]) -> list[str]:
    known = profiles.load()
    if "all" in names:
        return list(known)
    return list(dict.fromkeys(profiles.find(name, known).key for name in names))


def vllm_arguments(options: ReplayOptions) -> list[str]:
    """Return what goes to vLLM's command line; raises BadInput where the options do not fit the real server."""
    if options.llm == "paced":
        if options.vllm_args:
            raise BadInput("--vllm-args: they are vLLM's; add --llm vllm")
        return []
    if options.pace == "virtual":
        raise BadInput("--pace virtual: the real server's time cannot be left out; drop it, or drop --llm vllm")
    if options.api == "responses":
        raise BadInput("--api responses: with --llm vllm client-placed turns are chat completions; drop it")
    if options.links_at_once > 1:
        raise BadInput("--links-at-once: one machine serves one vLLM at a time; drop it with --llm vllm")
    if len(_models(options.models)) > 1:
        raise BadInput("--model: one vLLM server has one pace; give one model with --llm vllm")
    try:
        arguments = shlex.split(options.vllm_args)
    except ValueError as error:
        raise BadInput(f"--vllm-args {options.vllm_args!r}: {error}; quote it as a shell would") from None
    for option, model in pairwise(arguments):
        if (
            option == "--model"
            and model.startswith(("/", "./", "../"))
            and not Path(model, "config.json").is_file()
        ):
            raise BadInput(
                f"--vllm-args: no model in {model} (no config.json); drop --model for a tiny random one"
            )
    return arguments


def _engines(names: Sequence[str], llm: Llm) -> list[str]:
    """Return the engines to run: those asked for, or all that work here."""
    known = registry.names()
    names = [_declared(name, known) if name.endswith(".toml") else name for name in names]
    titles = [registry.title(name) for name in dict.fromkeys(names) if name.endswith(".toml")]
    if len(set(titles)) < len(titles):
        raise BadInput(f"--engine: two files declare {max(titles, key=titles.count)}; rename one")
    for name in names:
        if name not in known and not name.endswith(".toml"):
            raise BadInput(f"--engine {name}: unknown; one of {', '.join(known)} (see `curserve-bench engines`)")
    for name in names:
        if llm == "vllm" and is_on_both_hosts(name):
            raise BadInput(
                f"--engine {name}: stands on both hosts, beside the paced model server only; drop --llm vllm"
            )
    if "vllm" in names and llm != "vllm":
        raise BadInput("--engine vllm: it runs in the vLLM server; add --llm vllm")
    if names:
        return list(dict.fromkeys(names))
    return [name for name in known if _works(name, llm)]


def _declared(name: str, known: Sequence[str]) -> str:
    """Return the whole path of an `engine.toml` that can be used here."""
    engine = registry.load(name)
    if engine.name in known:
        raise BadInput(f"--engine {name}: declares {engine.name}, which is an engine of ours; choose another name")
    missing = engine.info().missing
    if missing is not None:
        raise BadInput(f"--engine {name}: {missing}")
    return str(Path(name).resolve())


def is_on_both_hosts(name: str) -> bool:
    """Return whether an engine has a half beside the model and one beside the workspace."""
    return registry.load(name).placement == "both"


def one_host_only(names: Sequence[str], verb: str) -> None:
    """Raise BadInput where an engine stands on both hosts, and `verb` knows one."""
    for name in names:
        if is_on_both_hosts(name):
            raise BadInput(
                f"{verb}: --engine {name} stands on both hosts; measure it with `curserve-bench replay`"
            )


def _works(name: str, llm: Llm) -> bool:
    """Whether an engine runs unasked; one on both hosts, which fills a copy first, is asked for by name."""
    if is_on_both_hosts(name):
        return False
    return (name != "vllm" or llm == "vllm") and registry.load(name).info().missing is None
