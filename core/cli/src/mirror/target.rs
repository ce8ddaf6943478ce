//! Where the copy is: over ssh, a TCP connection, or the streams of a command.

use std::io::{self, Read};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use curserve_twin::Streams;
use rustix::net::sockopt;

use crate::Failure;

/// A server that has said nothing for so long is not there.
const SILENT: Duration = Duration::from_secs(30);
/// How long a program that has ended its output may take to end.
const ENDING: Duration = Duration::from_secs(2);

/// Where the copy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `ssh://[USER@]HOST[:PORT][/FOLDER]`.
    Ssh {
        /// `[USER@]HOST`, as ssh takes it.
        host: String,
        /// The port, where it is another.
        port: Option<u16>,
        /// Where the copy lies there.
        folder: Option<String>,
    },
    /// `tcp:HOST:PORT`.
    Tcp(String),
    /// A command of a shell.
    Command(String),
}

impl Target {
    /// What `word` names.
    pub fn read(word: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| Failure::Usage(format!("mirror: {word}: {what}"));
        if let Some(address) = word.strip_prefix("tcp:") {
            let has_port = address
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
            return match has_port {
                true => Ok(Target::Tcp(address.to_owned())),
                false => Err(wrong("expected tcp:HOST:PORT")),
            };
        }
        let Some(rest) = word.strip_prefix("ssh://") else {
            return Err(wrong(
                "expected ssh://[USER@]HOST[:PORT][/FOLDER] or tcp:HOST:PORT",
            ));
        };
        let (place, folder) = match rest.find('/') {
            Some(at) => (&rest[..at], Some(&rest[at..])),
            None => (rest, None),
        };
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (
                host,
                Some(port.parse().map_err(|_| wrong("the port is no number"))?),
            ),
            None => (place, None),
        };
        // An option of ssh's would do something else.
        if host.is_empty() || host.starts_with('-') || host.contains(char::is_whitespace) {
            return Err(wrong("expected a host behind ssh://"));
        }
        let folder = folder.filter(|folder| folder.len() > 1).map(str::to_owned);
        Ok(Target::Ssh {
            host: host.to_owned(),
            port,
            folder,
        })
    }

    /// As a person reads it.
    pub fn shown(&self) -> String {
        match self {
            Target::Ssh { host, folder, .. } => {
                format!("ssh://{host}{}", folder.as_deref().unwrap_or("/"))
            }
            Target::Tcp(address) => format!("tcp:{address}"),
            Target::Command(command) => format!("`{command}`"),
        }
    }

    /// Makes a connection; `name` names the workspace to the server.
    ///
    /// # Errors
    /// Why there is none, and what to do.
    pub fn connect(&self, name: &str) -> Result<Streams, String> {
        match self {
            Target::Tcp(address) => tcp(address),
            Target::Command(command) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", command]);
                child(shell, self.shown())
            }
            Target::Ssh { host, port, folder } => {
                let mut ssh = Command::new("ssh");
                ssh.args([
                    "-T",
                    "-o",
                    "ServerAliveInterval=10",
                    "-o",
                    "ServerAliveCountMax=3",
                ]);
                if let Some(port) = port {
                    ssh.args(["-p", &port.to_string()]);
                }
                let mut there = format!("curserve mirror serve --stdio --name {name}");
                if let Some(folder) = folder {
                    there += &format!(" --root '{}'", folder.replace('\'', r"'\''"));
                }
                ssh.args(["--", host, &there]);
                child(ssh, format!("ssh {host}"))
            }
        }
    }
}

fn tcp(address: &str) -> Result<Streams, String> {
    let stream = TcpStream::connect(address).map_err(|error| {
        format!("{address}: no connection ({error}); is `curserve mirror serve` running there?")
    })?;
    streams(stream).map_err(|error| format!("{address}: {error}"))
}

/// The streams of a TCP connection; one whose other end has vanished breaks by itself.
pub fn streams(stream: TcpStream) -> io::Result<Streams> {
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(&stream, true)?;
    sockopt::set_tcp_keepidle(&stream, Duration::from_secs(15))?;
    sockopt::set_tcp_keepintvl(&stream, Duration::from_secs(5))?;
    sockopt::set_tcp_user_timeout(&stream, SILENT.as_millis() as u32)?;
    let (from, to) = (stream.try_clone()?, stream.try_clone()?);
    Ok(Streams {
        from: Box::new(from),
        to: Box::new(to),
        end: Box::new(move || drop(stream.shutdown(std::net::Shutdown::Both))),
    })
}

/// The streams of a program, which ends with them.
fn child(mut command: Command, shown: String) -> Result<Streams, String> {
    let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = started.map_err(|error| format!("{shown}: cannot be started: {error}"))?;
    let (Some(to), Some(from)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(format!("{shown}: has no streams"));
    };
    let child = Arc::new(Mutex::new(child));
    let theirs = Arc::clone(&child);
    Ok(Streams {
        from: Box::new(Output { from, child, shown }),
        to: Box::new(to),
        end: Box::new(move || {
            let mut child = theirs.lock().unwrap_or_else(PoisonError::into_inner);
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }),
    })
}

/// A program's output; its end says how the program ended.
struct Output {
    from: std::process::ChildStdout,
    child: Arc<Mutex<Child>>,
    shown: String,
}

impl Read for Output {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.from.read(into)? {
            0 => Err(io::Error::other(self.end())),
            count => Ok(count),
        }
    }
}

impl Output {
    fn end(&self) -> String {
        let until = Instant::now() + ENDING;
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let status = loop {
            match child.try_wait() {
                Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
                Ok(status) => break status,
                Err(_) => break None,
            }
        };
        let why = match status.and_then(|status| status.code()) {
            Some(127) => {
                "curserve is not installed there, or not on PATH: pip install curserve there"
                    .to_owned()
            }
            Some(255) => {
                "ssh could not connect, or was cut off; its own message says why".to_owned()
            }
            Some(0) => "it has ended".to_owned(),
            Some(code) => format!("it ended with exit code {code}"),
            None => "it has ended".to_owned(),
        };
        format!("{}: {why}", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_or_refused() {
        let read = |word: &str| Target::read(word).ok();
        let ssh = |host: &str, port, folder: Option<&str>| {
            let (host, folder) = (host.to_owned(), folder.map(str::to_owned));
            Some(Target::Ssh { host, port, folder })
        };
        assert_eq!(read("ssh://box/"), ssh("box", None, None));
        assert_eq!(
            read("ssh://me@box:2222/srv/copy"),
            ssh("me@box", Some(2222), Some("/srv/copy"))
        );
        assert_eq!(
            read("tcp:10.0.0.2:7000"),
            Some(Target::Tcp("10.0.0.2:7000".into()))
        );
        for wrong in [
            "ssh://",
            "ssh://-oProxyCommand=x/",
            "ssh://a b",
            "ssh://h:x",
            "tcp:7000",
            "tcp::1",
            "box",
            "http://x",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
