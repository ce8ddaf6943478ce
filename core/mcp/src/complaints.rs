//! What the transport met on standard input that is no message: said on standard error, where whoever started us looks.
//!
//! The SDK ignores such lines, as the other SDKs do, and says so to `tracing` alone.

use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Somebody who only speaks nonsense is told a few times.
const MOST: usize = 5;
/// The module that reads lines.
const READER: &str = "rmcp::transport::async_rw";

static SAID: AtomicUsize = AtomicUsize::new(0);

/// Says what the transport complains of from now on.
pub fn say() {
    let _ = tracing::subscriber::set_global_default(Complaints);
}

/// Whether something was said.
pub fn were_said() -> bool {
    SAID.load(Ordering::Relaxed) > 0
}

struct Complaints;

impl Subscriber for Complaints {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with(READER)
    }

    fn event(&self, event: &Event<'_>) {
        if SAID.fetch_add(1, Ordering::Relaxed) < MOST {
            let mut text = Text::default();
            event.record(&mut text);
            eprintln!("curserve mcp: {}", text.0);
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The message of an event.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}
