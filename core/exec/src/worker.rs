//! The worker: the handler that answers every call with the real thing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use curserve_native::files::{Glob, List, Read};
use curserve_native::search::{is_file, Search};
use curserve_native::{edit, Due, Places};
use curserve_proto::{Answer, Call, Handler, Identity};
use serde_json::{json, Value};

use crate::gauges::Gauges;
use crate::guard::Guard;
use crate::shell::Runner;
use crate::world::World;

/// Executes calls in one world.
pub struct Worker {
    world: World,
    places: Places,
    runner: Runner,
    guard: Arc<Guard>,
}

impl Worker {
    /// Prepare a worker; `alone` says that this process is the first of its own PID namespace, `gauges` what memory is left.
    ///
    /// # Errors
    /// Where the machine has no `bash` or no `/dev/null`.
    pub fn new(world: World, gauges: Gauges, alone: bool) -> io::Result<Self> {
        let guard = Guard::start(world.limits, world.root.clone(), gauges, alone);
        let places = Places::new(&world.root, &world.at);
        Ok(Worker {
            places,
            runner: Runner::new(world.clone(), Arc::clone(&guard))?,
            guard,
            world,
        })
    }

    fn bash(&self, call: &Call, cwd: &str, timeout: Duration) -> Answer {
        if let Some(argv) = call.arguments.get("argv") {
            let Some(argv) = argv
                .as_array()
                .and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<_>>>())
            else {
                return Answer::misused("bash: argv is not a list of strings");
            };
            let argv: Vec<String> = argv
                .iter()
                .map(|argument| self.places.inward(argument))
                .collect();
            let argv: Vec<&[u8]> = argv.iter().map(String::as_bytes).collect();
            return self.outward(self.runner.direct(&argv, &self.folder(cwd), timeout));
        }
        match call.text("command") {
            Some(command) => self.outward(self.runner.bash(
                &self.places.inward(command),
                &self.folder(cwd),
                timeout,
            )),
            None => Answer::misused("bash: no command (a string) among the arguments"),
        }
    }

    /// The answer of a tool that has written, unless that was more than the session may.
    fn written(&self, answer: Result<Answer, Answer>) -> Result<Answer, Answer> {
        self.guard.check_disk().map_err(Answer::failed)?;
        answer
    }

    /// Where the working directory really is.
    fn folder(&self, cwd: &str) -> String {
        self.places.real(cwd, "").to_string_lossy().into_owned()
    }

    fn outward(&self, mut answer: Answer) -> Answer {
        answer.stdout = self.places.outward(answer.stdout);
        answer.stderr = self.places.outward(answer.stderr);
        answer.cwd = answer.cwd.map(|cwd| {
            let outside = self.places.outward(String::from(cwd).into_bytes());
            String::from_utf8_lossy(&outside).into()
        });
        answer
    }

    fn grep(&self, call: &Call, cwd: &str, timeout: Duration) -> Result<Answer, Answer> {
        let search = Search::new(call, |path| is_file(&self.places.real(cwd, path)))?;
        let argv: Vec<String> = search
            .arguments()
            .iter()
            .map(|argument| self.places.inward(argument))
            .collect();
        let argv: Vec<&[u8]> = argv.iter().map(String::as_bytes).collect();
        let mut answer = self.outward(self.runner.direct(&argv, &self.folder(cwd), timeout));
        answer.stdout = search.finish(answer.stdout);
        Ok(answer)
    }
}

impl Handler for Worker {
    fn identity(&self) -> Identity {
        Identity {
            program: "worker".into(),
            program_version: env!("CARGO_PKG_VERSION").into(),
            root: self.world.root.to_string_lossy().into_owned(),
            at: self.world.at.clone(),
        }
    }

    fn call(&self, call: &Call) -> Answer {
        if let Some(reason) = self.guard.broken() {
            return Answer::failed(reason);
        }
        let cwd = call.cwd.as_deref().unwrap_or(&self.world.at);
        let timeout = call
            .timeout_ms
            .map_or(self.world.limits.timeout, Duration::from_millis);
        let due = || Due::after(timeout);
        match call.tool.as_str() {
            "bash" => Ok(self.bash(call, cwd, timeout)),
            "grep" => self.grep(call, cwd, timeout),
            "glob" => Glob::new(call).and_then(|glob| glob.on_disk(&self.places, cwd, due())),
            "read" => {
                let most = self.world.limits.output;
                Read::new(call).and_then(|read| read.on_disk(&self.places, cwd, most, due()))
            }
            "list" => List::new(call).and_then(|list| list.on_disk(&self.places, cwd, due())),
            "edit" => self.written(edit::edit(call, &self.places, cwd, self.world.limits.file)),
            "write" => self.written(edit::write(call, &self.places, cwd)),
            other => Err(Answer::failed(format!("the worker has no tool {other:?}"))),
        }
        .unwrap_or_else(|wrong| wrong)
    }

    fn stats(&self) -> Value {
        json!({"reaped": self.guard.reaped()})
    }
}
