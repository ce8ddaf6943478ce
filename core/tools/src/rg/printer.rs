//! ripgrep's own printers, for the forms of output that are not the common one.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use grep_printer::{
    JSONBuilder, Standard, StandardBuilder, Stats, Summary, SummaryBuilder, SummaryKind, JSON,
};
use grep_regex::RegexMatcher;
use grep_searcher::{MmapChoice, Searcher, SearcherBuilder, Sink};
use termcolor::NoColor;

use super::options::{Mode, Options};
use super::room::Room;
use crate::memory::Pool;
use crate::Deadline;

/// The printer of one thread.
pub(super) enum Printer {
    Standard(Standard<NoColor<Room>>),
    Summary(Summary<NoColor<Room>>),
    Json(JSON<Room>),
}

/// What a printer made of one file.
pub(super) struct Printed {
    pub(super) out: Vec<u8>,
    pub(super) has_match: bool,
    pub(super) stats: Stats,
}

impl Printer {
    /// The one for this form of output.
    pub(super) fn new(options: &Options, with_filename: bool, pool: &Pool) -> Printer {
        let terminator = options.null.then_some(0);
        let summary = |kind| {
            Printer::Summary(
                SummaryBuilder::new()
                    .exclude_zero(!options.include_zero)
                    .kind(kind)
                    .path(with_filename)
                    .path_terminator(terminator)
                    .separator_field(b":".to_vec())
                    .build(NoColor::new(Room::new(pool))),
            )
        };
        match options.mode {
            Mode::WithoutMatch if options.quiet => summary(SummaryKind::QuietWithoutMatch),
            _ if options.quiet => summary(SummaryKind::QuietWithMatch),
            Mode::WithMatch => summary(SummaryKind::PathWithMatch),
            Mode::WithoutMatch => summary(SummaryKind::PathWithoutMatch),
            Mode::Count => summary(SummaryKind::Count),
            Mode::CountMatches => summary(SummaryKind::CountMatches),
            Mode::Json => Printer::Json(
                JSONBuilder::new()
                    .pretty(false)
                    .always_begin_end(false)
                    .build(Room::new(pool)),
            ),
            Mode::Lines | Mode::Files | Mode::TypeList => Printer::Standard(
                StandardBuilder::new()
                    .byte_offset(options.byte_offset)
                    .column(options.column || options.vimgrep)
                    .heading(false)
                    .max_columns_preview(options.max_columns_preview)
                    .max_columns(options.max_columns)
                    .only_matching(options.only_matching)
                    .path(with_filename)
                    .path_terminator(terminator)
                    .per_match_one_line(true)
                    .per_match(options.vimgrep)
                    .replacement(options.replace.clone().map(|text| text.into_bytes()))
                    .separator_context(options.separator.clone())
                    .trim_ascii(options.trim)
                    .build(NoColor::new(Room::new(pool))),
            ),
        }
    }

    /// Searches `bytes`, known by `name`; None where that failed. `as_stream`: not all at once, but
    /// as a stream that ends at this time, which transcodes and meets a NUL where the real program does.
    pub(super) fn search(
        &mut self,
        searcher: &mut Searcher,
        matcher: &RegexMatcher,
        name: &[u8],
        bytes: &[u8],
        as_stream: Option<Deadline>,
    ) -> Option<Printed> {
        let path = Path::new(OsStr::from_bytes(name));
        let (has_match, stats, out) = match self {
            Printer::Standard(printer) => {
                let mut sink = printer.sink_with_path(matcher, path);
                pass(searcher, matcher, bytes, as_stream, &mut sink)?;
                (sink.has_match(), None, printer.get_mut().get_mut())
            }
            Printer::Summary(printer) => {
                let mut sink = printer.sink_with_path(matcher, path);
                pass(searcher, matcher, bytes, as_stream, &mut sink)?;
                (sink.has_match(), None, printer.get_mut().get_mut())
            }
            Printer::Json(printer) => {
                let mut sink = printer.sink_with_path(matcher, path);
                pass(searcher, matcher, bytes, as_stream, &mut sink)?;
                (
                    sink.has_match(),
                    Some(sink.stats().clone()),
                    printer.get_mut(),
                )
            }
        };
        Some(Printed {
            out: out.take(),
            has_match,
            stats: stats.unwrap_or_default(),
        })
    }
}

fn pass<S: Sink>(
    searcher: &mut Searcher,
    matcher: &RegexMatcher,
    bytes: &[u8],
    as_stream: Option<Deadline>,
    sink: &mut S,
) -> Option<()> {
    let result = match as_stream {
        None => searcher.search_slice(matcher, bytes, sink),
        Some(deadline) => searcher.search_reader(matcher, Timed { bytes, deadline }, sink),
    };
    result.ok()
}

/// Bytes that can be read until a time.
struct Timed<'b> {
    bytes: &'b [u8],
    deadline: Deadline,
}

impl Read for Timed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.deadline.has_passed() {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => self.bytes.read(into),
        }
    }
}

/// ripgrep's searcher, told what the options ask for.
pub(super) fn searcher(options: &Options) -> Searcher {
    let (before, after) = options.context();
    let line_number = options.line_number.unwrap_or(match options.mode {
        Mode::Json => true,
        Mode::Lines => !options.quiet && (options.column || options.vimgrep),
        _ => false,
    });
    SearcherBuilder::new()
        .max_matches(options.max_count)
        .invert_match(options.invert)
        .line_number(line_number && !(options.quiet && options.line_number.is_none()))
        .multi_line(options.multiline)
        .memory_map(MmapChoice::never())
        .before_context(before)
        .after_context(after)
        .build()
}
