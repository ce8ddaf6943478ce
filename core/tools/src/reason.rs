//! Why the system gives no file, and how programs say so: `cat: NAME: No such file or directory`.

use std::fmt;
use std::io;

use curserve_corpus::Errno;

use crate::Refusal;

/// Why something cannot be opened or read: the kernel's number for it. Shown, it is the system's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason(pub i32);

impl Reason {
    /// There is nothing of that name.
    pub const NOT_FOUND: Reason = Reason(libc::ENOENT);
    /// A name leads through what is no folder.
    pub const NOT_DIRECTORY: Reason = Reason(libc::ENOTDIR);
    /// A folder opens, and cannot be read as a file.
    pub const IS_DIRECTORY: Reason = Reason(libc::EISDIR);
    /// Others may, we may not.
    pub const DENIED: Reason = Reason(libc::EACCES);

    /// That of a path that leads to no node.
    ///
    /// # Errors
    /// Where the path leaves the root, about which the corpus cannot know.
    pub fn of(errno: Errno, path: &[u8]) -> Result<Reason, Refusal> {
        Ok(match errno {
            Errno::NotFound => Reason::NOT_FOUND,
            Errno::NotDirectory => Reason::NOT_DIRECTORY,
            Errno::TooManyLinks => Reason(libc::ELOOP),
            Errno::Denied => Reason::DENIED,
            Errno::NameTooLong => Reason(libc::ENAMETOOLONG),
            Errno::Outside => {
                return Err(Refusal::Outside(format!(
                    "a path outside the root: {}",
                    String::from_utf8_lossy(path)
                )))
            }
        })
    }

    /// The line by which a program complains: `head` is what stands before the name, the program's own first.
    pub fn complaint(self, head: &str, name: &[u8]) -> Vec<u8> {
        [
            head.as_bytes(),
            name,
            b": ",
            self.to_string().as_bytes(),
            b"\n",
        ]
        .concat()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rust's own words end in its number.
        let text = io::Error::from_raw_os_error(self.0).to_string();
        f.write_str(text.split(" (os error").next().unwrap_or(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_system() {
        for (errno, words) in [
            (Errno::NotFound, "No such file or directory"),
            (Errno::NotDirectory, "Not a directory"),
            (Errno::TooManyLinks, "Too many levels of symbolic links"),
            (Errno::Denied, "Permission denied"),
            (Errno::NameTooLong, "File name too long"),
        ] {
            assert_eq!(Reason::of(errno, b"a").unwrap().to_string(), words);
            assert_eq!(errno.to_string(), words);
        }
        assert!(Reason::of(Errno::Outside, b"a").is_err());
        let line = Reason::IS_DIRECTORY.complaint("cat: ", b"a");
        assert_eq!(line, b"cat: a: Is a directory\n");
    }
}
