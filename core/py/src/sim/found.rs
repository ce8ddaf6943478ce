//! What came of a cell, as Python reads it.

use curserve_sim::{Histogram, Outcome, Tally};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

pub(super) fn of_outcome<'py>(py: Python<'py>, outcome: &Outcome) -> PyResult<Bound<'py, PyDict>> {
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

pub(super) fn of_replicas<'py>(
    py: Python<'py>,
    outcome: &Outcome,
) -> PyResult<Vec<Bound<'py, PyDict>>> {
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

pub(super) fn of_counted<'py>(py: Python<'py>, tally: &Tally<'_>) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    found.set_item("over", tally.over)?;
    found.set_item("finished", tally.finished)?;
    found.set_item("good", tally.good)?;
    found.set_item("first_ns", tally.first_ns)?;
    found.set_item("kept", tally.kept.clone())?;
    found.set_item("last_ns", tally.last_ns)?;
    Ok(found)
}

pub(super) fn of_histogram<'py>(
    py: Python<'py>,
    histogram: &Histogram,
) -> PyResult<Bound<'py, PyDict>> {
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

pub(super) fn of_turns<'py>(py: Python<'py>, tally: &Tally<'_>) -> PyResult<Bound<'py, PyDict>> {
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

pub(super) fn of_sessions<'py>(py: Python<'py>, tally: &Tally<'_>) -> PyResult<Bound<'py, PyDict>> {
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
