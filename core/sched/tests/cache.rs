//! Runs against blocks: whatever requests do with the two caches, they answer alike.

mod twin;

use curserve_sched::content::{Path, Tree};
use curserve_sched::{Kv, RunCache, Segment};
use proptest::prelude::*;
use twin::BlockCache;

#[derive(Clone, Copy, Debug)]
enum Op {
    /// Begin a sequence with so many tokens of a shared text and so many of one of its own.
    Begin {
        shared: u32,
        stream: u64,
        own: u32,
    },
    /// Compute so many tokens more of a sequence, and let others find its whole blocks.
    Go {
        which: usize,
        tokens: u32,
    },
    Release {
        which: usize,
    },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => (prop_oneof![Just(0), 0..40_u32], 0..3_u64, 0..40_u32).prop_map(|(shared, stream, own)| Op::Begin { shared, stream, own }),
        4 => (any::<usize>(), 1..20_u32).prop_map(|(which, tokens)| Op::Go { which, tokens }),
        3 => any::<usize>().prop_map(|which| Op::Release { which }),
    ]
}

struct Sequence {
    path: Path,
    stream: u64,
    runs: <RunCache as Kv>::Holding,
    blocks: <BlockCache as Kv>::Holding,
}

const BLOCK: u32 = 4;

/// Give a holding what `path` needs, if there is as much, and publish it.
fn fill<K: Kv>(cache: &mut K, holding: &mut K::Holding, path: &Path) {
    let missing = path
        .tokens()
        .div_ceil(BLOCK)
        .saturating_sub(K::held(holding));
    if missing <= cache.free() {
        cache.grow(holding, missing);
    }
    let whole = (path.tokens() / BLOCK).min(K::held(holding));
    cache.publish(holding, path, whole);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn runs_answer_as_blocks_do(size in 4..120_u32, caching in prop::bool::weighted(0.9), ops in prop::collection::vec(op(), 1..150)) {
        let (mut runs, mut blocks) = (RunCache::new(size, BLOCK, caching), BlockCache::new(size, BLOCK, caching));
        let mut tree = Tree::default();
        let mut live: Vec<Sequence> = Vec::new();
        for op in ops {
            match op {
                Op::Begin { shared, stream, own } => {
                    let mut path = Path::default();
                    tree.append(&mut path, Segment { stream: 100, offset: 0, tokens: shared });
                    tree.append(&mut path, Segment { stream, offset: 0, tokens: own });
                    if path.tokens() == 0 { continue }
                    let hit = runs.hit(&path, path.tokens() - 1);
                    prop_assert_eq!(hit, blocks.hit(&path, path.tokens() - 1));
                    let mut new = Sequence { path, stream, runs: Default::default(), blocks: Default::default() };
                    runs.take(&mut new.runs, &new.path, hit.blocks);
                    blocks.take(&mut new.blocks, &new.path, hit.blocks);
                    fill(&mut runs, &mut new.runs, &new.path);
                    fill(&mut blocks, &mut new.blocks, &new.path);
                    live.push(new);
                }
                Op::Go { which, tokens } if !live.is_empty() => {
                    let count = live.len();
                    let one = &mut live[which % count];
                    let offset = one.path.steps().last().map_or(0, |step| step.end - step.start);
                    tree.append(&mut one.path, Segment { stream: one.stream, offset, tokens });
                    fill(&mut runs, &mut one.runs, &one.path);
                    fill(&mut blocks, &mut one.blocks, &one.path);
                }
                Op::Release { which } if !live.is_empty() => {
                    let mut one = live.swap_remove(which % live.len());
                    runs.release(&mut one.runs);
                    blocks.release(&mut one.blocks);
                }
                _ => (),
            }
            prop_assert_eq!((runs.free(), runs.idle()), (blocks.free(), blocks.idle()));
            prop_assert_eq!(runs.evicted(), blocks.evicted());
        }
    }
}

/// A join of two runs must not let a third copy go before one of them.
#[test]
fn the_first_copy_stays_the_first() {
    fn idle<K: Kv>() -> Vec<u32> {
        let mut cache = K::new(40, BLOCK, true);
        let mut tree = Tree::default();
        let mut text = |tokens| {
            let mut path = Path::default();
            tree.append(
                &mut path,
                Segment {
                    stream: 1,
                    offset: 0,
                    tokens,
                },
            );
            path
        };
        let (long, short) = (text(4 * BLOCK), text(2 * BLOCK));
        let mut compute = |path| {
            let mut holding = K::Holding::default();
            fill(&mut cache, &mut holding, path);
            holding
        };
        let (mut one, mut _two, mut three) = (compute(&long), compute(&long), compute(&short));
        let mut reader = K::Holding::default();
        cache.take(&mut reader, &short, 2);
        cache.release(&mut one); // its end is free now, its beginning is being read
        cache.release(&mut three); // goes on, in the queue, where that end begins
        vec![
            cache.hit(&long, 4 * BLOCK).idle,
            cache.hit(&short, 2 * BLOCK).idle,
        ]
    }
    assert_eq!(idle::<BlockCache>(), [2, 0]);
    assert_eq!(idle::<RunCache>(), [2, 0]);
}
