//! The simulated cluster for Python: what is said (`Scripts`), what tools take (`Gaps`), who comes when (`Sessions`), and
//! `simulate`, one cell at a time with the GIL released.

use std::sync::Arc;

use curserve_sched::{Config, Segment};
use curserve_sim::{
    simulate_into, Cluster, Failure, Histogram, NextTurn, Objective, Offload, Outcome, Place,
    Policy, Router, ScriptTurn, Scripted, Split, Tally, Way, METRICS,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::sched::StepTime;

/// A text that a session begins with, and its turns: tokens before the reply, of the reply, kind of tools, more time.
type Script = ((u32, u32), Vec<(u32, u32, u32, u64)>);

/// What sessions say.
#[pyclass(frozen, module = "curserve_core.sim")]
pub struct Scripts {
    scripts: Arc<curserve_sim::Scripts>,
    kinds: u32,
}

#[pymethods]
impl Scripts {
    #[new]
    #[pyo3(signature = (scripts, texts=None, *, shared=false))]
    fn new(
        scripts: Vec<Script>,
        texts: Option<Vec<Vec<(u64, u32, u32)>>>,
        shared: bool,
    ) -> PyResult<Self> {
        let mut kinds = 0;
        for (number, (prefix, turns)) in scripts.iter().enumerate() {
            let mut tokens = u64::from(prefix.1);
            for &(new, reply, kind, _) in turns {
                if new == 0 || reply == 0 {
                    return Err(refused(format!(
                        "script {number}: a turn without a prompt, or without a reply"
                    )));
                }
                tokens += u64::from(new) + u64::from(reply);
                kinds = kinds.max(kind + 1);
            }
            if tokens >= 1 << 30 {
                return Err(refused(format!(
                    "script {number}: {tokens} tokens are too many"
                )));
            }
        }
        let turn = |(new, reply, kind, more_ns)| ScriptTurn {
            new,
            reply,
            kind,
            more_ns,
        };
        let scripts = scripts
            .into_iter()
            .map(|(prefix, turns)| (prefix, turns.into_iter().map(turn).collect()));
        let mut all = curserve_sim::Scripts::new(scripts);
        if let Some(texts) = texts {
            let segment = |(stream, offset, tokens)| Segment {
                stream,
                offset,
                tokens,
            };
            let texts: Vec<Vec<Segment>> = texts
                .into_iter()
                .map(|text| text.into_iter().map(segment).collect())
                .collect();
            let odd = |text: &Vec<Segment>| {
                let tokens = text.iter().map(|part| u64::from(part.tokens)).sum::<u64>();
                tokens == 0 || tokens >= 1 << 30 || text.iter().any(|part| part.stream >= 1 << 31)
            };
            if texts.len() != all.turns() || texts.iter().any(odd) {
                return Err(refused(
                    "a text for each turn, of 1 to 2**30 tokens".to_owned(),
                ));
            }
            all = all.with_texts(texts, shared);
        }
        let scripts = Arc::new(all);
        Ok(Self { scripts, kinds })
    }
}

/// Share of the users, half their round trip, and for each kind of tool (whole time, that of a server's processor).
type Tier = (f64, u64, Vec<Vec<(u64, u64)>>);

/// What tools take.
#[pyclass(frozen, module = "curserve_core.sim")]
pub struct Gaps(Arc<curserve_sim::Gaps>);

#[pymethods]
impl Gaps {
    #[new]
    fn new(at_user: bool, tiers: Vec<Tier>) -> PyResult<Self> {
        if tiers.is_empty() {
            return Err(refused("no tier".to_owned()));
        }
        let places = tiers.into_iter().map(|(share, half_ns, mut gaps)| {
            for kind in &mut gaps {
                if let Some((whole, work)) = kind.iter().find(|(whole, work)| work > whole) {
                    return Err(refused(format!("{work} ns of work in a gap of {whole}")));
                }
                kind.sort_unstable();
            }
            Ok(Place {
                share,
                half_ns,
                gaps,
            })
        });
        let places = places.collect::<PyResult<_>>()?;
        Ok(Self(Arc::new(curserve_sim::Gaps { at_user, places })))
    }
}

/// Who comes when.
#[pyclass(frozen, module = "curserve_core.sim")]
pub struct Sessions {
    scripts: Arc<curserve_sim::Scripts>,
    kinds: u32,
    script: Arc<Vec<u32>>,
    start_ns: Arc<Vec<u64>>,
    users: u32,
    think_ns: u64,
    seed: u64,
}

#[pymethods]
impl Sessions {
    #[new]
    #[pyo3(signature = (scripts, script, start_ns, seed, *, users=0, think_ns=0))]
    fn new(
        scripts: &Scripts,
        script: Vec<u32>,
        start_ns: Vec<u64>,
        seed: u64,
        users: u32,
        think_ns: u64,
    ) -> PyResult<Self> {
        let by_themselves = match users {
            0 => script.len(),
            users => script.len().min(users as usize),
        };
        if script.is_empty() || start_ns.len() < by_themselves {
            return Err(refused(format!(
                "{} sessions and {} starts",
                script.len(),
                start_ns.len()
            )));
        }
        if script
            .iter()
            .any(|&script| script as usize >= scripts.scripts.len())
        {
            return Err(refused("a session names no script".to_owned()));
        }
        Ok(Self {
            scripts: scripts.scripts.clone(),
            kinds: scripts.kinds,
            script: Arc::new(script),
            start_ns: Arc::new(start_ns),
            users,
            think_ns,
            seed,
        })
    }
}

/// A cluster as Python says it; times in nanoseconds or picoseconds a token.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Servers {
    blocks: u32,
    block_size: u32,
    max_num_scheduled_tokens: u32,
    max_num_seqs: u32,
    max_model_len: u32,
    enable_prefix_caching: bool,
    async_scheduling: bool,
    replicas: u32,
    policy: (String, u64),
    router: String,
    offload: Option<(u64, u64, u64)>,
    split: Option<(u32, u64, u64, String)>,
    tool_workers: Option<u32>,
    failures: Vec<(u32, u64, u64)>,
    most_sessions: u32,
    step_by_step: bool,
}

impl Servers {
    fn cluster(self, step_time: &StepTime) -> PyResult<Cluster> {
        let counts = [
            ("blocks", self.blocks),
            ("block_size", self.block_size),
            ("max_num_scheduled_tokens", self.max_num_scheduled_tokens),
            ("max_num_seqs", self.max_num_seqs),
            ("max_model_len", self.max_model_len),
            ("replicas", self.replicas),
        ];
        for (name, value) in counts {
            if value == 0 || value > 1 << 30 {
                return Err(refused(format!(
                    "{name} is {value}: 1 to 2**30 is possible"
                )));
            }
        }
        let policy = match self.policy {
            (name, _) if name == "request" => Policy::Request,
            (name, idle_ns) if name == "session" => Policy::Session { idle_ns },
            (name, keep_ns) if name == "ttl" => Policy::TimeToLive { keep_ns },
            (name, _) => return Err(refused(format!("policy {name}: request, session or ttl"))),
        };
        let router = match self.router.as_str() {
            "dealt" => Router::Dealt,
            "round-robin" => Router::RoundRobin,
            "least-loaded" => Router::LeastLoaded,
            "affinity" => Router::Affinity,
            "prefix" => Router::PrefixAware,
            other => return Err(refused(format!("router {other} is unknown"))),
        };
        let split = match self.split {
            None => None,
            Some((prefill, token_ps, latency_ns, next)) => {
                if prefill == 0 || prefill >= self.replicas || policy != Policy::Request {
                    return Err(refused(
                        "disaggregation: at least one replica of either kind, and policy request"
                            .to_owned(),
                    ));
                }
                let next = match next.as_str() {
                    "recompute" => NextTurn::Recompute,
                    "transfer" => NextTurn::TransferBack,
                    "append" => NextTurn::Append,
                    other => return Err(refused(format!("next turn {other} is unknown"))),
                };
                let way = way(token_ps, latency_ns);
                Some(Split { prefill, way, next })
            }
        };
        let failures = self.failures.iter().map(|&(replica, at_ns, down_ns)| {
            if replica < self.replicas {
                Ok(Failure {
                    replica,
                    at_ns,
                    down_ns,
                })
            } else {
                Err(refused(format!(
                    "a failure of replica {replica} of {}",
                    self.replicas
                )))
            }
        });
        let failures = failures.collect::<PyResult<_>>()?;
        let config = Config {
            block_size: self.block_size,
            enable_prefix_caching: self.enable_prefix_caching,
            max_num_scheduled_tokens: self.max_num_scheduled_tokens,
            max_num_seqs: self.max_num_seqs,
            max_model_len: self.max_model_len,
            async_scheduling: self.async_scheduling,
            ..Config::new(self.blocks)
        };
        Ok(Cluster {
            replicas: self.replicas,
            policy,
            router,
            offload: self.offload.map(|(blocks, token_ps, latency_ns)| Offload {
                blocks,
                way: way(token_ps, latency_ns),
            }),
            split,
            tool_workers: self.tool_workers,
            failures,
            most_sessions: self.most_sessions,
            step_by_step: self.step_by_step,
            ..Cluster::new(config, step_time.0)
        })
    }
}

fn way(token_ps: u64, latency_ns: u64) -> Way {
    Way {
        token_ps,
        latency_ns,
    }
}

/// Simulate one cell: what came of it by name, counts, histograms, and the sessions that were kept whole.
#[pyfunction]
#[pyo3(signature = (sessions, gaps, servers, step_time, *, counted, probes, slo, every))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
pub fn simulate<'py>(
    py: Python<'py>,
    sessions: &Sessions,
    gaps: &Gaps,
    servers: Servers,
    step_time: &StepTime,
    counted: (u32, u32),
    probes: Vec<u64>,
    slo: Vec<(String, f64, u64)>,
    every: u32,
) -> PyResult<Bound<'py, PyDict>> {
    let cluster = servers.cluster(step_time)?;
    if gaps
        .0
        .places
        .iter()
        .any(|place| place.gaps.len() < sessions.kinds as usize)
    {
        return Err(refused("a kind of tool without times".to_owned()));
    }
    let slo = slo.into_iter().map(|(name, share, bound_ns)| {
        let metric = METRICS.iter().find(|(_, known)| *known == name);
        let &(metric, _) = metric.ok_or_else(|| refused(format!("objective {name} is unknown")))?;
        Ok(Objective {
            metric,
            share,
            bound_ns,
        })
    });
    let slo = slo.collect::<PyResult<Vec<_>>>()?;
    let workload = Scripted {
        scripts: sessions.scripts.clone(),
        gaps: gaps.0.clone(),
        script: sessions.script.clone(),
        start_ns: sessions.start_ns.clone(),
        users: sessions.users,
        think_ns: sessions.think_ns,
        seed: sessions.seed,
    };
    let (outcome, tally) = py.detach(|| {
        let mut tally = Tally::new(&workload, counted.0..counted.1, slo, every);
        tally.probes = probes.into_iter().map(|at| (at, 0)).collect();
        let outcome = simulate_into(&workload, &cluster, &mut tally);
        (outcome, tally)
    });
    let found = PyDict::new(py);
    found.set_item("outcome", of_outcome(py, &outcome)?)?;
    found.set_item("replicas", of_replicas(py, &outcome)?)?;
    found.set_item("counted", of_counted(py, &tally)?)?;
    let metrics = PyDict::new(py);
    for (metric, name) in METRICS {
        metrics.set_item(name, of_histogram(py, &tally.histograms[metric as usize])?)?;
    }
    found.set_item("metrics", metrics)?;
    let present: Vec<u32> = tally.probes.iter().map(|probe| probe.1).collect();
    found.set_item("present", present)?;
    found.set_item("turns", of_turns(py, &tally)?)?;
    found.set_item("sessions", of_sessions(py, &tally)?)?;
    Ok(found)
}

fn of_outcome<'py>(py: Python<'py>, outcome: &Outcome) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    found.set_item("finished", outcome.finished)?;
    found.set_item("too_long", outcome.too_long)?;
    found.set_item("stuck", outcome.stuck)?;
    found.set_item("released", outcome.released)?;
    found.set_item("retried", outcome.retried)?;
    found.set_item("kept_block_ns", outcome.kept_block_ns)?;
    found.set_item("tool_work_ns", outcome.tool_work_ns)?;
    found.set_item("new_tokens", outcome.new_tokens)?;
    found.set_item("reply_tokens", outcome.reply_tokens)?;
    found.set_item("turns", outcome.turns)?;
    found.set_item("end_ns", outcome.end_ns)?;
    found.set_item("most_present", outcome.most_present)?;
    found.set_item("overrun", outcome.overrun)?;
    Ok(found)
}

fn of_replicas<'py>(py: Python<'py>, outcome: &Outcome) -> PyResult<Vec<Bound<'py, PyDict>>> {
    let of = |work: &curserve_sim::Work| {
        let found = PyDict::new(py);
        found.set_item("steps", work.steps)?;
        found.set_item("busy_ns", work.busy_ns)?;
        found.set_item("prefill_tokens", work.prefill_tokens)?;
        found.set_item("hit_tokens", work.hit_tokens)?;
        found.set_item("loaded_tokens", work.loaded_tokens)?;
        found.set_item("preemptions", work.preemptions)?;
        found.set_item("evictions", work.evictions)?;
        found.set_item("held_block_ns", work.held_block_ns)?;
        found.set_item("idle_block_ns", work.idle_block_ns)?;
        Ok(found)
    };
    outcome.work.iter().map(of).collect()
}

fn of_counted<'py>(py: Python<'py>, tally: &Tally<'_>) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    found.set_item("over", tally.over)?;
    found.set_item("finished", tally.finished)?;
    found.set_item("good", tally.good)?;
    found.set_item("first_ns", tally.first_ns)?;
    found.set_item("kept", tally.kept.clone())?;
    found.set_item("last_ns", tally.last_ns)?;
    Ok(found)
}

fn of_histogram<'py>(py: Python<'py>, histogram: &Histogram) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    found.set_item("count", histogram.count())?;
    found.set_item("mean", histogram.mean())?;
    for (name, share) in [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)] {
        found.set_item(name, histogram.quantile(share))?;
    }
    found.set_item("buckets", histogram.buckets())?;
    Ok(found)
}

/// Columns of whole numbers, as bytes of 64 bits each, the lowest first.
fn column<'py, T>(py: Python<'py>, rows: &[T], of: impl Fn(&T) -> u64) -> Bound<'py, PyBytes> {
    let bytes: Vec<u8> = rows.iter().flat_map(|row| of(row).to_le_bytes()).collect();
    PyBytes::new(py, &bytes)
}

fn of_turns<'py>(py: Python<'py>, tally: &Tally<'_>) -> PyResult<Bound<'py, PyDict>> {
    let (rows, found) = (&tally.turns, PyDict::new(py));
    found.set_item("session", column(py, rows, |row| row.session.into()))?;
    found.set_item("turn", column(py, rows, |row| row.turn.into()))?;
    found.set_item("arrived_ns", column(py, rows, |row| row.arrived_ns))?;
    found.set_item("begun_ns", column(py, rows, |row| row.begun_ns))?;
    found.set_item("admitted_ns", column(py, rows, |row| row.admitted_ns))?;
    found.set_item("first_ns", column(py, rows, |row| row.first_ns))?;
    found.set_item("last_ns", column(py, rows, |row| row.last_ns))?;
    found.set_item("tool_ns", column(py, rows, |row| row.tool_ns))?;
    found.set_item("tool_wait_ns", column(py, rows, |row| row.tool_wait_ns))?;
    found.set_item("prompt", column(py, rows, |row| row.prompt.into()))?;
    found.set_item("cached", column(py, rows, |row| row.cached.into()))?;
    found.set_item(
        "preemptions",
        column(py, rows, |row| row.preemptions.into()),
    )?;
    found.set_item("reply", column(py, rows, |row| row.reply.into()))?;
    Ok(found)
}

fn of_sessions<'py>(py: Python<'py>, tally: &Tally<'_>) -> PyResult<Bound<'py, PyDict>> {
    let (rows, found) = (&tally.sessions, PyDict::new(py));
    found.set_item("session", column(py, rows, |row| row.session.into()))?;
    found.set_item("started_ns", column(py, rows, |row| row.started_ns))?;
    found.set_item("ended_ns", column(py, rows, |row| row.ended_ns))?;
    found.set_item("turns", column(py, rows, |row| row.turns.into()))?;
    found.set_item("finished", column(py, rows, |row| row.finished.into()))?;
    found.set_item(
        "half_ns",
        column(py, rows, |row| tally.half_ns(row.session)),
    )?;
    Ok(found)
}

fn refused(what: String) -> PyErr {
    PyValueError::new_err(format!("simulation: {what}"))
}
