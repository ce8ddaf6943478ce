//! A client that has started us, over standard input and output.

use std::fs::{File, OpenOptions};
use std::io::IsTerminal;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::UnixStream as Socket;
use std::sync::Arc;

use rmcp::service::ServerInitializeError;
use rmcp::ServiceExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{unix::pipe, UnixStream};

use crate::complaints;
use crate::ended::Ended;
use crate::roots::Roots;
use crate::server::Server;

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

/// Serves the client until it closes standard input.
///
/// # Errors
/// Where it does not speak the protocol.
pub async fn serve(roots: Arc<Roots>, page: usize) -> Result<(), Ended> {
    if std::io::stdin().is_terminal() {
        eprintln!("curserve mcp: an MCP client is to start this program and to speak over its standard input; Ctrl-D ends it");
    }
    complaints::say();
    let served = Server::new(roots, page).serve((reader(), writer())).await;
    let service = served.map_err(|error| {
        (
            2,
            format!("the client does not speak MCP: {}", first_words(&error)),
        )
    })?;
    let ended = service.waiting().await;
    ended
        .map(drop)
        .map_err(|error| (3, format!("the connection ended: {error}")))
}

/// What went wrong before the first request, in a line.
fn first_words(error: &ServerInitializeError) -> String {
    match error {
        ServerInitializeError::ConnectionClosed(_) if complaints::were_said() => {
            "it left without a message that is one".into()
        }
        ServerInitializeError::ConnectionClosed(_) => "it left before `initialize`".into(),
        ServerInitializeError::ExpectedInitializeRequest(_) => {
            "its first message is not `initialize`".into()
        }
        ServerInitializeError::InitializeFailed(why) => why.message.to_string(),
        other => other
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned(),
    }
}

/// Standard input. What comes through a pipe or a socket, as it does from every client, is read by our one thread: any
/// other way a second thread is woken for each message.
fn reader() -> Reader {
    let stdin = std::io::stdin();
    if let Some(file) = reopened(stdin.as_fd(), false) {
        if let Ok(pipe) = pipe::Receiver::from_file(file) {
            return Box::new(pipe);
        }
    }
    match socket(stdin.as_fd()) {
        Some(socket) => Box::new(socket),
        None => Box::new(tokio::io::stdin()),
    }
}

/// Standard output, likewise.
fn writer() -> Writer {
    let stdout = std::io::stdout();
    if let Some(file) = reopened(stdout.as_fd(), true) {
        if let Ok(pipe) = pipe::Sender::from_file(file) {
            return Box::new(pipe);
        }
    }
    match socket(stdout.as_fd()) {
        Some(socket) => Box::new(socket),
        None => Box::new(tokio::io::stdout()),
    }
}

/// The pipe behind `fd`, opened anew: whether one waits is a matter of the opening, which we share with whoever started us.
fn reopened(fd: BorrowedFd<'_>, write: bool) -> Option<File> {
    let is_pipe = |file: &File| file.metadata().is_ok_and(|meta| meta.file_type().is_fifo());
    let file = File::from(fd.try_clone_to_owned().ok()?);
    if !is_pipe(&file) {
        return None;
    }
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let mut options = OpenOptions::new();
    options
        .read(!write)
        .write(write)
        .custom_flags(libc::O_NONBLOCK);
    options.open(path).ok().filter(is_pipe)
}

/// The socket behind `fd`. It cannot be opened anew; whoever started us has the other end of it, not this one.
fn socket(fd: BorrowedFd<'_>) -> Option<UnixStream> {
    let file = File::from(fd.try_clone_to_owned().ok()?);
    if !file.metadata().ok()?.file_type().is_socket() {
        return None;
    }
    let socket = Socket::from(std::os::fd::OwnedFd::from(file));
    socket.local_addr().ok()?; // of another family it would be an error
    socket.set_nonblocking(true).ok()?;
    UnixStream::from_std(socket).ok()
}
