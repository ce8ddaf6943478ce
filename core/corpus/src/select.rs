//! Choosing files: those below a folder that may match a query, in walk order.

use std::ops::Range;
use std::sync::Arc;

use curserve_index::{Form, Query, Segment, Within, MOST_TEXTS};
use rayon::prelude::*;

use crate::content::Content;
use crate::ids::IdMap;
use crate::read::form;
use crate::state::{Body, Indexed, Node, Shelved, Snapshot, State};

/// A file that may match, and where.
#[derive(Clone, Debug)]
pub struct Chosen<'s> {
    /// The file.
    pub node: Node<'s>,
    /// Only these bytes of it may match, whole lines, ascending; None: any.
    pub parts: Option<Box<[Range<usize>]>>,
}

/// Where in a file a match may lie, while its parts are gathered.
type Parts = Option<Vec<Range<usize>>>;

impl Snapshot {
    /// The files below `folder` whose content may match `query`, in the order of a walk, links not followed.
    /// None where something below it could not be read: a tool that must say so walks by itself.
    pub fn files_below<'s>(
        &'s self,
        folder: Node<'s>,
        query: &Query,
        within: Within,
    ) -> Option<Vec<Chosen<'s>>> {
        let state = self.state();
        if !state.is_readable(folder.id) {
            return None;
        }
        let chosen = |id, parts: Parts| Chosen {
            node: Node { state, id },
            parts: parts.map(Vec::into_boxed_slice),
        };
        if query.is_all() {
            let mut all = Vec::new();
            state.files_of(folder.id, &mut all).ok()?;
            return Some(all.into_iter().map(|id| chosen(id, None)).collect());
        }
        let (mut ids, mut parts) = (Vec::new(), IdMap::default());
        for (id, part) in state.candidates(query, within) {
            ids.push(id);
            if part.is_some() {
                parts.insert(id, part);
            }
        }
        let found = state.in_walk_order(folder.id, ids.into_iter()).ok()?;
        Some(
            found
                .into_iter()
                .map(|id| chosen(id, parts.remove(&id).flatten()))
                .collect(),
        )
    }

    /// Every file whose content may match `query`; None where that may be any.
    pub fn candidates(&self, query: &Query, within: Within) -> Option<IdMap<Node<'_>, ()>> {
        let state = self.state();
        let node = |(id, _)| (Node { state, id }, ());
        (!query.is_all()).then(|| state.candidates(query, within).map(node).collect())
    }

    /// How much memory the corpus holds: (bytes of file contents, bytes of index).
    pub fn memory(&self) -> (usize, usize) {
        let state = self.state();
        let contents = (0..state.tree.bound() as u32)
            .map(|id| state.content(id).map_or(0, |content| content.len()));
        let shelved = state
            .segments
            .iter()
            .map(|shelved| shelved.segment.memory() + shelved.nodes.len() * size_of::<u32>());
        let own = state.fresh.iter().map(|&id| match state.indexed(id) {
            Some(Indexed::Own(grams)) => grams.memory(),
            _ => 0,
        });
        (contents.sum(), shelved.chain(own).sum())
    }
}

impl State {
    fn candidates(&self, query: &Query, within: Within) -> impl Iterator<Item = (u32, Parts)> + '_ {
        // What is rare in the largest segment is rare in the others too.
        let sample = self
            .segments
            .iter()
            .max_by_key(|shelved| shelved.nodes.len());
        let query = sample.map_or_else(|| query.clone(), |shelved| shelved.segment.ordered(query));
        let pick = |(number, shelved): (usize, &Arc<Shelved>)| {
            self.in_segment(number, shelved, &query, within)
        };
        // A segment takes microseconds; handing them to the pool costs two switches of threads.
        let indexed: Vec<Vec<(u32, Parts)>> = match self.segments.len() {
            0..=64 => self.segments.iter().enumerate().map(pick).collect(),
            _ => self
                .segments
                .par_iter()
                .with_min_len(4)
                .enumerate()
                .map(pick)
                .collect(),
        };
        let fresh = self
            .fresh
            .iter()
            .copied()
            .filter(move |&id| match self.indexed(id) {
                Some(Indexed::Own(grams)) => query.admits(grams),
                _ => false,
            });
        indexed
            .into_iter()
            .flatten()
            .chain(fresh.map(|id| (id, None)))
    }

    /// The files of one segment that may match, each once.
    fn in_segment(
        &self,
        number: usize,
        shelved: &Shelved,
        query: &Query,
        within: Within,
    ) -> Vec<(u32, Parts)> {
        let found = shelved.segment.candidates(query, within);
        let of_one_text = found.chunk_by(|a, b| a.text == b.text);
        of_one_text
            .filter_map(|found| {
                let at = found[0].text;
                let id = shelved.nodes[at];
                let content = self
                    .is_at(id, number as u32, at as u16)
                    .then(|| self.content(id))??;
                let covered: usize = found.iter().map(|found| found.range.len()).sum();
                let all = covered == content.len();
                let ranges = found.iter().map(|found| found.range.clone());
                Some((id, (!all).then(|| joined(ranges))))
            })
            .collect()
    }

    pub(crate) fn indexed(&self, id: u32) -> Option<&Indexed> {
        match &self.tree.try_get(id)?.body {
            Body::File {
                content: Ok(_),
                indexed,
                ..
            } => Some(indexed),
            _ => None,
        }
    }

    pub(crate) fn is_at(&self, id: u32, segment: u32, at: u16) -> bool {
        matches!(self.indexed(id), Some(&Indexed::Segment(number, position)) if (number, position) == (segment, at))
    }

    pub(crate) fn is_own(&self, id: u32) -> bool {
        matches!(self.indexed(id), Some(Indexed::Own(_)))
    }

    /// The nodes whose trigrams are still in a segment.
    pub(crate) fn live_in<'s>(
        &'s self,
        number: u32,
        shelved: &'s Shelved,
    ) -> impl Iterator<Item = u32> + 's {
        let nodes = shelved.nodes.iter().enumerate();
        nodes
            .filter(move |&(at, &id)| self.is_at(id, number, at as u16))
            .map(|(_, &id)| id)
    }

    pub(crate) fn content(&self, id: u32) -> Option<&Content> {
        match &self.tree.try_get(id)?.body {
            Body::File { content, .. } => content.as_ref().ok(),
            _ => None,
        }
    }

    pub(crate) fn set_indexed(&mut self, id: u32, to: Indexed) {
        let mut data = self.tree.get(id).clone();
        if let Body::File { indexed, .. } = &mut data.body {
            *indexed = to;
        }
        self.tree.set(id, data);
    }
}

impl State {
    /// Moves files that carry their own trigrams into segments, with what is left of segments that are mostly dead.
    pub(crate) fn seal(&mut self) {
        let mut moving: Vec<u32> = self
            .fresh
            .iter()
            .copied()
            .filter(|&id| self.is_own(id))
            .collect();
        let mut segments = self.segments.to_vec();
        for (number, shelved) in segments.iter_mut().enumerate() {
            let live: Vec<u32> = self.live_in(number as u32, shelved).collect();
            if live.len() * 2 < shelved.nodes.len() {
                moving.extend(live);
                *shelved = Shelved::new(Segment::build(&[]), Vec::new());
            }
        }
        for chunk in moving.chunks(MOST_TEXTS) {
            let contents = chunk
                .iter()
                .map(|&id| self.content(id).expect("a live file"));
            let texts: Vec<(&[u8], Form)> = contents
                .map(|content| (&**content, form(content)))
                .collect();
            let shelved = Shelved::new(Segment::build(&texts), chunk.to_vec());
            // The place of a segment that died is used again.
            let number = segments
                .iter()
                .position(|shelved| shelved.nodes.is_empty())
                .unwrap_or(segments.len());
            match segments.get_mut(number) {
                Some(empty) => *empty = shelved,
                None => segments.push(shelved),
            }
            for (at, &id) in chunk.iter().enumerate() {
                self.set_indexed(id, Indexed::Segment(number as u32, at as u16));
            }
        }
        self.segments = Arc::new(segments);
        self.fresh = Arc::default();
    }
}

/// Ranges that touch are one.
fn joined(ranges: impl Iterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut().filter(|last| last.end == range.start) {
            Some(last) => last.end = range.end,
            None => joined.push(range),
        }
    }
    joined
}
