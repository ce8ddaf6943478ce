//! A TAP device inside a host, where AF_PACKET is missing: one frame a system call, stamped when it is read.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::Frame;
use crate::clock;

const SLOTS: usize = 256;

/// An open TAP device, and frames read ahead.
pub struct Tap {
    fd: OwnedFd,
    slots: Vec<Box<[u8]>>,
    frames: Vec<(usize, i64)>,
    next: usize,
    have: usize,
}

impl Tap {
    /// Take over an open device (IFF_TAP, IFF_NO_PI) for frames of up to `mtu` bytes and their header.
    ///
    /// # Errors
    /// Where it is not open.
    pub fn new(fd: OwnedFd, mtu: usize) -> io::Result<Self> {
        // SAFETY: system calls on a descriptor that we own.
        let set = unsafe {
            let flags = libc::fcntl(fd.as_raw_fd(), libc::F_GETFL);
            libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK)
        };
        if set < 0 {
            return Err(io::Error::last_os_error());
        }
        let slot = (mtu + 18).next_power_of_two();
        Ok(Self {
            fd,
            slots: (0..SLOTS)
                .map(|_| vec![0; slot].into_boxed_slice())
                .collect(),
            frames: vec![(0, 0); SLOTS],
            next: 0,
            have: 0,
        })
    }

    /// The descriptor: readable when a frame has come.
    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Bytes that a frame may have.
    pub fn frame_bytes(&self) -> usize {
        self.slots[0].len()
    }

    /// Look at the frame `ahead` places after the next one, reading it if it has come.
    pub fn peek(&mut self, ahead: usize) -> Option<Frame> {
        while ahead >= self.have {
            if self.have == SLOTS {
                return None;
            }
            let index = (self.next + self.have) % SLOTS;
            let slot = &mut self.slots[index];
            // SAFETY: reads at most the slot's length into it.
            let read =
                unsafe { libc::read(self.fd.as_raw_fd(), slot.as_mut_ptr().cast(), slot.len()) };
            if read <= 0 {
                return None;
            }
            self.frames[index] = (read as usize, clock::wall());
            self.have += 1;
        }
        let index = (self.next + ahead) % SLOTS;
        let (length, wall_ns) = self.frames[index];
        Some(Frame {
            start: self.slots[index].as_ptr(),
            length,
            wall_ns,
        })
    }

    /// Give the next `count` frames' slots back.
    pub fn release(&mut self, count: usize) {
        self.next = (self.next + count) % SLOTS;
        self.have -= count;
    }
}
