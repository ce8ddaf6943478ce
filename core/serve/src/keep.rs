//! Keeping the index for the next start, by the thread that has loaded it, when that disturbs nobody.

use std::sync::OnceLock;
use std::time::Duration;

use curserve_corpus::Corpus;

/// The first calls of a session come right after the load.
const REST: Duration = Duration::from_secs(2);

/// Fewer files are indexed in less time than it takes to notice.
const FEW: u64 = 1000;

/// Keeps the index of what was loaded, after a rest, and only with processors that nobody else wants.
pub(crate) fn soon(loaded: &OnceLock<Result<Corpus, String>>) {
    let Some(Ok(corpus)) = loaded.get() else {
        return;
    };
    if let Some(trouble) = corpus.trouble() {
        say(&trouble);
    }
    std::thread::sleep(REST);
    // SAFETY: no pointers; on Linux this is the niceness of the calling thread alone, which ends after this.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
    now(corpus);
}

/// Keeps the index, if the tree is large enough for that.
pub(crate) fn now(corpus: &Corpus) {
    if corpus.counters().files_read < FEW {
        return;
    }
    if let Err(trouble) = corpus.keep() {
        say(&trouble);
    }
}

/// A line for whoever watches the daemon; it goes on without.
fn say(trouble: &str) {
    eprintln!("curserve serve: the index is not kept: {trouble}");
}
