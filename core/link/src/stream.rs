//! Bulk transfers whose every byte is checked: what a link must not change, and how fast it goes.
//!
//! The stream is a function of the position alone (SplitMix64 of the word's number), so the receiver knows each byte
//! without a hash, and faster than the network brings it.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::mem::{size_of, zeroed};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use crate::clock;

const CHUNK: usize = 1 << 18;

fn word(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 31)
}

/// Write the stream's bytes from `position` (a multiple of eight) into `buffer`.
fn fill(buffer: &mut [u8], position: u64) {
    for (index, bytes) in buffer.chunks_mut(8).enumerate() {
        bytes.copy_from_slice(&word(position / 8 + index as u64).to_le_bytes()[..bytes.len()]);
    }
}

/// Whether `buffer`, received at `position`, is what was sent.
fn is_exact(buffer: &[u8], position: u64) -> bool {
    let skip = (position % 8) as usize;
    let mut expected = vec![0; buffer.len() + skip];
    fill(&mut expected, position - skip as u64);
    expected[skip..] == *buffer
}

/// `curserve-link sink ADDRESS`: print the port, take one stream, answer and print what came.
pub fn sink_main(arguments: &[OsString]) -> i32 {
    let address = arguments
        .first()
        .and_then(|argument| argument.to_str())
        .unwrap_or("127.0.0.1");
    match sink(address) {
        Ok(exact) => i32::from(!exact),
        Err(cause) => {
            eprintln!("curserve-link: sink on {address}: {cause}");
            1
        }
    }
}

fn sink(address: &str) -> io::Result<bool> {
    let listener = TcpListener::bind((address, 0))?;
    println!("{}", listener.local_addr()?.port());
    let (mut stream, _) = listener.accept()?;
    let mut buffer = vec![0; CHUNK];
    let (mut position, mut exact, mut first) = (0u64, true, 0);
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        if first == 0 {
            first = clock::now();
        }
        exact &= is_exact(&buffer[..read], position);
        position += read as u64;
    }
    let taken = clock::now() - first;
    stream.write_all(&position.to_le_bytes())?;
    println!("{{\"bytes\": {position}, \"exact\": {exact}, \"receiving_ns\": {taken}}}");
    Ok(exact)
}

/// `curserve-link send SERVER BYTES`: send the stream; print how long it took until all of it was acknowledged.
pub fn send_main(arguments: &[OsString]) -> i32 {
    let words: Vec<&str> = arguments
        .iter()
        .filter_map(|argument| argument.to_str())
        .collect();
    let [server, bytes] = words.as_slice() else {
        eprintln!("curserve-link: send SERVER BYTES");
        return 2;
    };
    let Ok(bytes) = bytes.parse() else { return 2 };
    match send(server, bytes) {
        Ok(arrived) => i32::from(arrived != bytes),
        Err(cause) => {
            eprintln!("curserve-link: sending to {server}: {cause}");
            1
        }
    }
}

fn send(server: &str, bytes: u64) -> io::Result<u64> {
    let mut stream = TcpStream::connect(server)?;
    let start = clock::now();
    let mut buffer = vec![0; CHUNK];
    let mut position = 0;
    while position < bytes {
        let length = (bytes - position).min(CHUNK as u64) as usize;
        fill(&mut buffer[..length], position);
        stream.write_all(&buffer[..length])?;
        position += length as u64;
    }
    stream.shutdown(Shutdown::Write)?;
    let mut answer = [0; 8];
    stream.read_exact(&mut answer)?;
    let taken = clock::now() - start;
    let (retransmits, window) = transport(&stream);
    println!(
        "{{\"bytes\": {bytes}, \"sending_ns\": {taken}, \"retransmits\": {retransmits}, \"window\": {window}, \
         \"congestion\": \"{}\"}}",
        congestion(&stream)
    );
    Ok(u64::from_le_bytes(answer))
}

/// Segments retransmitted, and the congestion window in segments, from TCP_INFO.
fn transport(stream: &TcpStream) -> (u32, u32) {
    // SAFETY: tcp_info is plain data; the kernel fills at most the length given.
    unsafe {
        let mut info: libc::tcp_info = zeroed();
        let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
        let pointer = std::ptr::from_mut(&mut info).cast();
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            pointer,
            &mut length,
        );
        (info.tcpi_total_retrans, info.tcpi_snd_cwnd)
    }
}

fn congestion(stream: &TcpStream) -> String {
    let mut name = [0u8; 16];
    let mut length = name.len() as libc::socklen_t;
    // SAFETY: the kernel writes at most the length given.
    unsafe {
        let pointer = name.as_mut_ptr().cast();
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_CONGESTION,
            pointer,
            &mut length,
        );
    }
    String::from_utf8_lossy(&name)
        .trim_end_matches('\0')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_cut_anywhere_is_recognised_and_a_changed_byte_is_not() {
        let mut all = vec![0; 1000];
        fill(&mut all, 0);
        for cut in [0, 1, 7, 8, 9, 500, 999] {
            assert!(is_exact(&all[cut..], cut as u64));
        }
        assert!(!is_exact(&all[1..], 0), "shifted");
        all[700] ^= 1;
        assert!(!is_exact(&all, 0));
    }
}
