//! Gives up being root for good: identity, groups, capabilities.

use std::io;

/// The identity that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User, both real and effective.
    pub uid: libc::uid_t,
    /// Group, both real and effective; there are no others.
    pub gid: libc::gid_t,
}

/// Become `identity`, with no way back: no saved identity, no further group, an empty bounding set.
///
/// The caller has one thread: identities belong to threads. An error says which step failed.
///
/// # Errors
/// The step that failed.
pub fn drop_to(identity: Identity) -> io::Result<()> {
    let Identity { uid, gid } = identity;
    if uid == 0 || gid == 0 {
        return Err(io::Error::other("root cannot be dropped to root"));
    }
    // SAFETY: changes the identity and the capabilities of this process only.
    unsafe {
        let mut capability = 0;
        while libc::prctl(libc::PR_CAPBSET_READ, capability, 0, 0, 0) >= 0 {
            check(
                libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0),
                "empty the bounding set",
            )?;
            capability += 1;
        }
        check(libc::setgroups(0, std::ptr::null()), "give up groups")?;
        check(libc::setresgid(gid, gid, gid), "change the group")?;
        check(libc::setresuid(uid, uid, uid), "change the user")?;
        if libc::setuid(0) == 0 || libc::setgid(0) == 0 {
            return Err(io::Error::other("root could be had back"));
        }
    }
    Ok(())
}

fn check(rc: libc::c_int, what: &str) -> io::Result<()> {
    if rc == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    Err(io::Error::new(error.kind(), format!("{what}: {error}")))
}

/// No program started from here gains a privilege by a file's mode or capabilities.
///
/// # Errors
/// Where the kernel does not know it.
pub fn gain_none() -> io::Result<()> {
    // SAFETY: sets a flag of this process, which its children inherit.
    check(
        unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) },
        "no new privileges",
    )
}
