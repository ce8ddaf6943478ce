//! A model server's batch, for the server of a load: `BatchServer`, and `Served`, what became of a turn.

use std::os::fd::{AsRawFd, RawFd};

use curserve_batch::Asked;
use curserve_sched::{Config, StepTime};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::descriptor::duplicate;

/// What became of a turn; times are CLOCK_MONOTONIC nanoseconds, `None` where no token was written.
#[pyclass(frozen, module = "curserve_core.batch")]
pub struct Served(curserve_batch::Served);

#[pymethods]
impl Served {
    /// When the write of the first token began.
    #[getter]
    fn first_ns(&self) -> Option<u64> {
        self.0.starts.first().copied()
    }

    /// When the write of the last token that was written began.
    #[getter]
    fn last_ns(&self) -> Option<u64> {
        self.0.starts.last().copied()
    }

    /// When the last write had returned.
    #[getter]
    fn done_ns(&self) -> Option<u64> {
        self.0.starts.last().map(|_| self.0.done_ns)
    }

    /// When the first token was due, and the last.
    #[getter]
    fn due_ns(&self) -> (u64, u64) {
        (self.0.first_due_ns, self.0.last_due_ns)
    }

    /// From when it was asked for to the first step that computes a part of it.
    #[getter]
    fn queued_ns(&self) -> u64 {
        self.0.queued_ns
    }

    /// Tokens of the prompt that were there already.
    #[getter]
    fn cached_tokens(&self) -> u64 {
        self.0.cached_tokens
    }

    /// Tokens of the prompt that were computed, after a preemption again.
    #[getter]
    fn computed_tokens(&self) -> u64 {
        self.0.computed_tokens
    }

    /// How often it lost its blocks.
    #[getter]
    fn preemptions(&self) -> u32 {
        self.0.preemptions
    }

    /// Bytes that the kernel took, the lead included.
    #[getter]
    fn bytes(&self) -> usize {
        self.0.bytes
    }

    /// How many tokens were written.
    #[getter]
    fn tokens(&self) -> usize {
        self.0.starts.len()
    }

    /// Why not all was written, or `None`.
    #[getter]
    fn error(&self) -> Option<String> {
        self.0.error.as_ref().map(ToString::to_string)
    }
}

/// A batch that runs on a thread of its own.
#[pyclass(frozen, module = "curserve_core.batch")]
pub struct BatchServer(curserve_batch::Server);

#[pymethods]
impl BatchServer {
    /// `step_ps`: the five terms of a step's duration, in picoseconds.
    #[new]
    #[pyo3(signature = (blocks, step_ps, *, block_size=16, max_num_seqs=1024, max_num_batched_tokens=8192, max_model_len=131_072, prefix_caching=true, async_scheduling=true))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    fn new(
        blocks: u32,
        step_ps: [u64; 5],
        block_size: u32,
        max_num_seqs: u32,
        max_num_batched_tokens: u32,
        max_model_len: u32,
        prefix_caching: bool,
        async_scheduling: bool,
    ) -> PyResult<Self> {
        let limits = [
            blocks,
            block_size,
            max_num_seqs,
            max_num_batched_tokens,
            max_model_len,
        ];
        if limits.contains(&0)
            || step_ps[0] == 0
            || step_ps.iter().any(|&term| term > 10_u64.pow(13))
        {
            return Err(PyValueError::new_err(
                "batch: limits are above 0, a step's base too, and no term is over 10 s",
            ));
        }
        let config = Config {
            block_size,
            max_num_seqs,
            max_num_scheduled_tokens: max_num_batched_tokens,
            max_model_len,
            enable_prefix_caching: prefix_caching,
            async_scheduling,
            ..Config::new(blocks)
        };
        let [base_ps, prefill_ps, decode_ps, kv_ps, pair_ps] = step_ps;
        let step = StepTime {
            base_ps,
            prefill_ps,
            decode_ps,
            kv_ps,
            pair_ps,
        };
        Ok(Self(curserve_batch::Server::new(config, step)?))
    }

    /// The descriptor that is readable when `take` has something.
    fn fileno(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Ask for a turn; return the number under which `take` will report it.
    #[pyo3(signature = (fd, data, cuts, stream, prompt_tokens, tokens, lead=None, session=false))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments in Python")]
    fn submit(
        &self,
        fd: RawFd,
        data: &[u8],
        cuts: Vec<usize>,
        stream: u64,
        prompt_tokens: u32,
        tokens: u32,
        lead: Option<&[u8]>,
        session: bool,
    ) -> PyResult<u64> {
        let asked = asked(fd, data, cuts, stream, prompt_tokens, tokens, lead, session)?;
        Ok(self.0.submit(asked)?)
    }

    /// Ask for a turn, and wait for its end with the GIL released.
    #[pyo3(signature = (fd, data, cuts, stream, prompt_tokens, tokens, lead=None, session=false))]
    #[expect(
        clippy::too_many_arguments,
        reason = "keyword arguments in Python, the same as of submit"
    )]
    fn write(
        &self,
        py: Python<'_>,
        fd: RawFd,
        data: &[u8],
        cuts: Vec<usize>,
        stream: u64,
        prompt_tokens: u32,
        tokens: u32,
        lead: Option<&[u8]>,
        session: bool,
    ) -> PyResult<Served> {
        let asked = asked(fd, data, cuts, stream, prompt_tokens, tokens, lead, session)?;
        Ok(Served(py.detach(|| self.0.write(asked))?))
    }

    /// End a conversation: a session lets go of its blocks.
    fn forget(&self, stream: u64) {
        self.0.forget(stream);
    }

    /// Return `(number, Served)` of the turns that ended since the last call.
    fn take(&self) -> Vec<(u64, Served)> {
        self.0
            .take()
            .into_iter()
            .map(|(number, served)| (number, Served(served)))
            .collect()
    }

    /// Return what it did in each step since the last call, as columns by name.
    fn ticks(&self) -> Vec<(&'static str, Vec<u64>)> {
        let ticks = self.0.ticks();
        let column = |of: fn(&curserve_batch::Tick) -> u64| ticks.iter().map(of).collect();
        vec![
            ("begin_ns", column(|tick| tick.begin_ns)),
            ("step_ns", column(|tick| tick.step_ns)),
            ("running", column(|tick| tick.running.into())),
            ("waiting", column(|tick| tick.waiting.into())),
            ("paused", column(|tick| tick.paused.into())),
            ("prefill_tokens", column(|tick| tick.prefill_tokens)),
            ("decodes", column(|tick| tick.decodes)),
            ("kv_tokens", column(|tick| tick.kv_tokens)),
            ("held_blocks", column(|tick| tick.held_blocks.into())),
            ("paused_blocks", column(|tick| tick.paused_blocks.into())),
            ("idle_blocks", column(|tick| tick.idle_blocks.into())),
            ("evicted", column(|tick| tick.evicted)),
            ("preempted", column(|tick| tick.preempted.into())),
            ("hit_tokens", column(|tick| tick.hit_tokens)),
        ]
    }

    /// End every turn soon, with an error, and take none any longer.
    fn stop(&self) {
        self.0.stop();
    }
}

/// A turn on a duplicate of `fd`, so that the caller may close its own at any time.
#[expect(clippy::too_many_arguments, reason = "as submit has them")]
fn asked(
    fd: RawFd,
    data: &[u8],
    cuts: Vec<usize>,
    stream: u64,
    prompt_tokens: u32,
    tokens: u32,
    lead: Option<&[u8]>,
    session: bool,
) -> PyResult<Asked> {
    let fd = duplicate(fd, "batch")?;
    Ok(Asked {
        fd,
        lead: lead.unwrap_or_default().to_vec(),
        data: data.to_vec(),
        cuts,
        tokens,
        prompt_tokens,
        stream,
        session,
    })
}
