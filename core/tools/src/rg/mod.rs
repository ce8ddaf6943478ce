//! ripgrep 15, on its own crates: the matcher, the searcher and the printers are ripgrep's; the walk, the ignore rules
//! and the choice of files come from memory.
//!
//! Parallel rg prints files in no fixed order; here they come in the file system's own.

mod options;
mod plain;
mod walk;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use curserve_corpus::{Content, Errno, Kind, Unreadable};
use curserve_index::Query;
use grep_printer::{
    JSONBuilder, Standard, StandardBuilder, Stats, Summary, SummaryBuilder, SummaryKind, JSON,
};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, MmapChoice, Searcher, SearcherBuilder};
use rayon::prelude::*;
use termcolor::NoColor;

use crate::{Call, Refusal, Stdin};
use options::{refuse, Case, Mode, Options, Sort};
use plain::Plain;
use walk::{File, Filter};

type Sink = NoColor<Vec<u8>>;

/// So many bytes are searched by one thread: waking others takes longer.
const ALONE: usize = 256 << 10;

/// `rg`.
pub(crate) fn rg(call: &mut Call<'_>) -> Result<i32, Refusal> {
    let odd = |(name, _): &(String, String)| name == "RIPGREP_CONFIG_PATH";
    if call.world.environment.iter().any(odd) {
        return refuse("a configuration file");
    }
    let options = Options::parse(call.args.get(1..).unwrap_or_default())?;
    let mut run = Run::new(call, &options)?;
    if options.mode == Mode::Files {
        return run.list();
    }
    if options.max_count == Some(0) {
        return Ok(1);
    }
    run.search()
}

struct Run<'r, 'c> {
    call: &'r mut Call<'c>,
    options: &'r Options,
    operands: Vec<Vec<u8>>,
    /// No path was given, and the working folder is searched.
    implicit: bool,
    with_filename: bool,
    /// The real program walks with one thread, and words its errors otherwise.
    single: bool,
    errored: bool,
}

impl<'r, 'c> Run<'r, 'c> {
    fn new(call: &'r mut Call<'c>, options: &'r Options) -> Result<Self, Refusal> {
        let implicit = options.operands.is_empty();
        let piped = matches!(call.stdin, Stdin::Bytes(_) | Stdin::File(_));
        let operands = match implicit {
            false => options.operands.clone(),
            true if piped && options.mode != Mode::Files => vec![b"-".to_vec()],
            true => vec![b"./".to_vec()],
        };
        if operands.iter().filter(|operand| *operand == b"-").count() > 1 {
            return refuse("standard input twice");
        }
        let is_folder = |operand: &Vec<u8>| match call.snapshot.resolve(call.cwd, operand, true) {
            Ok(node) => Ok(node.kind() == Kind::Folder),
            Err(Errno::Outside) if operand != b"-" => refuse("a path outside the root"),
            Err(_) => Ok(false),
        };
        let is_one_file = operands.len() == 1 && (operands[0] == b"-" || !is_folder(&operands[0])?);
        let with_filename = options
            .with_filename
            .unwrap_or(options.vimgrep || !is_one_file);
        Ok(Run {
            call,
            options,
            operands,
            implicit,
            with_filename,
            single: options.sort.is_some() || is_one_file || options.threads == 1,
            errored: false,
        })
    }

    /// `--files`.
    fn list(&mut self) -> Result<i32, Refusal> {
        let mut files = self.files(&Query::All)?;
        let by_path = self.options.sort == Some((Sort::Path, false));
        if !by_path {
            walk::sort(&mut files, self.options.sort);
        }
        let end = if self.options.null { b'\0' } else { b'\n' };
        if !self.options.quiet {
            let mut out = Vec::new();
            for file in &files {
                out.extend_from_slice(&file.name);
                out.push(end);
            }
            self.call.out.write(&out);
        }
        self.finish(!files.is_empty())
    }

    fn search(&mut self) -> Result<i32, Refusal> {
        let matcher = matcher(self.options, true)?;
        let needs_all = self.options.invert
            || self.options.mode == Mode::WithoutMatch
            || self.options.include_zero
            || self.options.mode == Mode::Json;
        let query = if needs_all {
            Query::All
        } else {
            query(self.options)
        };
        let mut files = self.files(&query)?;
        let by_path = self.options.sort == Some((Sort::Path, false));
        if files.is_empty() && self.implicit && (query == Query::All || !self.any_file()?) {
            return refuse("nothing to search");
        }
        if !by_path {
            walk::sort(&mut files, self.options.sort);
        }
        let separator = match self.options.mode {
            Mode::Lines if self.options.context() != (0, 0) => self.options.separator.clone(),
            _ => None,
        };
        // Few explicit files, all of them there, are mapped by the real program, and searched as one slice.
        let mapped = self.operands.len() <= 10
            && files.len() == self.operands.len()
            && files.iter().all(|file| file.explicit && !file.is_stdin());
        let (options, with_filename) = (self.options, self.with_filename);
        let started = std::time::Instant::now();
        // Many ASCII files are searched with a smaller automaton, which pays from here on.
        let ascii = (files.len() > 32 && plain::is_ascii_alike(options))
            .then(|| self::matcher(options, false).ok())
            .flatten();
        let worker = || Worker::new(options, &matcher, ascii.as_ref(), with_filename, mapped);
        let (mut matched, mut printed, mut stats, mut rest) =
            (false, false, Stats::new(), files.as_slice());
        let mut size = if self.call.out.lines_left().is_some() || options.quiet {
            16
        } else {
            8192
        };
        let enough = |out: &crate::Out, matched: bool| out.full() || (options.quiet && matched);
        while !rest.is_empty() && !enough(self.call.out, matched) {
            let (batch, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            size = (size * 4).min(8192);
            let bytes = |file: &File<'_>| file.content().map_or(0, |content| content.len());
            let small = batch.len() <= 3
                || (batch.len() < 256 && batch.iter().map(bytes).sum::<usize>() < ALONE);
            let results: Vec<Outcome> = match small {
                true => {
                    let mut worker = worker();
                    batch.iter().map(|file| worker.search(file)).collect()
                }
                false => batch
                    .par_iter()
                    .with_min_len(4)
                    .map_init(worker, |worker, file| worker.search(file))
                    .collect(),
            };
            for (file, outcome) in batch.iter().zip(results) {
                match outcome {
                    Outcome::Done {
                        out,
                        has_match,
                        stats: counted,
                    } => {
                        matched |= has_match;
                        stats += &counted;
                        if let Some(separator) =
                            separator.as_ref().filter(|_| printed && !out.is_empty())
                        {
                            self.call.out.write(separator);
                            self.call.out.write(b"\n");
                        }
                        // In order, the real program writes the separator with a file's first line, and a message
                        // about a binary file is none.
                        if separator.is_some() && options.sort.is_some() && says_binary(&out) {
                            return refuse("context around a binary file, in order");
                        }
                        printed |= !out.is_empty();
                        self.call.out.write(&out);
                    }
                    Outcome::Failed(errno) => {
                        let error = std::io::Error::from_raw_os_error(errno);
                        self.complain(
                            &[
                                b"rg: ",
                                file.name.as_slice(),
                                b": ",
                                error.to_string().as_bytes(),
                                b"\n",
                            ]
                            .concat(),
                        );
                    }
                    Outcome::Unknown => return refuse("a file that is not in memory"),
                }
                if matched && options.quiet {
                    break;
                }
            }
        }
        if options.mode == Mode::Json {
            let elapsed = started.elapsed();
            let summary = serde_json::json!({
                "type": "summary",
                "data": {
                    "stats": stats,
                    "elapsed_total": {
                        "secs": elapsed.as_secs(),
                        "nanos": elapsed.subsec_nanos(),
                        "human": format!("{:0.6}s", elapsed.as_secs_f64()),
                    },
                }
            });
            self.call.out.write(format!("{summary}\n").as_bytes());
        }
        self.finish(matched)
    }

    fn complain(&mut self, text: &[u8]) {
        if !self.options.no_messages {
            self.call.complain(text);
        }
        self.errored = true;
    }

    fn finish(&self, matched: bool) -> Result<i32, Refusal> {
        Ok(if matched && (self.options.quiet || !self.errored) {
            0
        } else if self.errored {
            2
        } else {
            1
        })
    }

    /// Whether the working folder holds anything that is searched.
    fn any_file(&self) -> Result<bool, Refusal> {
        let Ok(folder) = self.call.snapshot.resolve(self.call.cwd, b".", true) else {
            return refuse("a working folder that is not there");
        };
        Filter::new(self.call.snapshot, self.options, self.call.cwd, folder)?.passes_any(folder)
    }

    /// Every file to look at, operand by operand.
    fn files(&mut self, query: &Query) -> Result<Vec<File<'c>>, Refusal> {
        let snapshot = self.call.snapshot;
        let mut files = Vec::new();
        self.errored = false;
        for operand in self.operands.clone() {
            if operand == b"-" {
                files.push(File::stdin(self.call.stdin.bytes().to_vec()));
                continue;
            }
            let node = match snapshot.resolve(self.call.cwd, &operand, true) {
                Ok(node) => node,
                Err(Errno::Outside) => return refuse("a path outside the root"),
                Err(Errno::NotFound) => {
                    let shown = String::from_utf8_lossy(&operand);
                    let context = match self.single {
                        true => format!("IO error for operation on {shown}: "),
                        false => String::new(),
                    };
                    let text =
                        format!("rg: {shown}: {context}No such file or directory (os error 2)\n");
                    self.complain(text.as_bytes());
                    continue;
                }
                Err(_) => return refuse("a path that cannot be followed"),
            };
            match node.kind() {
                Kind::File => files.push(File::explicit(node, operand)),
                Kind::Folder => {
                    let filter = Filter::new(snapshot, self.options, self.call.cwd, node)?;
                    let prefix = if self.implicit { Vec::new() } else { operand };
                    let start = files.len();
                    filter.files(node, &prefix, query, &mut files)?;
                    if self.options.sort == Some((Sort::Path, false)) {
                        walk::sort(&mut files[start..], self.options.sort);
                    }
                }
                Kind::Link | Kind::Other => return refuse("a device or a FIFO"),
            }
        }
        Ok(files)
    }
}

/// Whether a pattern asks for the start or the end of the text (`\A`, `\z`): what that is to the real program depends
/// on how it came to read the line.
fn asks_for_the_ends(options: &Options) -> bool {
    use regex_syntax::hir::Look;
    let parse = |pattern: &String| {
        let mut parser = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .multi_line(true)
            .build();
        let looks = parser.parse(pattern).ok()?.properties().look_set();
        Some(looks.contains(Look::Start) || looks.contains(Look::End))
    };
    !options.fixed && options.patterns.iter().any(|p| parse(p) == Some(true))
}

fn matcher(options: &Options, unicode: bool) -> Result<RegexMatcher, Refusal> {
    if asks_for_the_ends(options) {
        return refuse("a pattern with the start or the end of the text");
    }
    let mut builder = RegexMatcherBuilder::new();
    builder
        .multi_line(true)
        .unicode(unicode)
        .octal(false)
        .fixed_strings(options.fixed);
    match options.case {
        Case::Sensitive => builder.case_insensitive(false),
        Case::Insensitive => builder.case_insensitive(true),
        Case::Smart => builder.case_smart(true),
    };
    builder.whole_line(options.line).word(options.word);
    if options.multiline {
        builder.dot_matches_new_line(options.dotall);
    } else {
        builder
            .line_terminator(Some(b'\n'))
            .dot_matches_new_line(false);
    }
    if !options.text {
        builder.ban_byte(Some(b'\0'));
    }
    builder
        .build_many(&options.patterns)
        .or_else(|error| refuse(format!("a pattern that does not compile: {error}")))
}

/// What a file must hold to match. The index folds case, and so may a pattern here.
fn query(options: &Options) -> Query {
    let parse = |pattern: &String| {
        if options.fixed && options.case == Case::Sensitive {
            return Query::literal(pattern.as_bytes());
        }
        let pattern = if options.fixed {
            regex_syntax::escape(pattern)
        } else {
            pattern.clone()
        };
        let parsed = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .multi_line(true)
            .dot_matches_new_line(options.multiline && options.dotall)
            .case_insensitive(options.case != Case::Sensitive)
            .build()
            .parse(&pattern);
        parsed.map_or(Query::All, |hir| Query::of(&hir))
    };
    Query::any(options.patterns.iter().map(parse))
}

enum Printer {
    Standard(Standard<Sink>),
    Summary(Summary<Sink>),
    Json(JSON<Vec<u8>>),
}

enum Outcome {
    Done {
        out: Vec<u8>,
        has_match: bool,
        stats: Stats,
    },
    Failed(i32),
    Unknown,
}

/// One thread's searcher and printer.
struct Worker<'w> {
    options: &'w Options,
    matcher: &'w RegexMatcher,
    /// The same pattern, for files that are ASCII.
    ascii: Option<&'w RegexMatcher>,
    plain: Option<Plain>,
    with_filename: bool,
    searcher: Searcher,
    printer: Printer,
    mapped: bool,
}

impl<'w> Worker<'w> {
    fn new(
        options: &'w Options,
        matcher: &'w RegexMatcher,
        ascii: Option<&'w RegexMatcher>,
        with_filename: bool,
        mapped: bool,
    ) -> Self {
        let (before, after) = options.context();
        let line_number = options.line_number.unwrap_or(match options.mode {
            Mode::Json => true,
            Mode::Lines => !options.quiet && (options.column || options.vimgrep),
            _ => false,
        });
        let searcher = SearcherBuilder::new()
            .max_matches(options.max_count)
            .invert_match(options.invert)
            .line_number(line_number && !(options.quiet && options.line_number.is_none()))
            .multi_line(options.multiline)
            .memory_map(MmapChoice::never())
            .before_context(before)
            .after_context(after)
            .build();
        Worker {
            options,
            matcher,
            ascii,
            plain: Plain::of(options),
            with_filename,
            searcher,
            printer: printer(options, with_filename),
            mapped,
        }
    }

    fn search(&mut self, file: &File<'_>) -> Outcome {
        let content: &Content = match file.content() {
            Ok(content) => content,
            Err(Unreadable::Errno(errno)) => return Outcome::Failed(errno),
            Err(_) => return Outcome::Unknown,
        };
        self.searcher.set_binary_detection(
            match (self.options.text, file.explicit || self.options.binary) {
                (true, _) => BinaryDetection::none(),
                (false, true) => BinaryDetection::convert(0),
                (false, false) => BinaryDetection::quit(0),
            },
        );
        let facts = content.facts();
        // A slice is what the real program searches when it maps; where there is no NUL and no mark it is all the same.
        let as_slice = self.mapped || (!facts.has_nul && !facts.has_bom);
        let matcher = match self.ascii {
            Some(ascii) if facts.is_ascii => ascii,
            _ => self.matcher,
        };
        if let Some(plain) = self.plain.as_ref().filter(|plain| plain.serves(content)) {
            let name = self.with_filename.then_some(file.name.as_slice());
            return match plain.search(&mut self.searcher, matcher, content, name) {
                Some(out) => Outcome::Done {
                    has_match: !out.is_empty(),
                    out,
                    stats: Stats::new(),
                },
                None => Outcome::Unknown,
            };
        }
        let path = Path::new(OsStr::from_bytes(&file.name));
        let searcher = &mut self.searcher;
        match &mut self.printer {
            Printer::Standard(printer) => {
                let mut sink = printer.sink_with_path(matcher, path);
                let result = match as_slice {
                    true => searcher.search_slice(matcher, content, &mut sink),
                    false => searcher.search_reader(matcher, &content[..], &mut sink),
                };
                let has_match = sink.has_match();
                drop(sink);
                if result.is_err() {
                    return Outcome::Unknown;
                }
                Outcome::Done {
                    out: std::mem::take(printer.get_mut().get_mut()),
                    has_match,
                    stats: Stats::new(),
                }
            }
            Printer::Summary(printer) => {
                let mut sink = printer.sink_with_path(matcher, path);
                let result = match as_slice {
                    true => searcher.search_slice(matcher, content, &mut sink),
                    false => searcher.search_reader(matcher, &content[..], &mut sink),
                };
                let has_match = sink.has_match();
                drop(sink);
                if result.is_err() {
                    return Outcome::Unknown;
                }
                Outcome::Done {
                    out: std::mem::take(printer.get_mut().get_mut()),
                    has_match,
                    stats: Stats::new(),
                }
            }
            Printer::Json(printer) => {
                let mut sink = printer.sink_with_path(matcher, path);
                let result = match as_slice {
                    true => searcher.search_slice(matcher, content, &mut sink),
                    false => searcher.search_reader(matcher, &content[..], &mut sink),
                };
                let (has_match, stats) = (sink.has_match(), sink.stats().clone());
                drop(sink);
                if result.is_err() {
                    return Outcome::Unknown;
                }
                Outcome::Done {
                    out: std::mem::take(printer.get_mut()),
                    has_match,
                    stats,
                }
            }
        }
    }
}

fn printer(options: &Options, with_filename: bool) -> Printer {
    let terminator = options.null.then_some(0);
    let summary = |kind| {
        Printer::Summary(
            SummaryBuilder::new()
                .exclude_zero(!options.include_zero)
                .kind(kind)
                .path(with_filename)
                .path_terminator(terminator)
                .separator_field(b":".to_vec())
                .build(NoColor::new(Vec::new())),
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
                .build(Vec::new()),
        ),
        Mode::Lines | Mode::Files => Printer::Standard(
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
                .build(NoColor::new(Vec::new())),
        ),
    }
}

/// Whether what was printed about a file says that it is binary.
fn says_binary(out: &[u8]) -> bool {
    memchr::memmem::find(out, b"binary file matches (found ").is_some()
}
