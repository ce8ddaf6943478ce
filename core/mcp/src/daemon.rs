//! Connections to the daemon of one folder: as many as there are calls at once, kept for the next ones.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use curserve_proto::{write_frame, MAX_HEADER, MAX_PAYLOAD, VERSION};
use curserve_run::{known, resident};
use serde_json::{json, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;

/// More calls at once wait for each other: the daemon answers 64 at once.
const AT_ONCE: usize = 64;
/// How long a daemon stays when nobody is connected.
const LEAVE: Duration = Duration::from_secs(600);
/// How long one may take to say who it is.
const SILENCE: Duration = Duration::from_secs(5);

/// Where a daemon is.
enum Place {
    /// The folder, by its real path: its daemon is started where none runs.
    Root(PathBuf),
    /// The socket.
    Session(PathBuf),
}

/// One connection, and what the daemon has said of itself there.
struct Connection {
    stream: UnixStream,
    /// Where its callers see the folder.
    at: String,
    /// Whether it answers in somebody's place, and so writes nothing.
    serves_callers: bool,
}

/// What came of a call.
#[derive(Debug, Default)]
pub struct Given {
    /// As a shell reports it.
    pub exit_code: Option<i64>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Why it was not executed, and the reason's kind.
    pub refused: Option<(String, String)>,
    /// Why there is no answer.
    pub failed: Option<String>,
}

/// The daemon of one folder.
pub struct Daemon {
    place: Place,
    idle: Mutex<Vec<Connection>>,
    places: Semaphore,
    /// Only one of us starts it.
    starting: tokio::sync::Mutex<Option<resident::Lease>>,
}

impl Daemon {
    /// The daemon of the real path `root`, which is started by the first call.
    pub fn of_root(root: PathBuf) -> Daemon {
        Daemon::at(Place::Root(root))
    }

    /// The daemon at `socket`.
    pub fn of_session(socket: PathBuf) -> Daemon {
        Daemon::at(Place::Session(socket))
    }

    fn at(place: Place) -> Daemon {
        Daemon {
            place,
            idle: Mutex::new(Vec::new()),
            places: Semaphore::new(AT_ONCE),
            starting: tokio::sync::Mutex::new(None),
        }
    }

    /// Where its callers see the folder.
    ///
    /// # Errors
    /// Where there is no daemon.
    pub async fn place(&self) -> Result<String, String> {
        let connection = self.connected().await?;
        let at = connection.at.clone();
        self.kept(connection);
        Ok(at)
    }

    /// What comes of `call` (docs/PROTOCOL.md), which has no `id`. To drop the future leaves the daemon to finish for nobody.
    ///
    /// # Errors
    /// Where there is no daemon to ask, or one that would do what a `caller` only asks about.
    pub async fn call(&self, mut call: Value) -> Result<Given, String> {
        let place = self.places.acquire().await;
        let _place = place.map_err(|error| error.to_string())?;
        let is_callers = call.get("caller").is_some();
        call["id"] = 1.into();
        call["op"] = "call".into();
        let frame = framed(&call)?;
        // A daemon that has ended since has left its connections here. Every call reads, so that it may be made again.
        while let Some(mut connection) = self.taken() {
            self.may_be_asked(&connection, is_callers)?;
            if let Some(given) = asked(&mut connection.stream, &frame).await {
                self.kept(connection);
                return Ok(given);
            }
        }
        let mut connection = self.connected().await?;
        self.may_be_asked(&connection, is_callers)?;
        let given = asked(&mut connection.stream, &frame).await;
        let gone = || {
            format!(
                "{} ended in the middle of the call; ask again",
                self.shown()
            )
        };
        let given = given.ok_or_else(gone)?;
        self.kept(connection);
        Ok(given)
    }

    /// A worker knows no callers: it would execute the line.
    fn may_be_asked(&self, connection: &Connection, is_callers: bool) -> Result<(), String> {
        match connection.serves_callers || !is_callers {
            true => Ok(()),
            false => Err(format!(
                "{} would execute the line, not only read; `curserve serve` answers such lines",
                self.shown()
            )),
        }
    }

    fn taken(&self) -> Option<Connection> {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    fn kept(&self, connection: Connection) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
    }

    fn shown(&self) -> String {
        match &self.place {
            Place::Root(root) => format!("the daemon of {}", root.display()),
            Place::Session(socket) => format!("the daemon at {}", socket.display()),
        }
    }

    /// A new connection, to a daemon that is started if need be.
    async fn connected(&self) -> Result<Connection, String> {
        let root = match &self.place {
            Place::Session(socket) => {
                let found = welcomed(socket, None).await;
                return found.map_err(|why| format!("{}: {why}; is it running?", self.shown()));
            }
            Place::Root(root) => root,
        };
        let folder = known::folder();
        let socket = known::socket(&folder, root);
        if known::is_private(&folder) {
            if let Ok(found) = welcomed(&socket, Some(root)).await {
                return Ok(found);
            }
        }
        let mut lease = self.starting.lock().await;
        // It holds what it has found until the next one is needed, so that the daemon stays.
        let wanted = root.clone();
        let found = tokio::task::spawn_blocking(move || resident::find_or_start(&wanted, LEAVE));
        *lease = Some(found.await.map_err(|error| error.to_string())??);
        let found = welcomed(&socket, Some(root)).await;
        found.map_err(|why| format!("{}: {why}", self.shown()))
    }
}

/// A connection to `socket`, whose daemon has said who it is; of `root`, if that is known.
async fn welcomed(socket: &Path, root: Option<&Path>) -> Result<Connection, String> {
    let connect = async {
        let mut stream = UnixStream::connect(socket)
            .await
            .map_err(|error| error.to_string())?;
        let frame = framed(&json!({"id": 0, "op": "hello", "version": VERSION}))?;
        let said = exchanged(&mut stream, &frame).await;
        let (hello, _) = said.ok_or_else(|| "it does not speak our protocol".to_owned())?;
        Ok::<_, String>((stream, hello))
    };
    let (stream, hello) = tokio::time::timeout(SILENCE, connect)
        .await
        .map_err(|_| format!("no answer for {} s", SILENCE.as_secs()))??;
    let text = |name: &str| hello.get(name).and_then(Value::as_str);
    if root.is_some_and(|root| text("root") != root.to_str()) {
        return Err("it serves another folder".into());
    }
    Ok(Connection {
        at: text("at")
            .ok_or("it does not say which folder it serves")?
            .to_owned(),
        serves_callers: text("mounts").is_some(),
        stream,
    })
}

fn framed(header: &Value) -> Result<Vec<u8>, String> {
    let header = header.to_string();
    if header.len() > MAX_HEADER {
        return Err(format!(
            "arguments of {} bytes: at most {MAX_HEADER} can be asked",
            header.len()
        ));
    }
    let mut frame = Vec::new();
    write_frame(&mut frame, header.as_bytes(), &[]).map_err(|error| error.to_string())?;
    Ok(frame)
}

/// The answer to a call; None where the connection has ended, or has been closed.
async fn asked(stream: &mut UnixStream, frame: &[u8]) -> Option<Given> {
    let (header, mut stdout) = exchanged(stream, frame).await?;
    let text = |name: &str| header.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(error) = text("error") {
        let is_closed = header.get("id").is_none_or(Value::is_null);
        return (!is_closed).then(|| Given {
            failed: Some(error),
            ..Given::default()
        });
    }
    let printed = usize::try_from(header.get("stdout_len")?.as_u64()?).ok()?;
    let stderr = (printed <= stdout.len()).then(|| stdout.split_off(printed))?;
    Some(Given {
        exit_code: header.get("exit_code").and_then(Value::as_i64),
        stdout,
        stderr,
        refused: text("refused").map(|why| (why, text("refusal").unwrap_or_default())),
        failed: text("failed"),
    })
}

/// Sends `frame`, and receives one.
async fn exchanged(stream: &mut UnixStream, frame: &[u8]) -> Option<(Value, Vec<u8>)> {
    stream.write_all(frame).await.ok()?;
    let mut lengths = [0; 8];
    stream.read_exact(&mut lengths).await.ok()?;
    let length = |at: usize| {
        let bytes = lengths[at..at + 4].try_into().expect("four bytes");
        u32::from_le_bytes(bytes) as usize
    };
    let (header, payload) = (length(0), length(4));
    if header > MAX_HEADER || payload > MAX_PAYLOAD {
        return None;
    }
    let header = exactly(stream, header).await?;
    let payload = exactly(stream, payload).await?;
    Some((serde_json::from_slice(&header).ok()?, payload))
}

/// The next `length` bytes; room grows with what really arrives.
async fn exactly(stream: &mut UnixStream, length: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length.min(64 << 10));
    stream
        .take(length as u64)
        .read_to_end(&mut bytes)
        .await
        .ok()?;
    (bytes.len() == length).then_some(bytes)
}
