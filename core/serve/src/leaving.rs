//! A server that nobody needs any more ends by itself: nobody is connected, and nobody has been for a while.

use std::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::shared::Shared;

/// How often it is looked, of the time after which the server ends.
const LOOKS: u32 = 8;

/// Ends the server of `shared` once nobody has been connected for `after`; by a thread that ends with it.
///
/// # Errors
/// Where no thread can be started.
pub(crate) fn leave<H: Send + Sync + 'static>(
    shared: Arc<Shared<H>>,
    after: Duration,
) -> std::io::Result<()> {
    let look = move || {
        let mut seen = 0;
        let mut since = Instant::now();
        while !shared.stop.is_stopped() {
            std::thread::sleep((after / LOOKS).max(Duration::from_millis(1)));
            let came = shared.counters.connections_total.load(Ordering::Relaxed);
            if came != seen || shared.seats.taken() > 0 {
                (seen, since) = (came, Instant::now());
            } else if since.elapsed() >= after {
                shared.stop.stop();
            }
        }
    };
    std::thread::Builder::new()
        .name("leaving".into())
        .spawn(look)?;
    Ok(())
}
