//! The link queue for Python.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::Ordering::Relaxed;

use curserve_link::queue::Queue;
use curserve_link::relay::Relay;
use curserve_link::shape::{Bursts, Distribution};
use curserve_link::wire::{Ring, Tap, Wire};
use curserve_link::Shape;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// What one direction does; nanoseconds, fractions, bits per second, packets.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Direction {
    delay_ns: i64,
    jitter_ns: i64,
    distribution: String,
    loss: f64,
    bursts: Option<(f64, f64, f64, f64)>,
    reorder: f64,
    rate_bps: u64,
    limit: usize,
    seed: u64,
}

impl Direction {
    fn shape(self) -> PyResult<Shape> {
        let distribution = Distribution::from_name(&self.distribution).ok_or_else(|| {
            PyValueError::new_err(format!("unknown distribution {:?}", self.distribution))
        })?;
        Ok(Shape {
            delay_ns: self.delay_ns,
            jitter_ns: self.jitter_ns,
            distribution,
            loss: self.loss,
            bursts: self
                .bursts
                .map(|(to_bad, to_good, loss_in_bad, loss_in_good)| Bursts {
                    to_bad,
                    to_good,
                    loss_in_bad,
                    loss_in_good,
                }),
            reorder: self.reorder,
            rate_bps: self.rate_bps,
            limit: self.limit,
            seed: self.seed,
        })
    }
}

/// A packet queue between two devices; it runs in threads of its own.
#[pyclass]
pub struct LinkQueue(Option<Queue>);

impl LinkQueue {
    fn join(
        py: Python<'_>,
        wires: impl FnOnce() -> io::Result<[Wire; 2]> + Send,
        up: Direction,
        down: Direction,
    ) -> PyResult<Self> {
        let (up, down) = (up.shape()?, down.shape()?);
        let started = py.detach(|| {
            let [client, server] = wires()?;
            Queue::start(client, server, up, down)
        });
        Ok(Self(Some(started.map_err(os_error)?)))
    }
}

fn os_error(cause: io::Error) -> PyErr {
    PyOSError::new_err((cause.raw_os_error(), cause.to_string()))
}

#[pymethods]
impl LinkQueue {
    /// Join two veth devices of the calling thread's network namespace, by AF_PACKET.
    #[staticmethod]
    fn over_packets(
        py: Python<'_>,
        client: &str,
        server: &str,
        mtu: usize,
        up: Direction,
        down: Direction,
    ) -> PyResult<Self> {
        let wires = || {
            Ok([
                Wire::Packet(Ring::open(client, mtu)?),
                Wire::Packet(Ring::open(server, mtu)?),
            ])
        };
        Self::join(py, wires, up, down)
    }

    /// Join two open TAP devices, and own them from here on.
    #[staticmethod]
    fn over_taps(
        py: Python<'_>,
        client: RawFd,
        server: RawFd,
        mtu: usize,
        up: Direction,
        down: Direction,
    ) -> PyResult<Self> {
        // SAFETY: the caller gives both descriptors away.
        let [client, server] = [client, server].map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        let wires = || {
            Ok([
                Wire::Tap(Tap::new(client, mtu)?),
                Wire::Tap(Tap::new(server, mtu)?),
            ])
        };
        Self::join(py, wires, up, down)
    }

    /// Change the delays, in nanoseconds.
    fn set_delays(&self, up_ns: i64, down_ns: i64) {
        if let Some(queue) = &self.0 {
            queue.set_delays(up_ns, down_ns);
        }
    }

    /// What each direction has done: `{"up": {…}, "down": {…}}`.
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let out = PyDict::new(py);
        let Some(queue) = &self.0 else { return Ok(out) };
        for (name, counters) in ["up", "down"].into_iter().zip(queue.counters()) {
            let row = PyDict::new(py);
            row.set_item("packets", counters.packets.load(Relaxed))?;
            row.set_item("bytes", counters.bytes.load(Relaxed))?;
            row.set_item("lost", counters.lost.load(Relaxed))?;
            row.set_item("tail_dropped", counters.tail_dropped.load(Relaxed))?;
            row.set_item("overruns", counters.overruns.load(Relaxed))?;
            row.set_item("refused", counters.refused.load(Relaxed))?;
            row.set_item("held_max", counters.held_max.load(Relaxed))?;
            row.set_item("late_max_ns", counters.late_max_ns.load(Relaxed))?;
            row.set_item("late_sum_ns", counters.late_sum_ns.load(Relaxed))?;
            row.set_item("priority", counters.priority().name())?;
            out.set_item(name, row)?;
        }
        Ok(out)
    }

    /// Stop both threads.
    fn stop(&mut self, py: Python<'_>) {
        let queue = self.0.take();
        py.detach(|| drop(queue));
    }
}

/// A TCP relay that delays bytes; its threads end with the process.
#[pyclass]
pub struct LinkRelay(Relay);

#[pymethods]
impl LinkRelay {
    #[new]
    fn start(mtu: usize, up: Direction, down: Direction) -> PyResult<Self> {
        Ok(Self(Relay::new(up.shape()?, down.shape()?, mtu)))
    }

    /// Change the delays, in nanoseconds.
    fn set_delays(&self, up_ns: i64, down_ns: i64) {
        self.0.set_delays(up_ns, down_ns);
    }

    /// Listen on `address` and relay to `server:port`; returns the port that was given.
    fn listen(&self, address: &str, server: &str, port: u16) -> PyResult<u16> {
        let address = address.parse::<Ipv4Addr>()?;
        let server = SocketAddr::from((server.parse::<Ipv4Addr>()?, port));
        self.0.listen(address, server).map_err(os_error)
    }
}
