//! Many simulations at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

/// Do `work` for each cell on `threads` threads; the results are in the order of the cells, whoever computed them.
pub fn each_cell<C: Sync, R: Send>(
    cells: &[C],
    threads: usize,
    work: impl Fn(&C) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<R>>> = Mutex::new(cells.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, cells.len().max(1)) {
            scope.spawn(|| loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(cell) = cells.get(place) else { break };
                let result = work(cell);
                results.lock().expect("no thread panics with it")[place] = Some(result);
            });
        }
    });
    let results = results.into_inner().expect("no thread panics with it");
    results
        .into_iter()
        .map(|result| result.expect("each cell was computed"))
        .collect()
}
