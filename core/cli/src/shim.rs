//! `curserve-shim`: the program behind the names on PATH, small, so that it starts in a millisecond.

use std::process::ExitCode;

use curserve_run::shim;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let called = arguments.next().unwrap_or_default();
    match shim::name(&called) {
        Some(name) => shim::run(name, &called, &arguments.collect::<Vec<_>>()),
        None => {
            eprintln!("curserve-shim: run by `curserve run` under another name, not by hand");
            ExitCode::from(2)
        }
    }
}
