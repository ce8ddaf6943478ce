//! Who stops whom in a pipeline: a part that stops reading, the parts before it that die of it, and what they report.

use curserve_tools::{Intake, Out, Span};

use crate::part::Part;
use crate::state::Shell;
use crate::streams::Sink;
use crate::Refusal;

/// Standard output of the C library on a pipe writes blocks of this size.
pub const BLOCK: usize = 4096;
/// A pipe takes this much before a writer blocks.
pub const PIPE: usize = 64 << 10;

impl Shell<'_> {
    /// Works out what part `k`, which may stop reading, does to those before it.
    ///
    /// # Errors
    /// Where the outcome depends on which of them is quicker.
    pub fn stop_early(
        &mut self,
        parts: &[Part],
        k: usize,
        outs: &[Out],
        errs: &mut [Out],
        err: Sink,
    ) -> Result<(), Refusal> {
        if parts[k].reads == Intake::All || Self::is_unseen(err) {
            return Ok(());
        }
        let output = outs[k - 1].as_bytes();
        let needed = match parts[k].reads {
            Intake::Lines(lines) => {
                let lines = usize::try_from(lines).unwrap_or(usize::MAX);
                memchr::memchr_iter(b'\n', output)
                    .nth(lines.saturating_sub(1))
                    .map_or(output.len(), |i| i + 1)
            }
            _ => 0,
        };
        if parts[k].reads != Intake::Unknown && needed == output.len() {
            return Ok(());
        }
        let timing = || Refusal::new("messages of a program that may have been stopped before");
        // Further up, a death needs that the part between dies: at its first block, however long it takes to fill one.
        let far = (0..k - 1).any(|i| {
            (i + 1..k).all(|j| {
                let length = outs[j].as_bytes().len();
                let held = if in_blocks(&parts[j].name) { BLOCK } else { 0 };
                length > held && !at_end(&parts[j].name)
            }) && (parts[i].reports || !errs[i].as_bytes().is_empty())
        });
        if far {
            return Err(timing());
        }
        let part = &parts[k - 1];
        let messages = errs[k - 1].as_bytes();
        if !part.reports {
            // Each message flushes the output before it: the first flush always arrives, a second may not.
            let mut places: Vec<usize> = errs[k - 1]
                .marks()
                .iter()
                // Without a flush before the message only full blocks have gone out.
                .map(|m| if m.early && m.out < BLOCK { 0 } else { m.out })
                .filter(|&p| p > 0)
                .collect();
            places.dedup();
            let sure = match parts[k].reads {
                Intake::Unknown => places.is_empty(),
                _ => places.len() <= 1 && places.iter().all(|&p| p < BLOCK),
            };
            let known = !part.name.is_empty() || messages.is_empty();
            return if messages.is_empty() || sure && known && errs[k - 1].marks_cover() {
                Ok(())
            } else {
                Err(timing())
            };
        }
        if parts[k].reads == Intake::Unknown || !messages.is_empty() {
            return if output.is_empty() && messages.is_empty() {
                Ok(())
            } else {
                Err(timing())
            };
        }
        let report =
            deaths(&part.name, outs[k - 1].spans(), needed, output.len()).ok_or_else(timing)?;
        errs[k - 1].write(&report);
        Ok(())
    }
}

/// Whether a tool prints only when its input has ended.
fn at_end(name: &[u8]) -> bool {
    matches!(name, b"sort" | b"tail" | b"wc" | b"tac")
}

/// Whether a tool holds its output back until a block is full.
fn in_blocks(name: &[u8]) -> bool {
    matches!(
        name,
        b"grep" | b"egrep" | b"fgrep" | b"sed" | b"cut" | b"uniq" | b"nl"
    )
}

/// What `find` or `xargs` reports when its reader goes after `needed` bytes; `None` where timing decides what else happens.
///
/// A child writes blocks of [`BLOCK`] bytes. The block that satisfies the reader still arrives; far more than a pipe
/// holds behind it does not. Which children of `find` write before the reader has gone is a race that only the number of
/// reports tells of: all that may die do so here, which is what is seen on an idle machine, and what judges an answer
/// allows for any number of them.
fn deaths(who: &[u8], spans: &[Span], needed: usize, total: usize) -> Option<Vec<u8>> {
    let mut report = Vec::new();
    let covered: usize = spans.iter().map(|s| s.end - s.start).sum();
    if covered != total {
        return None;
    }
    for span in spans
        .iter()
        .filter(|span| span.end > span.start.max(needed))
    {
        let written = needed.saturating_sub(span.start).div_ceil(BLOCK) * BLOCK;
        let rest = (span.end - span.start).saturating_sub(written);
        let name = String::from_utf8_lossy(&span.name);
        match (who, rest) {
            (_, 0) => {}
            (b"find", _) => {
                report.extend_from_slice(
                    format!("find: ‘{name}’ terminated by signal 13\n").as_bytes(),
                );
            }
            (_, rest) if span.start < needed && rest > PIPE + 2 * BLOCK => {
                return Some(format!("xargs: {name}: terminated by signal 13\n").into_bytes());
            }
            _ => return None,
        }
    }
    Some(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: usize, end: usize) -> Span {
        Span {
            start,
            end,
            name: b"grep".to_vec(),
        }
    }

    #[test]
    fn children_of_find_after_the_reader_has_gone_may_all_die() {
        let spans = [span(0, 40), span(40, 80), span(80, 120), span(120, 120)];
        let report = |needed| {
            deaths(b"find", &spans, needed, 120)
                .map(|report| report.split(|&b| b == b'\n').count() - 1)
        };
        assert_eq!(report(40), Some(2));
        assert_eq!(report(80), Some(1));
        assert_eq!(report(120), Some(0));
        assert_eq!(deaths(b"find", &spans, 40, 130), None);
        assert_eq!(deaths(b"xargs", &spans, 40, 120), None);
    }

    #[test]
    fn a_child_cut_within_its_output_is_a_matter_of_timing() {
        let report = |who: &[u8], end| deaths(who, &[span(0, end)], 40, end);
        assert_eq!(report(b"xargs", 4000), Some(Vec::new()));
        assert_eq!(report(b"xargs", 9000), None);
        assert!(report(b"xargs", 200_000).is_some_and(|r| !r.is_empty()));
        assert_eq!(report(b"find", 4000), Some(Vec::new()));
        assert!(report(b"find", 9000).is_some_and(|r| !r.is_empty()));
    }
}
