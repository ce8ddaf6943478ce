//! The daemon's handler: answers from memory, refuses what it does not understand exactly.
//!
//! The corpus loads in the background. Until it is there, file tools are answered from the file system, commands from
//! a glimpse of what their words name (`early`), and the rest is refused, so that a session can begin at once.
//! Every answer is as fresh as the file system: see [`Corpus::snapshot`].

use std::borrow::Cow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use curserve_corpus::{Corpus, Kind, Lens, Options, Snapshot};
use curserve_exec::Limits;
use curserve_native::files::{Glob, List, Read};
use curserve_native::search::Search;
use curserve_native::{edit, late, Due, Places};
use curserve_proto::{Answer, Call, Caller, Handler, Identity, Refusal};
use curserve_shell::{Called, Outcome};
use curserve_tools::{Deadline, Memory, Out, Stdin, World};
use serde_json::{json, Value};

use crate::apply::{apply, Failure};
use crate::copied::{Copied, Keeper};
use crate::idle::Idle;
use crate::programs::Programs;
use crate::{caller, early, keep, memory, native};

/// Answers the calls of one workspace.
pub struct Daemon {
    root: PathBuf,
    at: String,
    /// None where a link lies on the way to the root, which may be led elsewhere.
    places: Option<Places>,
    limits: Limits,
    world: World,
    programs: Programs,
    corpus: Arc<OnceLock<Result<Corpus, String>>>,
    load_ns: Arc<AtomicU64>,
    idle: Idle,
    panics: AtomicU64,
    /// Whether the session's shell lasts from call to call.
    lasting: bool,
    /// The root is a copy of a folder elsewhere.
    copied: Option<Copied>,
}

impl Daemon {
    /// A daemon on what the absolute path `root` leads to, seen by its callers at `at`, that begins to load it.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start(root: PathBuf, at: String, limits: Limits, world: World) -> std::io::Result<Self> {
        Self::begin(root, at, limits, world, None, None)
    }

    /// The same, with a state folder: there the index is kept for the next start, once it is loaded and nobody has asked for a
    /// while, and by [`Daemon::keep`].
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start_with(
        root: PathBuf,
        at: String,
        limits: Limits,
        world: World,
        state: Option<PathBuf>,
    ) -> std::io::Result<Self> {
        Self::begin(root, at, limits, world, state, None)
    }

    /// A daemon on a copy of a folder that lies elsewhere, at `at`. It asks nothing but the copy in memory, refuses what a
    /// copy does not have, and leaves edits to its `keeper`.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub fn on_copy(
        root: PathBuf,
        at: String,
        limits: Limits,
        world: World,
        keeper: Arc<dyn Keeper>,
    ) -> std::io::Result<Self> {
        Self::begin(root, at, limits, world, None, Some(keeper))
    }

    fn begin(
        root: PathBuf,
        at: String,
        limits: Limits,
        world: World,
        state: Option<PathBuf>,
        keeper: Option<Arc<dyn Keeper>>,
    ) -> std::io::Result<Self> {
        let corpus = Arc::new(OnceLock::new());
        let load_ns = Arc::new(AtomicU64::new(0));
        let (slot, time, folder) = (Arc::clone(&corpus), Arc::clone(&load_ns), root.clone());
        let options = Options {
            at: Some(PathBuf::from(&at)),
            state,
            lens: keeper.clone().map(|keeper| keeper as Arc<dyn Lens>),
            ..Options::default()
        };
        std::thread::Builder::new()
            .name("load".into())
            .spawn(move || {
                let began = Instant::now();
                memory::loading();
                let loaded = catch_unwind(AssertUnwindSafe(|| Corpus::load(&folder, options)));
                let loaded = match loaded {
                    Ok(loaded) => loaded.map_err(|error| error.to_string()),
                    Err(_) => Err("loading the folder panicked".to_owned()),
                };
                memory::loaded();
                time.store(began.elapsed().as_nanos() as u64, Ordering::Relaxed);
                let _ = slot.set(loaded);
                keep::soon(&slot);
            })?;
        let is_straight = root.canonicalize().is_ok_and(|real| real == root);
        let places = is_straight.then(|| Places::new(&root, &at).confined());
        Ok(Daemon {
            root,
            at,
            places,
            limits,
            world,
            programs: Programs::default(),
            corpus,
            load_ns,
            idle: Idle::start()?,
            panics: AtomicU64::new(0),
            lasting: false,
            copied: keeper.map(Copied),
        })
    }

    /// The same, for a session whose shell lasts from call to call (docs/PROTOCOL.md, `cwd`).
    pub fn lasting(mut self, lasting: bool) -> Self {
        self.lasting = lasting;
        self
    }

    /// The same; what the programs of its callers say of themselves is kept in the file `cache`.
    pub fn remembering(mut self, cache: Option<PathBuf>) -> Self {
        self.programs = Programs::new(cache);
        self
    }

    /// Keeps the index in the state folder, where there is one and enough is new: for the end.
    pub fn keep(&self) {
        if let Some(Ok(corpus)) = self.corpus.get() {
            keep::now(corpus);
        }
    }

    /// Wait until the corpus is there; why not, if it cannot be.
    ///
    /// # Errors
    /// The reason why it cannot be.
    pub fn wait(&self) -> Result<(), String> {
        loop {
            match self.corpus.get() {
                Some(Ok(_)) => return Ok(()),
                Some(Err(reason)) => return Err(reason.clone()),
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// The tree now; while it loads, what lies along the words of `text`, which may not be all that it asks for.
    fn snapshot(&self, text: &[u8], cwd: &str) -> Result<Snapshot, Answer> {
        let found = match self.corpus.get() {
            None if self.copied.is_some() => return Err(unloaded(&"the copy is being read")),
            None => early::glimpse(&self.root, &self.at, text, cwd.as_bytes()),
            Some(Err(reason)) => return Err(unloaded(reason)),
            Some(Ok(corpus)) => corpus.snapshot(),
        };
        found.map_err(|error| unloaded(&error))
    }

    /// Runs `answer`, and says of a refusal that it came while the folder loads; once more where the tree moved on
    /// under it (a file that was gone when it should be read). Out of time it has failed, as the real programs would have:
    /// they are not to begin then.
    fn steadily(
        &self,
        call: &Call,
        answer: impl Fn(Deadline) -> Result<Answer, Answer>,
    ) -> Result<Answer, Answer> {
        const TRIES: usize = 4;
        let timeout = self.timeout(call);
        let deadline = Deadline::after(timeout);
        let mut tries = 0;
        loop {
            let loading = self.corpus.get().is_none();
            let mut given = answer(deadline);
            let Err(Answer {
                refused: Some(refusal),
                ..
            }) = &mut given
            else {
                return given;
            };
            if deadline.has_passed() {
                return Err(late(timeout));
            }
            if loading {
                **refusal = Refusal::Loading(refusal.to_string());
                return given;
            }
            tries += 1;
            if tries == TRIES
                || self.copied.is_some()
                || !matches!(**refusal, Refusal::NotInMemory(_))
            {
                return given;
            }
        }
    }

    fn bash(&self, call: &Call, cwd: &str, deadline: Deadline) -> Result<Answer, Answer> {
        if let Some(argv) = call.arguments.get("argv") {
            let argv = argv.as_array().and_then(|list| {
                list.iter()
                    .map(|word| word.as_str().map(|word| word.as_bytes().to_vec()))
                    .collect::<Option<Vec<_>>>()
            });
            let argv =
                argv.ok_or_else(|| Answer::misused("bash: argv is not a list of strings"))?;
            return self.program(call, &argv, cwd, deadline);
        }
        let command = call
            .text("command")
            .ok_or_else(|| Answer::misused("bash: no command (a string) among the arguments"))?;
        let world = self.world_of(call)?;
        let snapshot = self.snapshot(command.as_bytes(), cwd)?;
        let limits = curserve_shell::Limits {
            output: self.limits.output,
            deadline,
            memory: self.limits.values,
            ..curserve_shell::Limits::default()
        };
        let (world, place) = (world.as_ref(), cwd.as_bytes());
        if let Some(caller) = &call.caller {
            let answer = curserve_shell::run_called(
                world,
                &snapshot,
                command,
                place,
                limits,
                called(caller),
            );
            let answer = answer.map_err(Answer::refused)?;
            return Ok(Answer::done(answer.exit_code, answer.stdout, answer.stderr));
        }
        let Outcome {
            answer,
            writes,
            folder,
        } = curserve_shell::run_writing(world, &snapshot, command, place, limits, self.lasting)
            .map_err(Answer::refused)?;
        let cwd = match folder.filter(|_| self.lasting).map(String::from_utf8) {
            Some(Err(_)) => return undefined("a folder whose name is not UTF-8"),
            Some(Ok(folder)) => Some(folder.into_boxed_str()),
            None => None,
        };
        if let (Some(copied), false) = (&self.copied, writes.is_empty()) {
            copied.apply(&writes, &snapshot)?;
        } else if !writes.is_empty() {
            match apply(&self.root, snapshot.at(), &writes) {
                Ok(()) => {}
                Err(Failure::Nothing(why)) => return undefined(why),
                Err(Failure::Half(why)) => return Err(Answer::failed(why)),
            }
        }
        Ok(Answer {
            cwd,
            ..Answer::done(answer.exit_code, answer.stdout, answer.stderr)
        })
    }

    /// The world of a call: the caller's, or the pinned one.
    fn world_of(&self, call: &Call) -> Result<Cow<'_, World>, Answer> {
        match &call.caller {
            None => Ok(Cow::Borrowed(&self.world)),
            Some(caller) => caller::world(&self.world, caller, &self.programs)
                .map(Cow::Owned)
                .map_err(Answer::refused),
        }
    }

    /// One tool, without a shell around it.
    fn program(
        &self,
        call: &Call,
        argv: &[Vec<u8>],
        cwd: &str,
        deadline: Deadline,
    ) -> Result<Answer, Answer> {
        let world = self.world_of(call)?;
        let snapshot = self.snapshot(&argv.join(&b' '), cwd)?;
        let name = argv
            .first()
            .ok_or_else(|| Answer::failed("bash: argv is empty"))?;
        curserve_tools::fits(argv).map_err(Answer::refused)?;
        if call.caller.as_ref().is_some_and(|it| it.has_input)
            && !curserve_shell::leaves_input(argv)
        {
            return undefined("standard input, which is not known here");
        }
        let memory = Memory::new(self.limits.values);
        let stream = || Out::within(self.limits.output, &memory);
        let (mut out, mut err) = (stream(), stream());
        let mut call = curserve_tools::Call {
            args: argv,
            stdin: Stdin::DevNull,
            cwd: cwd.as_bytes(),
            snapshot: &snapshot,
            world: &world,
            out: &mut out,
            err: &mut err,
            writes: None,
            deadline,
            memory: &memory,
        };
        let code = curserve_tools::run(name, &mut call).map_err(Answer::refused)?;
        if out.overflowed() || err.overflowed() {
            let reason = "more output than the daemon may hold";
            return Err(Answer::refused(Refusal::TooLarge(reason.into())));
        }
        Ok(Answer::done(code, out.into_bytes(), err.into_bytes()))
    }

    fn grep(&self, call: &Call, cwd: &str, deadline: Deadline) -> Result<Answer, Answer> {
        let search = match &self.copied {
            None => Search::new(call, |path| {
                curserve_native::search::is_file(&self.places().real(cwd, path))
            })?,
            Some(_) => {
                let snapshot = self.snapshot(b"", cwd)?;
                Search::new(call, |path| {
                    let found = snapshot.resolve(cwd.as_bytes(), path.as_bytes(), true);
                    found.is_ok_and(|node| node.kind() != Kind::Folder)
                })?
            }
        };
        let argv: Vec<Vec<u8>> = search
            .arguments()
            .iter()
            .map(|word| word.clone().into_bytes())
            .collect();
        let mut answer = self.program(call, &argv, cwd, deadline)?;
        answer.stdout = search.finish(answer.stdout);
        Ok(answer)
    }

    fn read(&self, call: &Call, cwd: &str) -> Result<Answer, Answer> {
        let (ask, most, due) = (Read::new(call)?, self.limits.output, self.due(call));
        if let Some(snapshot) = self.loaded() {
            if let Some(answer) = native::read(&ask, &snapshot, cwd, most, due)? {
                return Ok(answer);
            }
        }
        self.has_disk()?;
        ask.on_disk(&self.places(), cwd, most, due)
    }

    fn list(&self, call: &Call, cwd: &str) -> Result<Answer, Answer> {
        let (ask, due) = (List::new(call)?, self.due(call));
        if let Some(snapshot) = self.loaded() {
            if let Some(answer) = native::list(&ask, &snapshot, cwd, due)? {
                return Ok(answer);
            }
        }
        self.has_disk()?;
        ask.on_disk(&self.places(), cwd, due)
    }

    fn glob(&self, call: &Call, cwd: &str) -> Result<Answer, Answer> {
        let (ask, due) = (Glob::new(call)?, self.due(call));
        if let Some(snapshot) = self.loaded() {
            if let Some(answer) = native::glob(&ask, &snapshot, &self.places(), cwd, due)? {
                return Ok(answer);
            }
        }
        self.has_disk()?;
        ask.on_disk(&self.places(), cwd, due)
    }

    /// Refuses what would have to be looked up on the disk of a copy.
    fn has_disk(&self) -> Result<(), Answer> {
        match &self.copied {
            None => Ok(()),
            Some(_) => undefined("not plainly in the copy"),
        }
    }

    /// The tree of a copy, whole; a refusal where it is not in memory.
    fn copy(&self) -> Result<Snapshot, Answer> {
        self.snapshot(b"", &self.at)
    }

    /// The names in these folders of a copy (below the root) may lie in another order now.
    pub fn rearranged<'f>(&self, folders: impl Iterator<Item = &'f [u8]>) {
        if let Some(Ok(corpus)) = self.corpus.get() {
            corpus.rearranged(folders);
        }
    }

    /// The tree now, if it is in memory.
    fn loaded(&self) -> Option<Snapshot> {
        self.corpus.get()?.as_ref().ok()?.snapshot().ok()
    }

    /// Where paths lead now.
    fn places(&self) -> Cow<'_, Places> {
        match &self.places {
            Some(places) => Cow::Borrowed(places),
            None => {
                let root = self.root.canonicalize();
                let root = root.as_ref().unwrap_or(&self.root);
                Cow::Owned(Places::new(root, &self.at).confined())
            }
        }
    }

    /// A working folder that lies in the root by way of a link from outside, by the path that has no link: it is what the
    /// system calls it.
    fn straight(&self, call: &Call, cwd: &str) -> Option<String> {
        let is_real = Path::new(&self.at) == self.root;
        if !is_real
            || self.lasting
            || self.copied.is_some()
            || call.caller.is_some()
            || Path::new(cwd).starts_with(&self.at)
        {
            return None;
        }
        let real = Path::new(cwd).canonicalize().ok()?;
        real.starts_with(&self.at)
            .then(|| real.to_str().map(str::to_owned))?
    }

    fn timeout(&self, call: &Call) -> Duration {
        let timeout = call.timeout_ms.map(Duration::from_millis);
        timeout.unwrap_or(self.limits.timeout)
    }

    fn due(&self, call: &Call) -> Due {
        Due::after(self.timeout(call))
    }

    fn answer(&self, call: &Call) -> Result<Answer, Answer> {
        let cwd = call.cwd.as_deref().unwrap_or(&self.at);
        if let Some(copied) = &self.copied {
            match call.tool.as_str() {
                _ if call.caller.is_some() => return undefined("a caller, which is not here"),
                "edit" => return copied.edit(call, &self.copy()?, cwd),
                "write" => return copied.write(call, &self.copy()?, cwd),
                _ => {}
            }
        }
        let straight = self.straight(call, cwd);
        let cwd = straight.as_deref().unwrap_or(cwd);
        match call.tool.as_str() {
            "bash" => self.steadily(call, |deadline| self.bash(call, cwd, deadline)),
            "grep" => self.steadily(call, |deadline| self.grep(call, cwd, deadline)),
            "read" => self.read(call, cwd),
            "list" => self.list(call, cwd),
            "glob" => self.glob(call, cwd),
            "edit" => edit::edit(call, &self.places(), cwd, self.limits.file),
            "write" => edit::write(call, &self.places(), cwd),
            other => {
                let refusal = Refusal::UnknownProgram(format!("no tool {other:?}"));
                Err(Answer::refused(refusal))
            }
        }
    }
}

/// The shell that a caller is.
fn called(given: &Caller) -> curserve_shell::Caller<'_> {
    let name = given.shell.as_deref().unwrap_or("bash");
    let shell = match name.rsplit('/').next() {
        Some("sh" | "dash") => Called::Dash,
        _ => Called::Bash(name),
    };
    curserve_shell::Caller {
        shell,
        has_input: given.has_input,
        merged: given.merged,
        sorts_otherwise: caller::sorts_otherwise(given),
    }
}

/// The refusal while there is no tree to answer from.
fn unloaded(why: &impl ToString) -> Answer {
    Answer::refused(Refusal::Unloaded(why.to_string()))
}

fn undefined<T>(why: impl Into<String>) -> Result<T, Answer> {
    Err(Answer::refused(Refusal::Undefined(why.into())))
}

impl Handler for Daemon {
    fn identity(&self) -> Identity {
        Identity {
            program: "daemon".into(),
            program_version: env!("CARGO_PKG_VERSION").into(),
            root: self.root.to_string_lossy().into_owned(),
            at: self.at.clone(),
        }
    }

    fn call(&self, call: &Call) -> Answer {
        let _running = self.idle.call();
        // A defect must cost one refusal, not the daemon: nothing here is left half-changed by unwinding, since
        // answers are made from an immutable snapshot.
        match catch_unwind(AssertUnwindSafe(|| self.answer(call))) {
            Ok(answer) => answer.unwrap_or_else(|other| other),
            Err(_) => {
                self.panics.fetch_add(1, Ordering::Relaxed);
                Answer::refused(Refusal::Defect("the daemon met a defect of its own".into()))
            }
        }
    }

    /// Whether the call is answered in microseconds: not what may search or walk the whole tree.
    fn is_quick(&self, call: &Call) -> bool {
        match call.tool.as_str() {
            "bash" => call.text("command").is_some_and(curserve_shell::is_quick),
            "read" | "list" => true,
            _ => false,
        }
    }

    fn serves_callers(&self) -> bool {
        true
    }

    fn stats(&self) -> Value {
        let mut stats = json!({
            "loaded": matches!(self.corpus.get(), Some(Ok(_))) && self.world.unknown.get().is_some(),
            "load_s": self.load_ns.load(Ordering::Relaxed) as f64 / 1e9,
            "panics": self.panics.load(Ordering::Relaxed),
        });
        match self.corpus.get() {
            Some(Ok(corpus)) => {
                let counters = corpus.counters();
                stats["rescans"] = counters.rescans.into();
                stats["files_read"] = counters.files_read.into();
                stats["unwatched"] = counters.unwatched.into();
                stats["recalled"] = counters.recalled.into();
                if let Some(trouble) = corpus.trouble() {
                    stats["state_trouble"] = trouble.into();
                }
            }
            Some(Err(reason)) => stats["trouble"] = reason.as_str().into(),
            None => {}
        }
        stats
    }
}
