"""As whom commands run: never as root.

Root starts its sandboxes as a user that nobody is: one for each process of ours, from the range that systemd keeps
for users that come and go (61184 to 65519), in no database and with no process of its own. An ordinary user's
commands run as that user.
"""

from __future__ import annotations

import os
import pwd
import random
from pathlib import Path

from curserve_engines.protocol import EngineError
from curserve_traces.once import once

FIRST, LAST = 61184, 65519


@once
def owner() -> tuple[int, int] | None:
    """Return uid and gid that commands get and that a session's files must have; None where they are ours.

    Raises EngineError where we are the machine's root and cannot become anybody else.
    """
    if os.geteuid() != 0:
        return None
    if not all(_covers(Path("/proc/self", name)) for name in ("uid_map", "gid_map")):
        if Path("/proc/sys").stat().st_uid != 0:
            return None  # root of a user namespace of ours only: outside of it, an ordinary user
        raise EngineError(
            "sandbox: this root may not become another user (its user namespace maps no users "
            f"{FIRST} to {LAST}), and commands never run as root; start as an ordinary user instead"
        )
    taken = _users_with_processes()
    free = [user for user in range(FIRST, LAST + 1) if user not in taken]
    random.SystemRandom().shuffle(free)
    for user in free:
        if not _is_known(user):
            return user, user
    raise EngineError(f"sandbox: every user from {FIRST} to {LAST} is taken; start as an ordinary user instead")


def _covers(path: Path) -> bool:
    """Whether a map of identities covers the whole range."""
    for line in path.read_text().splitlines():
        first, _, count = map(int, line.split())
        if first <= FIRST and first + count > LAST:
            return True
    return False


def _users_with_processes() -> set[int]:
    users = set()
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                users.add(process.stat().st_uid)
            except OSError:
                continue  # it has just ended
    return users


def _is_known(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True
