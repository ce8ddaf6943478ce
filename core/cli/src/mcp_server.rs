//! The `curserve-mcp` program, which `curserve mcp` becomes: apart, so that the daemon and the shims stay small.

fn main() -> std::process::ExitCode {
    curserve_mcp::run(std::env::args_os().skip(1))
}
