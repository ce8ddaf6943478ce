//! The command line of `curserve mcp`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};

/// What `curserve mcp --help` says.
pub const USAGE: &str = "\
usage: curserve mcp [--root DIR | --session SOCKET] [--http [ADDRESS:]PORT [--token-file FILE]] [--page-bytes N] [--yes]

An MCP server with the tools grep, glob, read, list and bash_read, answered from memory by the daemon of the folder, which is
found or started. All of them only read. Without --http it speaks to the client that has started it, over standard input and
output.

  --root DIR         the folder to serve (else the roots that the client names, else the repository around the present folder)
  --session SOCKET   ask the daemon at this socket, such as that of `curserve serve --socket`
  --http PORT        serve streamable HTTP at http://127.0.0.1:PORT/mcp instead; 0 takes any port. Loopback addresses only
  --token-file FILE  what clients have to send as `Authorization: Bearer …`; else $CURSERVE_MCP_TOKEN, else a new one is printed
  --page-bytes N     how much of an answer comes at once (32768)
  --yes              serve DIR though it is the home folder, or has very many files

exit code: 0 when the client has gone, 2 for a wrong option or a client that does not speak MCP, 3 where there is no daemon";

/// How much of a long answer comes at once: some 8,000 tokens.
const PAGE: usize = 32 << 10;
/// Less would hold no line of code.
const LEAST_PAGE: usize = 256;

/// What was asked for.
pub enum Wanted {
    /// The usage.
    Help,
    /// A server.
    Server(Options),
}

/// Which daemon is asked.
pub enum Place {
    /// That of this folder.
    Root(PathBuf),
    /// The one that listens here.
    Session(PathBuf),
    /// Those of the folders that the client names.
    Clients,
}

/// Where to listen, and who may ask.
pub struct Listen {
    /// A loopback address.
    pub address: SocketAddr,
    /// Where the token is.
    pub token: Option<PathBuf>,
}

/// What the server is to be.
pub struct Options {
    /// Which daemon is asked.
    pub place: Place,
    /// Over HTTP; None: standard input and output.
    pub http: Option<Listen>,
    /// The longest page, in bytes.
    pub page: usize,
    /// Whether a folder is served that costs more than somebody expects.
    pub is_agreed: bool,
}

/// Reads the command line.
///
/// # Errors
/// What is wrong with it.
pub fn read(mut parser: Parser) -> Result<Wanted, String> {
    let (mut root, mut session, mut http, mut token) = (None, None, None, None);
    let (mut page, mut is_agreed) = (PAGE, false);
    let wrong = |error: lexopt::Error| format!("{error}; `curserve mcp --help` says more");
    while let Some(argument) = parser.next().map_err(wrong)? {
        match argument {
            Arg::Long("root") => root = Some(PathBuf::from(parser.value().map_err(wrong)?)),
            Arg::Long("session") => session = Some(PathBuf::from(parser.value().map_err(wrong)?)),
            Arg::Long("token-file") => token = Some(PathBuf::from(parser.value().map_err(wrong)?)),
            Arg::Long("http") => {
                let word = parser.value().and_then(|it| it.string()).map_err(wrong)?;
                http = Some(address(&word)?);
            }
            Arg::Long("page-bytes") => {
                page = parser.value().and_then(|it| it.parse()).map_err(wrong)?;
                if page < LEAST_PAGE {
                    return Err(format!(
                        "--page-bytes {page}: expected at least {LEAST_PAGE}"
                    ));
                }
            }
            Arg::Long("yes") => is_agreed = true,
            Arg::Long("help") | Arg::Short('h') => return Ok(Wanted::Help),
            _ => return Err(wrong(argument.unexpected())),
        }
    }
    let place = match (root, session) {
        (Some(_), Some(_)) => return Err("give --root or --session, not both".into()),
        (Some(root), None) => Place::Root(root),
        (None, Some(socket)) => Place::Session(socket),
        (None, None) => Place::Clients,
    };
    let http = match (http, token) {
        (None, Some(_)) => return Err("--token-file is for --http".into()),
        (address, token) => address.map(|address| Listen { address, token }),
    };
    Ok(Wanted::Server(Options {
        place,
        http,
        page,
        is_agreed,
    }))
}

/// `PORT` or `ADDRESS:PORT`: whoever is on the network is to have no way here.
fn address(word: &str) -> Result<SocketAddr, String> {
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let address = word
        .parse()
        .map(|port| SocketAddr::new(local, port))
        .or_else(|_| word.parse())
        .map_err(|_| format!("--http {word}: expected a port, or a loopback address and a port, such as 127.0.0.1:8080"))?;
    match address.ip().is_loopback() {
        true => Ok(address),
        false => Err(format!("--http {word}: only loopback addresses are served, such as 127.0.0.1; use a tunnel for others")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &[&str]) -> String {
        match read(Parser::from_args(words)) {
            Err(why) => why,
            Ok(_) => panic!("{words:?} is wrong"),
        }
    }

    #[test]
    fn a_wrong_option_is_said_in_one_line() {
        for (words, why) in [
            (&["--root", "a", "--session", "b"][..], "not both"),
            (&["--http", "0.0.0.0:80"], "only loopback"),
            (&["--http", "192.168.0.1:80"], "only loopback"),
            (&["--http", "eighty"], "expected a port"),
            (&["--http", "70000"], "expected a port"),
            (&["--token-file", "x"], "is for --http"),
            (&["--page-bytes", "3"], "at least 256"),
            (&["--page-bytes", "many"], "--help"),
            (&["--nonsense"], "--help"),
            (&["word"], "--help"),
        ] {
            let said = told(words);
            assert!(
                said.contains(why) && !said.contains('\n'),
                "{words:?}: {said}"
            );
        }
    }

    #[test]
    fn a_port_is_one_of_the_loopback() {
        for (word, shown) in [
            ("80", "127.0.0.1:80"),
            ("[::1]:0", "[::1]:0"),
            ("127.0.0.9:5", "127.0.0.9:5"),
        ] {
            assert_eq!(address(word).unwrap().to_string(), shown);
        }
    }
}
