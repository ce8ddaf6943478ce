//! Clients on the loopback, over streamable HTTP: whoever has the token.

use std::convert::Infallible;
use std::fs::File;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{HeaderValue, AUTHORIZATION, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::ended::Ended;
use crate::options::Listen;
use crate::roots::Roots;
use crate::server::Server;

type Service = StreamableHttpService<Server, LocalSessionManager>;
type Body = http_body_util::combinators::BoxBody<hyper::body::Bytes, Infallible>;

/// Where it is served.
const PATH: &str = "/mcp";
/// More connections at once wait.
const CONNECTIONS: usize = 256;
/// A token that is shorter can be guessed.
const SHORTEST: usize = 16;
/// How long a request's head may take.
const HEAD: Duration = Duration::from_secs(10);
/// A message has only words in it.
const LONGEST: usize = 16 << 20;

/// Serves until the process is ended.
///
/// # Errors
/// Where the address or the token cannot be had.
pub async fn serve(roots: Arc<Roots>, page: usize, listen: &Listen) -> Result<(), Ended> {
    let (token, is_new) = token(listen.token.as_deref())?;
    let listener = TcpListener::bind(listen.address).await;
    let listener = listener.map_err(|error| (3, format!("--http {}: {error}", listen.address)))?;
    let address = listener
        .local_addr()
        .map_err(|error| (3, error.to_string()))?;
    announce(address, is_new.then_some(token.as_str()))?;
    let config = StreamableHttpServerConfig::default()
        .with_max_request_body_bytes(LONGEST)
        // A page in a browser is told nothing, unless it came from this machine; it would need the token besides.
        .with_allowed_origins(["http://localhost:*", "http://127.0.0.1:*", "http://[::1]:*"]);
    let service = Service::new(
        move || Ok(Server::new(Arc::clone(&roots), page)),
        Arc::new(LocalSessionManager::default()),
        config,
    );
    let (token, places) = (Arc::new(token), Arc::new(Semaphore::new(CONNECTIONS)));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return Ok(());
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // No descriptors are left, or the client has gone: others may come.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (service, token) = (service.clone(), Arc::clone(&token));
        tokio::spawn(async move {
            connection(stream, service, token).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, service: Service, token: Arc<String>) {
    let _ = stream.set_nodelay(true);
    let answer = service_fn(move |request: Request<Incoming>| {
        let (service, token) = (service.clone(), Arc::clone(&token));
        async move { Ok::<_, Infallible>(answered(request, &service, &token).await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD);
    // What goes wrong with one connection is told to its client, if at all.
    let _ = server.serve_connection(TokioIo::new(stream), answer).await;
}

async fn answered(request: Request<Incoming>, service: &Service, token: &str) -> Response<Body> {
    if !is_allowed(request.headers(), token) {
        let mut response = said(
            StatusCode::UNAUTHORIZED,
            "curserve mcp: send the token as `Authorization: Bearer …`\n",
        );
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        return response;
    }
    match request.uri().path() {
        PATH => service.handle(request).await,
        _ => said(
            StatusCode::NOT_FOUND,
            "curserve mcp: MCP is served at /mcp\n",
        ),
    }
}

fn said(status: StatusCode, line: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::new(http_body_util::Full::new(line.into())));
    *response.status_mut() = status;
    response
}

/// Whether the request has the token; how much of it is right does not show in how long this takes.
fn is_allowed(headers: &HeaderMap, token: &str) -> bool {
    let given = headers
        .get(AUTHORIZATION)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    let (scheme, given) = given.split_at(given.len().min(7));
    let differ = given
        .iter()
        .zip(token.as_bytes())
        .fold(0, |all, (a, b)| all | (a ^ b));
    scheme.eq_ignore_ascii_case(b"Bearer ") && given.len() == token.len() && differ == 0
}

/// The token, and whether it was made here.
fn token(file: Option<&Path>) -> Result<(String, bool), Ended> {
    let (given, from) = match file {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            let text =
                text.map_err(|error| (2, format!("--token-file {}: {error}", path.display())))?;
            (Some(text), path.display().to_string())
        }
        None => (
            std::env::var("CURSERVE_MCP_TOKEN").ok(),
            "$CURSERVE_MCP_TOKEN".to_owned(),
        ),
    };
    let Some(given) = given else {
        return made()
            .map(|token| (token, true))
            .map_err(|error| (3, format!("no token could be made: {error}")));
    };
    let token = given.trim();
    match token.len() >= SHORTEST && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok((token.to_owned(), false)),
        false => Err((
            2,
            format!("{from}: a token has at least {SHORTEST} characters of ASCII, without blanks"),
        )),
    }
}

fn made() -> std::io::Result<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Says on standard output where to ask, and with what, if that is new.
fn announce(address: SocketAddr, token: Option<&str>) -> Result<(), Ended> {
    let mut out = std::io::stdout().lock();
    let mut text = format!("http://{address}{PATH}\n");
    if let Some(token) = token {
        text += &format!("Authorization: Bearer {token}\n");
    }
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| (3, format!("standard output: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_is_let_in() {
        let allowed = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            is_allowed(&headers, "0123456789abcdef")
        };
        assert!(allowed("Bearer 0123456789abcdef"));
        assert!(allowed("bearer 0123456789abcdef"));
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdefg",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
        ] {
            assert!(!allowed(value), "{value}");
        }
        assert!(!is_allowed(&HeaderMap::new(), "0123456789abcdef"));
    }

    #[test]
    fn a_token_that_could_be_guessed_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for (text, is_taken) in [
            ("0123456789abcdef\n", true),
            ("short\n", false),
            ("", false),
            ("0123456789 abcdef", false),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(token(Some(&file)).is_ok(), is_taken, "{text:?}");
        }
        let missing = token(Some(&folder.path().join("none"))).unwrap_err();
        assert_eq!(missing.0, 2);
        let made = made().unwrap();
        assert_eq!(made.len(), 64);
    }
}
