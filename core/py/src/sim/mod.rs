//! The simulated cluster for Python: what is said (`Scripts`), what tools take (`Gaps`), who comes when (`Sessions`), and
//! `simulate`, one cell at a time with the GIL released.

mod found;
mod refused;
mod servers;
mod workload;

use curserve_sim::{simulate_into, Objective, Scripted, Tally, METRICS};
use pyo3::prelude::*;
use pyo3::types::PyDict;

pub use self::servers::Servers;
pub use self::workload::{Gaps, Scripts, Sessions};

use self::found::{of_counted, of_histogram, of_outcome, of_replicas, of_sessions, of_turns};
use self::refused::refused;
use crate::sched::StepTime;

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
