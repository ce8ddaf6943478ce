//! The end of a veth pair as raw frames: received from a ring that the kernel shares with us, sent in batches.
//!
//! TPACKET_V2, not V3: V3 hands over whole blocks, up to a millisecond late. The kernel stamps each frame on arrival,
//! so a thread that wakes late does not lengthen the delay.

use std::ffi::CString;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{fence, AtomicU32, Ordering};

use super::Frame;

/// Enough for 20 ms of a thread that is not scheduled, at 400,000 packets a second.
const FRAMES: usize = 8192;
const BLOCK: usize = 1 << 18;
const TP_STATUS_USER: u32 = 1;
/// Room before the frame in a ring slot: `tpacket2_hdr`, `sockaddr_ll`, alignment.
const HEADROOM: usize = 128;

/// A socket on one network device, and the ring of frames that came in on it.
pub struct Ring {
    fd: OwnedFd,
    ring: *mut u8,
    ring_bytes: usize,
    frame_bytes: usize,
    frames_per_block: usize,
    frames: usize,
    next: usize,
}

// SAFETY: the mapping is private to this value; a Ring is used by one thread at a time.
unsafe impl Send for Ring {}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn option<T>(fd: RawFd, name: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: the kernel reads size_of::<T>() bytes of a live value.
    check(unsafe {
        libc::setsockopt(
            fd,
            libc::SOL_PACKET,
            name,
            ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    })
    .map(drop)
}

impl Ring {
    /// Open `device` of the calling thread's network namespace, for frames of up to `mtu` bytes and their header.
    ///
    /// # Errors
    /// Where there is no such device, this is not root in its namespace, or memory for its ring is short.
    pub fn open(device: &str, mtu: usize) -> io::Result<Self> {
        let name = CString::new(device)?;
        // SAFETY: a system call with a valid C string.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        if index == 0 {
            return Err(io::Error::last_os_error());
        }
        let protocol = (libc::ETH_P_ALL as u16).to_be();
        // Protocol 0: nothing is received before the ring stands and bind names the device.
        // SAFETY: a system call that returns a new descriptor, owned from here on.
        let fd = unsafe {
            OwnedFd::from_raw_fd(check(libc::socket(
                libc::AF_PACKET,
                libc::SOCK_RAW | libc::SOCK_CLOEXEC,
                0,
            ))?)
        };
        let raw = fd.as_raw_fd();
        let version = libc::tpacket_versions::TPACKET_V2 as libc::c_int;
        option(raw, libc::PACKET_VERSION, &version)?;
        let one: libc::c_int = 1;
        option(raw, libc::PACKET_QDISC_BYPASS, &one)?;
        let _ = option(raw, libc::PACKET_IGNORE_OUTGOING, &one);
        let frame_bytes = (mtu + 14 + HEADROOM).next_power_of_two().max(2048);
        let block_bytes = BLOCK.max(frame_bytes);
        let frames_per_block = block_bytes / frame_bytes;
        let blocks = FRAMES.div_ceil(frames_per_block);
        let request = libc::tpacket_req {
            tp_block_size: block_bytes as u32,
            tp_block_nr: blocks as u32,
            tp_frame_size: frame_bytes as u32,
            tp_frame_nr: (blocks * frames_per_block) as u32,
        };
        option(raw, libc::PACKET_RX_RING, &request)?;
        let ring_bytes = blocks * block_bytes;
        // SAFETY: maps the ring just made; the result is checked, and unmapped in Drop.
        let mapping = unsafe {
            libc::mmap(
                ptr::null_mut(),
                ring_bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                raw,
                0,
            )
        };
        if mapping == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let ring = Self {
            fd,
            ring: mapping.cast(),
            ring_bytes,
            frame_bytes,
            frames_per_block,
            frames: blocks * frames_per_block,
            next: 0,
        };
        // SAFETY: sockaddr_ll is plain data.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol;
        address.sll_ifindex = index as i32;
        // SAFETY: the kernel reads a sockaddr_ll of the length given.
        check(unsafe {
            libc::bind(
                raw,
                ptr::from_ref(&address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        })?;
        Ok(ring)
    }

    /// The descriptor: readable when a frame has come.
    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Bytes that a frame may have.
    pub fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    fn header(&self, index: usize) -> *mut libc::tpacket2_hdr {
        debug_assert!(
            self.frames_per_block * self.frame_bytes * (self.frames / self.frames_per_block)
                <= self.ring_bytes
        );
        // Blocks follow each other without gaps, and a block holds a whole number of frames.
        // SAFETY: index < frames, so the result lies inside the mapping.
        unsafe { self.ring.add(index * self.frame_bytes).cast() }
    }

    fn status(&self, index: usize) -> &AtomicU32 {
        // SAFETY: tp_status is the header's first word, aligned, shared with the kernel: atomic access it is.
        unsafe { &*self.header(index).cast::<AtomicU32>() }
    }

    /// Look at the frame `ahead` places after the next one, if it has come; `release` gives it back.
    pub fn peek(&self, ahead: usize) -> Option<Frame> {
        if ahead >= self.frames {
            return None;
        }
        let index = (self.next + ahead) % self.frames;
        if self.status(index).load(Ordering::Acquire) & TP_STATUS_USER == 0 {
            return None;
        }
        // SAFETY: the status says that the kernel has finished writing this header and frame.
        let header = unsafe { &*self.header(index) };
        Some(Frame {
            // SAFETY: tp_mac is the kernel's offset of the frame inside the slot.
            start: unsafe { self.header(index).cast::<u8>().add(header.tp_mac as usize) },
            length: header.tp_snaplen as usize,
            wall_ns: i64::from(header.tp_sec) * 1_000_000_000 + i64::from(header.tp_nsec),
        })
    }

    /// Give the next `count` frames back to the kernel.
    pub fn release(&mut self, count: usize) {
        fence(Ordering::Release);
        for _ in 0..count {
            self.status(self.next).store(0, Ordering::Release);
            self.next = (self.next + 1) % self.frames;
        }
    }

    /// Frames that the kernel dropped since the last call, because the ring was full.
    pub fn overruns(&self) -> u64 {
        // SAFETY: plain data, filled by the kernel up to the length given.
        unsafe {
            let mut statistics: libc::tpacket_stats = zeroed();
            let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
            let result = libc::getsockopt(
                self.fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                ptr::from_mut(&mut statistics).cast(),
                &mut length,
            );
            if result == 0 {
                u64::from(statistics.tp_drops)
            } else {
                0
            }
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made in `open` and nobody borrows from it after the Ring is gone.
        unsafe { libc::munmap(self.ring.cast(), self.ring_bytes) };
    }
}
