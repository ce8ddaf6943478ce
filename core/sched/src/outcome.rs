//! What comes of a step: tokens, and turns that end.

use crate::content::Segment;
use crate::kv::Kv;
use crate::request::{RequestId, Status};
use crate::scheduler::Scheduler;
use crate::step::{End, Sampled, Scheduled, Step};

impl<K: Kv> Scheduler<K> {
    /// Take in a step that the model has computed. Steps come in the order in which they were planned.
    pub fn update(&mut self, step: &Step) -> Vec<Sampled> {
        let mut sampled = Vec::new();
        let (mut ran, mut waited) = (Vec::new(), Vec::new());
        for part in &step.batch {
            let Some(status) = self
                .requests
                .get(part.request)
                .map(|request| request.status)
            else {
                continue;
            };
            let Some(outputs) = self.take_in(part) else {
                continue;
            };
            let id = part.request;
            let end = self.is_over(id).then(|| {
                if status == Status::Running {
                    &mut ran
                } else {
                    &mut waited
                }
                .push(id);
                self.end_turn(id)
            });
            sampled.push(Sampled {
                request: id,
                outputs,
                end,
            });
        }
        if !ran.is_empty() {
            self.running.retain(|id| !ran.contains(id));
        }
        if !waited.is_empty() {
            // A session too that was preempted in its last step: it is in no queue afterwards, and never runs again.
            self.holding.remove(&waited, &self.requests);
            self.waiting.remove(&waited, &self.requests);
        }
        for sampled in sampled
            .iter()
            .filter(|sampled| sampled.end == Some(End::Finished))
        {
            self.requests.remove(sampled.request);
        }
        sampled
    }

    /// Append what a request sampled; None if that was nothing, or is no longer wanted.
    fn take_in(&mut self, part: &Scheduled) -> Option<u32> {
        let request = self.requests.get_mut(part.request)?;
        request.in_flight -= part.tokens;
        let stale = request.stale > 0;
        if stale {
            request.stale -= part.tokens;
        }
        if (stale && request.drop_stale) || !part.samples {
            return None;
        }
        let (stream, offset) = request.reply;
        self.tree.append(
            &mut request.path,
            Segment {
                stream,
                offset,
                tokens: 1,
            },
        );
        request.reply.1 += 1;
        request.outputs += 1;
        if self.config.async_scheduling {
            request.placeholders -= u32::from(!stale);
            if request.status == Status::Running {
                let whole = (request.computed - request.placeholders) / self.config.block_size;
                self.kv.publish(&mut request.holding, &request.path, whole);
            }
        }
        Some(request.outputs)
    }

    fn is_over(&self, id: RequestId) -> bool {
        let request = &self.requests[id];
        request.tokens() >= self.config.max_model_len || request.outputs >= request.max_tokens
    }

    /// Let a finished request's blocks go; the request itself stays until no queue has it.
    fn end_turn(&mut self, id: RequestId) -> End {
        let request = &mut self.requests[id];
        if !request.resumable {
            self.kv.release(&mut request.holding);
            return End::Finished;
        }
        request.computed -= request.placeholders;
        request.placeholders = 0;
        request.drop_stale = true;
        request.stale = request.in_flight;
        let end = match request.next.pop_front() {
            None => {
                request.status = Status::Paused;
                self.paused += 1;
                End::Paused
            }
            Some(None) => {
                self.kv.release(&mut request.holding);
                return End::Finished;
            }
            Some(Some(turn)) => {
                self.begin_turn(id, turn);
                End::Continued
            }
        };
        self.enqueue(id);
        end
    }

    /// Let whoever holds blocks wait ahead of whoever does not.
    pub(crate) fn enqueue(&mut self, id: RequestId) {
        let queue = if self.requests[id].computed > 0 {
            &mut self.holding
        } else {
            &mut self.waiting
        };
        queue.push(id, &self.requests);
    }
}
