//! Measures a link from end to end: a server that answers, and a client that times connections, pings and uploads.
//!
//! Plain blocking TCP, as the programs under test use it; what a round trip costs besides the link (two wake-ups, the
//! stack) is part of the path, and calibration takes it off the delay. Probes run at the best priority permitted: they
//! measure the link, and not who else wants the processor.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use crate::clock;

/// Bytes of every answer.
pub const ANSWER: usize = 64;
/// A probe that lasts longer than this fails, rather than hang its caller.
const PATIENCE: Duration = Duration::from_secs(30);

fn prepare(stream: &TcpStream, congestion: Option<&str>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    if let Some(name) = congestion {
        // SAFETY: the kernel reads `len` bytes of a live string.
        let result = unsafe {
            libc::setsockopt(
                stream.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_CONGESTION,
                name.as_ptr().cast(),
                name.len() as libc::socklen_t,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Answer each request (its length as four little-endian bytes, then that many bytes less four) with 64 bytes.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut buffer = vec![0u8; 1 << 18];
    loop {
        let mut have = 0;
        while have < 4 {
            let read = stream.read(&mut buffer[have..])?;
            if read == 0 {
                return Ok(());
            }
            have += read;
        }
        let total = u32::from_le_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]) as usize;
        while have < total {
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                return Ok(());
            }
            have += read;
        }
        stream.write_all(&[0; ANSWER])?;
    }
}

/// Send a request of `bytes` and wait for its answer; nanoseconds.
fn round_trip(stream: &mut TcpStream, request: &[u8]) -> io::Result<i64> {
    let mut buffer = [0u8; ANSWER];
    let start = clock::now();
    stream.write_all(request)?;
    stream.read_exact(&mut buffer)?;
    Ok(clock::now() - start)
}

fn request(bytes: usize) -> Vec<u8> {
    let mut request = vec![0x5a; bytes.max(4)];
    request[..4].copy_from_slice(&(bytes.max(4) as u32).to_le_bytes());
    request
}

/// What to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the echo listens.
    pub server: SocketAddr,
    /// Round trips and handshakes in all.
    pub samples: usize,
    /// Connections that ping side by side, so that a long round trip does not mean a long calibration.
    pub connections: usize,
    /// Nanoseconds between their starts.
    pub spacing_ns: u64,
    /// Upload sizes in bytes, and how often each is sent.
    pub payloads: Vec<usize>,
    /// Uploads of each size.
    pub uploads: usize,
    /// The congestion control to ask for, if the host does not set it.
    pub congestion: Option<String>,
}

/// Raw nanoseconds.
#[derive(Debug, Default)]
pub struct Times {
    /// `connect` until it returned.
    pub handshakes: Vec<i64>,
    /// `connect` and the first round trip together.
    pub firsts: Vec<i64>,
    /// A 64-byte request until its answer.
    pub round_trips: Vec<i64>,
    /// Per upload size.
    pub uploads: Vec<(usize, Vec<i64>)>,
}

/// Carry out a plan.
///
/// # Errors
/// Where a socket cannot be made or connected, or the peer goes away.
pub fn measure(plan: &Plan) -> io::Result<Times> {
    let connect = |plan: &Plan| -> io::Result<(TcpStream, i64)> {
        let start = clock::now();
        let stream = TcpStream::connect_timeout(&plan.server, PATIENCE)?;
        let took = clock::now() - start;
        prepare(&stream, plan.congestion.as_deref())?;
        Ok((stream, took))
    };
    let mut times = Times::default();
    let each = plan.samples.div_ceil(plan.connections).max(1);
    let workers: Vec<_> = (0..plan.connections)
        .map(|index| {
            let plan = plan.clone();
            thread::spawn(move || -> io::Result<(Vec<i64>, i64, Vec<i64>)> {
                clock::wake_precisely();
                thread::sleep(Duration::from_nanos(plan.spacing_ns * index as u64));
                let request = request(ANSWER);
                let (mut stream, first) = connect(&plan)?;
                let mut handshakes = vec![first];
                let opening = first + round_trip(&mut stream, &request)?;
                let mut round_trips = Vec::with_capacity(each);
                for sample in 0..each {
                    round_trips.push(round_trip(&mut stream, &request)?);
                    if sample % 4 == 3 {
                        handshakes.push(connect(&plan)?.1);
                    }
                }
                Ok((handshakes, opening, round_trips))
            })
        })
        .collect();
    for worker in workers {
        let (handshakes, opening, round_trips) = worker
            .join()
            .map_err(|_| io::Error::other("a probe failed"))??;
        times.handshakes.extend(handshakes);
        times.firsts.push(opening);
        times.round_trips.extend(round_trips);
    }
    for &bytes in &plan.payloads {
        let (mut stream, _) = connect(plan)?;
        let request = request(bytes);
        let taken: io::Result<Vec<i64>> = (0..plan.uploads)
            .map(|_| round_trip(&mut stream, &request))
            .collect();
        times.uploads.push((bytes, taken?));
    }
    Ok(times)
}

/// `curserve-link echo ADDRESS [CONGESTION]`: print the port, then answer until killed.
pub fn echo_main(arguments: &[OsString]) -> i32 {
    let mut arguments = arguments.iter().filter_map(|argument| argument.to_str());
    let address = arguments.next().unwrap_or("127.0.0.1");
    let congestion = arguments.next().map(str::to_owned);
    let listener = match TcpListener::bind((address, 0)) {
        Ok(listener) => listener,
        Err(cause) => {
            eprintln!("curserve-link: cannot listen on {address}: {cause}");
            return 1;
        }
    };
    let Ok(local) = listener.local_addr() else {
        return 1;
    };
    println!("{}", local.port());
    for stream in listener.incoming().flatten() {
        if prepare(&stream, congestion.as_deref()).is_err() {
            continue;
        }
        let _ = stream.set_read_timeout(None);
        thread::spawn(move || {
            clock::wake_precisely();
            answer(stream)
        });
    }
    0
}

/// `curserve-link probe SERVER SAMPLES CONNECTIONS SPACING_NS PAYLOAD,… UPLOADS [CONGESTION]`: print JSON.
pub fn probe_main(arguments: &[OsString]) -> i32 {
    let Some(plan) = read_plan(arguments) else {
        eprintln!("curserve-link: probe SERVER SAMPLES CONNECTIONS SPACING_NS PAYLOAD,… UPLOADS [CONGESTION]");
        return 2;
    };
    match measure(&plan) {
        Ok(times) => {
            let uploads: Vec<String> = times
                .uploads
                .iter()
                .map(|(bytes, taken)| format!("\"{bytes}\": {taken:?}"))
                .collect();
            println!(
                "{{\"handshakes\": {:?}, \"firsts\": {:?}, \"round_trips\": {:?}, \"uploads\": {{{}}}}}",
                times.handshakes,
                times.firsts,
                times.round_trips,
                uploads.join(", ")
            );
            0
        }
        Err(cause) => {
            eprintln!("curserve-link: probing {}: {cause}", plan.server);
            1
        }
    }
}

fn read_plan(arguments: &[OsString]) -> Option<Plan> {
    let arguments: Vec<&str> = arguments
        .iter()
        .filter_map(|argument| argument.to_str())
        .collect();
    let [server, samples, connections, spacing, payloads, uploads, rest @ ..] =
        arguments.as_slice()
    else {
        return None;
    };
    let sizes: Result<Vec<usize>, _> = payloads
        .split(',')
        .filter(|size| !size.is_empty())
        .map(str::parse)
        .collect();
    Some(Plan {
        server: server.parse().ok()?,
        samples: samples.parse().ok()?,
        connections: connections.parse().ok().filter(|count| *count > 0)?,
        spacing_ns: spacing.parse().ok()?,
        payloads: sizes.ok()?,
        uploads: uploads.parse().ok()?,
        congestion: rest.first().map(|name| (*name).to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_that_was_planned_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let server = listener.local_addr().expect("bound");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || answer(stream));
            }
        });
        let plan = Plan {
            server,
            samples: 12,
            connections: 3,
            spacing_ns: 0,
            payloads: vec![64, 262_144],
            uploads: 2,
            congestion: None,
        };
        let times = measure(&plan).expect("measured");
        assert_eq!(times.round_trips.len(), 12);
        assert_eq!(times.handshakes.len(), 6);
        assert_eq!(
            times
                .uploads
                .iter()
                .map(|(bytes, taken)| (*bytes, taken.len()))
                .collect::<Vec<_>>(),
            [(64, 2), (262_144, 2)]
        );
        assert!(times.round_trips.iter().all(|taken| *taken > 0));
    }
}
