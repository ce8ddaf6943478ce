//! The `curserve-link` program: enters a host, answers and sends the link's probes.

fn main() {
    std::process::exit(curserve_link::command::main());
}
