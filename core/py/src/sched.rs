//! One replica's scheduler, for a server that paces itself: `Scheduler`, `Step`, and `StepTime`, how long one lasts.

use std::collections::VecDeque;

use curserve_sched::{Config, End, Load, Policy, RequestId, RunCache, Segment, Turn};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

/// The five terms of a step's duration, in picoseconds.
#[pyclass(frozen, module = "curserve_core.sched")]
pub struct StepTime(pub(crate) curserve_sched::StepTime);

/// The most that each term may be, so that no sum passes 64 bits: ten seconds, a second a token twice, a millisecond,
/// ten microseconds.
const MOST_PS: [u64; 5] = [
    10_000_000_000_000,
    1_000_000_000_000,
    1_000_000_000_000,
    1_000_000_000,
    10_000_000,
];

#[pymethods]
impl StepTime {
    #[new]
    fn new(
        base_ps: u64,
        prefill_ps: u64,
        decode_ps: u64,
        kv_ps: u64,
        pair_ps: u64,
    ) -> PyResult<Self> {
        let terms = [base_ps, prefill_ps, decode_ps, kv_ps, pair_ps];
        if base_ps == 0 || terms.iter().zip(MOST_PS).any(|(&term, most)| term > most) {
            return Err(PyValueError::new_err(format!(
                "step time {terms:?} ps: expected a base above 0, and at most {MOST_PS:?}"
            )));
        }
        Ok(Self(curserve_sched::StepTime {
            base_ps,
            prefill_ps,
            decode_ps,
            kv_ps,
            pair_ps,
        }))
    }

    /// The duration of a step in nanoseconds.
    #[pyo3(signature = (*, prefill_tokens=0, decodes=0, kv_tokens=0, pairs=0))]
    fn ns(&self, prefill_tokens: u64, decodes: u64, kv_tokens: u64, pairs: u64) -> u64 {
        self.0.ns(&Load {
            prefill_tokens,
            decodes,
            kv_tokens,
            pairs,
        })
    }
}

/// A step that was planned.
#[pyclass(frozen, module = "curserve_core.sched")]
pub struct Step {
    step: curserve_sched::Step,
    load: Load,
}

#[pymethods]
impl Step {
    /// (request, tokens computed before, tokens computed now, whether a token is sampled)
    #[getter]
    fn batch(&self) -> Vec<(u64, u32, u32, bool)> {
        let part = |part: &curserve_sched::Scheduled| {
            (
                part.request.to_bits(),
                part.computed,
                part.tokens,
                part.samples,
            )
        };
        self.step.batch.iter().map(part).collect()
    }

    /// Requests that this step began with.
    #[getter]
    fn admitted(&self) -> Vec<u64> {
        let old = self.step.batch.len() - self.step.admitted;
        let new = self.step.batch[old..].iter();
        new.map(|part| part.request.to_bits()).collect()
    }

    /// Requests that lost their blocks.
    #[getter]
    fn preempted(&self) -> Vec<u64> {
        self.step.preempted.iter().map(|id| id.to_bits()).collect()
    }

    /// Tokens that admitted requests found in the cache.
    #[getter]
    fn hit_tokens(&self) -> u64 {
        self.step.hit_tokens
    }

    /// Hashed blocks that were given to somebody else.
    #[getter]
    fn evicted_blocks(&self) -> u64 {
        self.step.evicted
    }

    #[getter]
    fn prefill_tokens(&self) -> u64 {
        self.load.prefill_tokens
    }

    #[getter]
    fn decodes(&self) -> u64 {
        self.load.decodes
    }

    #[getter]
    fn kv_tokens(&self) -> u64 {
        self.load.kv_tokens
    }

    #[getter]
    fn pairs(&self) -> u64 {
        self.load.pairs
    }

    /// How long it lasts, in nanoseconds.
    fn ns(&self, step_time: &StepTime) -> u64 {
        step_time.0.ns(&self.load)
    }
}

/// A replica's requests and their KV blocks.
#[pyclass(module = "curserve_core.sched")]
pub struct Scheduler {
    inner: curserve_sched::Scheduler<RunCache>,
    config: Config,
    flying: VecDeque<curserve_sched::Step>,
}

type Segments = Vec<(u64, u32, u32)>;

#[pymethods]
impl Scheduler {
    #[new]
    #[pyo3(signature = (
        blocks, *, block_size=16, enable_prefix_caching=true, max_num_scheduled_tokens=8192, max_num_seqs=1024,
        max_model_len=131_072, enable_chunked_prefill=true, scheduler_reserve_full_isl=true, watermark_blocks=0,
        long_prefill_token_threshold=0, priority=false, async_scheduling=true,
    ))]
    #[expect(
        clippy::too_many_arguments,
        clippy::fn_params_excessive_bools,
        reason = "keyword arguments in Python, named as vLLM's options"
    )]
    fn new(
        blocks: u32,
        block_size: u32,
        enable_prefix_caching: bool,
        max_num_scheduled_tokens: u32,
        max_num_seqs: u32,
        max_model_len: u32,
        enable_chunked_prefill: bool,
        scheduler_reserve_full_isl: bool,
        watermark_blocks: u32,
        long_prefill_token_threshold: u32,
        priority: bool,
        async_scheduling: bool,
    ) -> PyResult<Self> {
        let counts = [
            ("blocks", blocks),
            ("block_size", block_size),
            ("max_num_scheduled_tokens", max_num_scheduled_tokens),
            ("max_num_seqs", max_num_seqs),
            ("max_model_len", max_model_len),
        ];
        for (name, value) in counts {
            if value == 0 || value > 1 << 30 {
                return Err(refused(format!(
                    "{name} is {value}: 1 to 2**30 is possible"
                )));
            }
        }
        if !enable_chunked_prefill && max_num_scheduled_tokens < max_model_len {
            return Err(refused(format!(
                "max_num_scheduled_tokens {max_num_scheduled_tokens} is below max_model_len {max_model_len}: \
                 without chunks a long prompt would never fit into a step"
            )));
        }
        let policy = if priority {
            Policy::Priority
        } else {
            Policy::Fcfs
        };
        let config = Config {
            blocks,
            block_size,
            enable_prefix_caching,
            max_num_scheduled_tokens,
            max_num_seqs,
            max_model_len,
            enable_chunked_prefill,
            scheduler_reserve_full_isl,
            watermark_blocks,
            long_prefill_token_threshold,
            fair_share_of: 0,
            policy,
            async_scheduling,
        };
        Ok(Self {
            inner: curserve_sched::Scheduler::new(config.clone()),
            config,
            flying: VecDeque::new(),
        })
    }

    /// Take a request, or a session's first turn; returns its number.
    #[pyo3(signature = (prompt, reply, max_tokens, *, arrival=0, priority=0, resumable=false))]
    fn add(
        &mut self,
        prompt: Segments,
        reply: (u64, u32),
        max_tokens: u32,
        arrival: u64,
        priority: i32,
        resumable: bool,
    ) -> PyResult<u64> {
        let turn = self.turn(prompt, 0, reply, max_tokens, arrival)?;
        Ok(self.inner.add(turn, priority, resumable).to_bits())
    }

    /// Give a session that is between two turns the next one; the last sampled token belongs in front of `prompt`.
    #[pyo3(signature = (request, prompt, reply, max_tokens, *, arrival=0))]
    fn next_turn(
        &mut self,
        request: u64,
        prompt: Segments,
        reply: (u64, u32),
        max_tokens: u32,
        arrival: u64,
    ) -> PyResult<()> {
        let id = RequestId::from_bits(request);
        let kept = self
            .inner
            .kept_tokens(id)
            .ok_or_else(|| refused(format!("request {request}: no session between two turns")))?;
        let turn = self.turn(prompt, kept, reply, max_tokens, arrival)?;
        self.inner.next_turn(id, turn);
        Ok(())
    }

    /// Say that a session gets no more turns.
    fn close(&mut self, request: u64) {
        self.inner.close(RequestId::from_bits(request));
    }

    /// End a request at once, whatever it does.
    fn abort(&mut self, request: u64) {
        self.inner.abort(RequestId::from_bits(request));
    }

    /// Plan the next step; `None` if nothing can go on before a turn comes or a step in flight is over.
    fn schedule(&mut self) -> PyResult<Option<Step>> {
        let depth = if self.config.async_scheduling { 2 } else { 1 };
        if self.flying.len() >= depth {
            return Err(PyRuntimeError::new_err(format!(
                "scheduler: {depth} steps are in flight, as many as may be; update first"
            )));
        }
        let mut preempted = Vec::new();
        loop {
            let mut step = self.inner.schedule();
            if step.batch.is_empty() && step.preempted.is_empty() {
                return Ok(None);
            }
            preempted.append(&mut step.preempted);
            if !step.batch.is_empty() {
                step.preempted = preempted;
                self.flying.push_back(step.clone());
                let load = step.load();
                return Ok(Some(Step { step, load }));
            }
        }
    }

    /// Let the oldest step in flight be over: (request, tokens of the reply so far, how the turn ended or `None`) of each
    /// token that it sampled.
    fn update(&mut self) -> PyResult<Vec<(u64, u32, Option<&'static str>)>> {
        let step = self.flying.pop_front().ok_or_else(|| {
            PyRuntimeError::new_err("scheduler: no step is in flight; schedule one first")
        })?;
        let end = |end| match end {
            End::Finished => "finished",
            End::Paused => "paused",
            End::Continued => "continued",
        };
        let sampled = self.inner.update(&step);
        let token = |token: curserve_sched::Sampled| {
            (token.request.to_bits(), token.outputs, token.end.map(end))
        };
        Ok(sampled.into_iter().map(token).collect())
    }

    /// Steps that were planned and are not over.
    #[getter]
    fn in_flight(&self) -> usize {
        self.flying.len()
    }

    /// Requests that run.
    #[getter]
    fn running(&self) -> Vec<u64> {
        self.inner.running().iter().map(|id| id.to_bits()).collect()
    }

    /// Requests that wait and hold blocks: sessions between turns, or with a new one.
    #[getter]
    fn holding(&self) -> Vec<u64> {
        self.inner.holding().map(|id| id.to_bits()).collect()
    }

    /// The other requests that wait.
    #[getter]
    fn waiting(&self) -> Vec<u64> {
        self.inner.waiting().map(|id| id.to_bits()).collect()
    }

    /// Blocks that there are.
    #[getter]
    fn blocks(&self) -> u32 {
        self.config.blocks
    }

    /// Blocks that nobody holds.
    #[getter]
    fn free_blocks(&self) -> u32 {
        self.inner.free_blocks()
    }

    /// Those of them that the cache still finds.
    #[getter]
    fn idle_blocks(&self) -> u32 {
        self.inner.idle_blocks()
    }

    /// Hashed blocks that were given to somebody else, so far.
    #[getter]
    fn evicted_blocks(&self) -> u64 {
        self.inner.evicted_blocks()
    }

    /// Blocks that a request holds.
    fn blocks_of(&self, request: u64) -> u32 {
        self.inner.blocks_of(RequestId::from_bits(request))
    }

    /// Blocks that so many tokens take.
    fn blocks_for(&self, tokens: u32) -> u32 {
        self.config.blocks_of(tokens)
    }

    /// Tokens that a session between two turns keeps; `None` if it is not one.
    fn kept_tokens(&self, request: u64) -> Option<u32> {
        self.inner.kept_tokens(RequestId::from_bits(request))
    }
}

impl Scheduler {
    /// A turn that this replica can answer, after `kept` tokens.
    fn turn(
        &self,
        prompt: Segments,
        kept: u32,
        reply: (u64, u32),
        max_tokens: u32,
        arrival: u64,
    ) -> PyResult<Turn> {
        let mut tokens = u64::from(kept);
        for &(stream, offset, count) in &prompt {
            if offset.checked_add(count).is_none() {
                return Err(refused(format!(
                    "text {stream} from {offset}, {count} tokens: longer than any text"
                )));
            }
            tokens += u64::from(count);
        }
        if tokens == u64::from(kept) || max_tokens == 0 {
            return Err(refused(
                "a turn without a prompt, or without a reply".to_owned(),
            ));
        }
        let longest = (tokens + u64::from(max_tokens)).min(u64::from(self.config.max_model_len));
        if tokens >= u64::from(self.config.max_model_len) {
            return Err(refused(format!(
                "a prompt of {tokens} tokens: max_model_len is {}",
                self.config.max_model_len
            )));
        }
        let needed = self.config.blocks_of(longest as u32);
        if needed > self.config.blocks {
            return Err(refused(format!(
                "a turn of {longest} tokens: it takes {needed} blocks, and there are {}",
                self.config.blocks
            )));
        }
        if reply.1.checked_add(max_tokens).is_none() {
            return Err(refused(format!(
                "a reply from {}, {max_tokens} tokens: longer than any text",
                reply.1
            )));
        }
        let segment = |(stream, offset, tokens)| Segment {
            stream,
            offset,
            tokens,
        };
        Ok(Turn {
            prompt: prompt.into_iter().map(segment).collect(),
            reply,
            max_tokens,
            arrival,
            external: 0,
        })
    }
}

fn refused(what: String) -> PyErr {
    PyValueError::new_err(format!("scheduler: {what}"))
}
