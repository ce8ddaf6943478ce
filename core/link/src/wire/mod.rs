//! The two ends of the link as Ethernet frames: AF_PACKET on a veth pair, or a TAP device.

mod ring;
mod tap;

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::slice;

pub use ring::Ring;
pub use tap::Tap;

/// A frame that has come: borrowed until `Wire::release`.
#[derive(Clone, Copy)]
pub struct Frame {
    /// Where it lies.
    pub start: *const u8,
    /// Its length in bytes, link-layer header included.
    pub length: usize,
    /// When the kernel received it: nanoseconds of CLOCK_REALTIME.
    pub wall_ns: i64,
}

impl Frame {
    /// The frame's bytes.
    ///
    /// # Safety
    /// The frame must not have been released.
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: `length` bytes at `start` were written before the frame was handed over.
        unsafe { slice::from_raw_parts(self.start, self.length) }
    }
}

/// Where frames come in.
pub enum Wire {
    /// A veth device, through a ring that the kernel shares with us: works for an ordinary user, too.
    Packet(Ring),
    /// A TAP device, a system call a frame: needs /dev/net/tun, where AF_PACKET is missing.
    Tap(Tap),
}

impl Wire {
    /// The descriptor: readable when a frame has come.
    pub fn fd(&self) -> RawFd {
        match self {
            Self::Packet(ring) => ring.fd(),
            Self::Tap(tap) => tap.fd(),
        }
    }

    /// Bytes that a frame may have.
    pub fn frame_bytes(&self) -> usize {
        match self {
            Self::Packet(ring) => ring.frame_bytes(),
            Self::Tap(tap) => tap.frame_bytes(),
        }
    }

    /// Look at the frame `ahead` places after the next one, if it has come.
    pub fn peek(&mut self, ahead: usize) -> Option<Frame> {
        match self {
            Self::Packet(ring) => ring.peek(ahead),
            Self::Tap(tap) => tap.peek(ahead),
        }
    }

    /// Give the next `count` frames back.
    pub fn release(&mut self, count: usize) {
        match self {
            Self::Packet(ring) => ring.release(count),
            Self::Tap(tap) => tap.release(count),
        }
    }

    /// Frames that the kernel dropped since the last call, because we were too slow.
    pub fn overruns(&self) -> u64 {
        match self {
            Self::Packet(ring) => ring.overruns(),
            Self::Tap(_) => 0,
        }
    }

    /// A way out on the same device, for the thread of the other direction.
    ///
    /// # Errors
    /// Where there is no descriptor left.
    pub fn out(&self) -> io::Result<Out> {
        // SAFETY: a system call on an open descriptor; its result is checked and owned.
        let copy = unsafe {
            let copy = libc::fcntl(self.fd(), libc::F_DUPFD_CLOEXEC, 3);
            if copy < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(copy)
        };
        Ok(match self {
            Self::Packet(_) => Out::Packet(copy),
            Self::Tap(_) => Out::Tap(copy),
        })
    }
}

/// Where frames go out.
pub enum Out {
    /// An AF_PACKET socket: many frames in one system call.
    Packet(OwnedFd),
    /// A TAP device: one frame a call.
    Tap(OwnedFd),
}

/// Frames sent in one system call at most.
pub const BATCH: usize = 64;

/// Collects frames and sends them with one system call.
pub struct Batch {
    vectors: Vec<libc::iovec>,
    messages: Vec<libc::mmsghdr>,
}

// SAFETY: the pointers inside are only alive between `push` and `send`, within one thread.
unsafe impl Send for Batch {}

impl Default for Batch {
    fn default() -> Self {
        Self {
            vectors: Vec::with_capacity(BATCH),
            messages: Vec::with_capacity(BATCH),
        }
    }
}

impl Batch {
    /// Add a frame.
    ///
    /// # Safety
    /// The bytes must stay where they are until `send` has returned.
    pub unsafe fn push(&mut self, start: *const u8, length: usize) {
        self.vectors.push(libc::iovec {
            iov_base: start.cast_mut().cast(),
            iov_len: length,
        });
    }

    /// Whether the batch is at its size.
    pub fn is_full(&self) -> bool {
        self.vectors.len() == BATCH
    }

    /// Frames collected.
    pub fn len(&self) -> usize {
        self.vectors.len()
    }

    /// Whether nothing is collected.
    pub fn is_empty(&self) -> bool {
        self.vectors.is_empty()
    }

    /// Send all; returns how many frames the kernel refused.
    pub fn send(&mut self, out: &Out) -> u64 {
        let refused = match out {
            Out::Packet(fd) => self.send_together(fd.as_raw_fd()),
            Out::Tap(fd) => self.write_each(fd.as_raw_fd()),
        };
        self.vectors.clear();
        refused
    }

    /// A TAP device takes one frame a call.
    fn write_each(&self, fd: RawFd) -> u64 {
        let refuses = |vector: &&libc::iovec| {
            // SAFETY: the bytes live until `send` returns, as `push` demands.
            unsafe { libc::write(fd, vector.iov_base, vector.iov_len) < 0 }
        };
        self.vectors.iter().filter(refuses).count() as u64
    }

    fn send_together(&mut self, fd: RawFd) -> u64 {
        self.messages.clear();
        for vector in &mut self.vectors {
            // SAFETY: mmsghdr is plain data.
            let mut message: libc::mmsghdr = unsafe { zeroed() };
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
            self.messages.push(message);
        }
        let mut refused = 0;
        let mut sent = 0;
        while sent < self.messages.len() {
            // SAFETY: the headers and vectors live in self, the bytes as long as `push` demands.
            let result = unsafe {
                libc::sendmmsg(
                    fd,
                    self.messages.as_mut_ptr().add(sent),
                    (self.messages.len() - sent) as u32,
                    0,
                )
            };
            if result > 0 {
                sent += result as usize;
            } else if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                refused += 1;
                sent += 1;
            }
        }
        refused
    }
}
