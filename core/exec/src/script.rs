//! The memory file from which a persistent shell reads a call's command.
//!
//! Programs of the session can open it (`/proc/PID/fd/7`), so it is sealed against every write but those through the mapping
//! that this process has made before. What a seal cannot forbid while the length changes from call to call is to cut the
//! file off; that is seen afterwards.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;

/// Longer commands are none: no frame carries them.
const ROOM: usize = 32 << 20;

/// A command, as the shell reads it.
pub(crate) struct Script {
    file: File,
    mapped: *mut libc::c_void,
    /// The kernel copies the text over from here: a page that somebody cuts off is an error then, not a signal.
    staging: File,
    text: Vec<u8>,
}

// SAFETY: the mapping is only written to by system calls, through `&mut self`.
unsafe impl Send for Script {}

impl Script {
    pub(crate) fn new() -> io::Result<Self> {
        let (file, staging) = (memory_file(c"command")?, memory_file(c"staging")?);
        file.set_len(ROOM as u64)?;
        // SAFETY: maps a file of ours; the address is the kernel's choice. The seal then holds for everybody's next step.
        unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let mapped = libc::mmap(
                std::ptr::null_mut(),
                ROOM,
                protection,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            );
            if mapped == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            let script = Script {
                file,
                mapped,
                staging,
                text: Vec::new(),
            };
            script.file.set_len(0)?;
            let seals = libc::F_SEAL_FUTURE_WRITE | libc::F_SEAL_SEAL;
            if libc::fcntl(script.file.as_raw_fd(), libc::F_ADD_SEALS, seals) != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(script)
        }
    }

    /// The file to read, under a number of at least `least`.
    pub(crate) fn readable(&self, least: RawFd) -> io::Result<OwnedFd> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        crate::channel::above(&File::open(path)?.into(), least)
    }

    /// Put `command` into the file.
    pub(crate) fn set(&mut self, command: &str) -> io::Result<()> {
        if command.len() >= ROOM {
            return Err(io::Error::other("the command is too long"));
        }
        self.text.clear();
        self.text.extend_from_slice(command.as_bytes());
        self.text.push(b'\n');
        self.staging.set_len(0)?;
        self.staging.write_all_at(&self.text, 0)?;
        self.file.set_len(0)?;
        self.file.set_len(self.text.len() as u64)?;
        let mut done = 0;
        while done < self.text.len() {
            // SAFETY: writes into our mapping, whose end is further than any text; the kernel checks each page.
            let n = unsafe {
                libc::pread(
                    self.staging.as_raw_fd(),
                    self.mapped.byte_add(done),
                    self.text.len() - done,
                    done as libc::off_t,
                )
            };
            match n {
                1.. => done += n as usize,
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => return Err(io::Error::last_os_error()),
            }
        }
        Ok(())
    }

    /// Whether the file is as [`Script::set`] has left it.
    pub(crate) fn is_as_set(&self) -> bool {
        let mut found = vec![0; self.text.len() + 1];
        matches!(self.file.read_at(&mut found, 0), Ok(n) if found[..n] == self.text)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // SAFETY: unmaps exactly what `new` mapped.
        unsafe { libc::munmap(self.mapped, ROOM) };
    }
}

fn memory_file(name: &std::ffi::CStr) -> io::Result<File> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // SAFETY: makes a descriptor, which is then ours.
    unsafe {
        match libc::memfd_create(name.as_ptr(), flags) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(File::from_raw_fd(fd)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn it_holds_the_last_command_and_takes_no_other() {
        let mut script = Script::new().unwrap();
        let read = File::from(script.readable(64).unwrap());
        let path = format!("/proc/self/fd/{}", read.as_raw_fd());
        for command in ["echo one", "", "a much longer one", &"x".repeat(1 << 20)] {
            script.set(command).unwrap();
            let there = std::fs::read_to_string(&path).unwrap();
            assert_eq!(there, format!("{command}\n"));
            assert!(script.is_as_set());
        }
        script.set("echo kept").unwrap();
        let mut stranger = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        assert!(stranger.write_all(b"echo evil").is_err());
        assert!(script.is_as_set());
        stranger.set_len(3).unwrap();
        assert!(!script.is_as_set());
        stranger.set_len(10).unwrap();
        assert!(!script.is_as_set(), "what was cut off is zeros");
        script.set("echo again").unwrap();
        assert!(script.is_as_set());
    }
}
