"""What a command finds inside the sandbox: nothing of the host may be read, changed or reached.

Each line is one call of one session of `curserve-bench call`; a line that gets through prints the word BREACH.
"""

from __future__ import annotations

from functools import partial

import making
from attack import Attack, Done, Stage

SETTINGS = (
    "fs/lease-break-time kernel/core_pattern kernel/core_uses_pid kernel/panic kernel/printk kernel/hostname kernel/domainname "
    "kernel/modprobe kernel/hotplug kernel/randomize_va_space kernel/sysrq kernel/threads-max kernel/pid_max "
    "kernel/dmesg_restrict kernel/kptr_restrict kernel/yama/ptrace_scope kernel/unprivileged_bpf_disabled kernel/shmmax kernel/msgmax "
    "fs/file-max fs/nr_open fs/suid_dumpable fs/protected_symlinks fs/protected_hardlinks fs/protected_fifos fs/pipe-max-size "
    "fs/inotify/max_user_watches fs/mqueue/queues_max fs/binfmt_misc/register vm/overcommit_memory vm/swappiness vm/drop_caches "
    "vm/max_map_count vm/panic_on_oom vm/dirty_ratio net/core/somaxconn net/ipv4/ip_forward net/ipv4/tcp_congestion_control "
    "user/max_user_namespaces dev/tty/ldisc_autoload"
).split()
# A setting is given the value that it has: a break changes nothing, and is seen all the same.
WRITES = {
    f"sysctl {name}": f'f=/proc/sys/{name}; v=$(cat $f 2>/dev/null) && [ -n "$v" ] && (echo "$v" > $f) 2>/dev/null && echo BREACH'
    for name in SETTINGS
    if name not in ("vm/drop_caches", "fs/binfmt_misc/register")
}
WRITES |= {
    f"write {path}": f"(exec 9>>{path}) 2>/dev/null && echo BREACH"
    for path in (
        "/etc/passwd /etc/hosts /etc/ld.so.preload /etc/x /usr/bin/x /usr/local/bin/x /opt/x /proc/sysrq-trigger /proc/self/oom_score_adj/x "
        "/sys/power/state /sys/kernel/mm/ksm/run /sys/fs/cgroup/x /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/memory/tasks /dev/mem /dev/kmsg "
        "/dev/vda /dev/sda /dev/loop0 /dev/net/tun /dev/fuse /dev/kvm /boot/x /lib/x /root/x /home/x /var/x /var/tmp/x /run/x /x "
        "/opt/curserve/libexec/curserve /proc/1/mem /proc/1/environ OUTSIDE/victim OUTSIDE/new HOME/.bashrc HOME/.ssh/authorized_keys TMP/x "
        "/proc/sys/vm/drop_caches /proc/sys/fs/binfmt_misc/register /proc/irq/0/smp_affinity /proc/acpi/x /sys/class/net/lo/mtu"
    ).split()
}
READS = {
    f"read {path}": f"cat {path} 2>/dev/null | grep -a -q . && echo BREACH"
    for path in (
        "/etc/shadow /etc/gshadow /root/.bashrc /root/.profile /root/.ssh/id_ed25519 HOME/.netrc HOME/.ssh/id_ed25519 OUTSIDE/secret leak "
        "escape/secret /proc/1/root/etc/shadow /proc/self/root/OUTSIDE/secret /proc/kcore /proc/kmsg /dev/mem /dev/vda /dev/sda "
        "/var/log/dpkg.log /var/lib/dpkg/status /usr/src /usr/local/bin/pip /run/utmp /sys/kernel/debug/x /sys/firmware/acpi/tables/DSDT "
        "/proc/keys /proc/sched_debug /proc/timer_list /proc/vmallocinfo /proc/slabinfo /sys/kernel/security/lsm"
    ).split()
}
TRICKS = {
    "a setuid program": "find / -xdev -perm -4000 -type f 2>/dev/null -exec test -x {} \\; -exec grep -q 'NoNewPrivs:.*0' /proc/self/status \\; -print | head -1 | grep -q . && echo BREACH",
    "user 0 of the host": "awk '$1 == 0 || $2 == 0 { exit 1 }' /proc/self/uid_map || { [ \"$(awk '{ print $2; exit }' /proc/self/uid_map)\" = 0 ] && [ $(id -u) = 0 ] && echo BREACH; }",
    "capabilities": "grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | grep -v 0000000000000000 | grep -q . && echo BREACH",
    "new privileges": "grep -q 'NoNewPrivs:[[:space:]]*1' /proc/self/status || echo BREACH",
    "system calls": "grep -q 'Seccomp:[[:space:]]*2' /proc/self/status || echo BREACH",
    "groups": "id -G | tr ' ' '\\n' | grep -qx 0 && echo BREACH",
    "another user namespace": "unshare -U true 2>/dev/null && echo BREACH",
    "another mount namespace": "unshare -Urm true 2>/dev/null && echo BREACH",
    "a mount": "mount -t tmpfs none b 2>/dev/null && echo BREACH",
    "a remount": "mount -o remount,rw / 2>/dev/null && echo BREACH",
    "a new root": "chroot . /bin/true 2>/dev/null && echo BREACH",
    "a device": "mknod dev b 8 0 2>/dev/null && echo BREACH",
    "another's processes": "ls /proc | grep -x '[0-9]*' | wc -l | awk '$1 > 40 { print \"BREACH\" }'",
    "another's environment": "cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -q HOSTILE_SECRET && echo BREACH",
    "our own environment": "env | grep -q -e HOSTILE_SECRET -e XDG_CACHE && echo BREACH",
    "kill all": "kill -9 -1 2>/dev/null; sleep 0.2; true",
    "signal the worker": "kill -STOP 1 2>/dev/null; kill -9 1 2>/dev/null; kill -9 $PPID 2>/dev/null; true",
    "trace the worker": "python3 -c \"import ctypes; print('BREACH' if ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0 else '')\"",
    "trace the parent": "python3 -c \"import ctypes, os; print('BREACH' if ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0 else '')\"",
    "the worker's memory": "for p in /proc/[0-9]*; do [ \"$(cat $p/comm)\" = curserve ] && (exec 9<>$p/mem) && echo BREACH; done 2>/dev/null; true",
    "descriptors": "for f in /proc/self/fd/*; do case $(readlink $f) in /dev/null|pipe:*|/proc/*|'/memfd:command (deleted)'|'') ;; *) echo BREACH $f $(readlink $f) ;; esac; done",
    "descriptors of the parent": "for f in /proc/$PPID/fd/*; do [ -e $f ] && (exec 9>>$f) 2>/dev/null && case $(readlink $f) in /dev/null|pipe:*) ;; *) echo BREACH $f $(readlink $f) ;; esac; done",
    "a service of the machine": "(exec 3<>/dev/tcp/127.0.0.1/PORT) 2>/dev/null && echo BREACH",
    "the network": "(exec 3<>/dev/tcp/198.51.100.2/80) 2>/dev/null && echo BREACH; (echo x > /dev/udp/198.51.100.2/53) 2>/dev/null && echo BREACH",
    "an abstract socket": "python3 -c \"import socket; s = socket.socket(socket.AF_UNIX); s.bind('\\0hostile'); print('bound')\" | grep -q bound && grep -q @hostile /proc/net/unix && [ $(wc -l < /proc/net/unix) -gt 60 ] && echo BREACH",
    "a packet socket": "python3 -c \"import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW); print('BREACH')\" 2>/dev/null",
    "a vsock": "python3 -c \"import socket; socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).connect((2, 1)); print('BREACH')\" 2>/dev/null",
    "io_uring": "python3 -c \"import ctypes; b = ctypes.create_string_buffer(256); print('BREACH' if ctypes.CDLL(None).syscall(425, 8, b) >= 0 else '')\"",
    "bpf": "python3 -c \"import ctypes; b = ctypes.create_string_buffer(256); print('BREACH' if ctypes.CDLL(None).syscall(321, 5, b, 64) >= 0 else '')\"",
    "keys": "python3 -c \"import ctypes; print('BREACH' if ctypes.CDLL(None).syscall(248, b'user', b'x', b'y', 1, -3) >= 0 else '')\"",
    "userfaultfd": "python3 -c \"import ctypes; print('BREACH' if ctypes.CDLL(None).syscall(323, 0) >= 0 else '')\"",
    "perf": "python3 -c \"import ctypes; b = ctypes.create_string_buffer(128); print('BREACH' if ctypes.CDLL(None).syscall(298, b, 0, -1, -1, 0) >= 0 else '')\"",
    "open by handle": "python3 -c \"import ctypes; b = ctypes.create_string_buffer(128); ctypes.CDLL(None, use_errno=True).syscall(304, -100, b, 0); print('BREACH' if ctypes.get_errno() not in (1, 38) else '')\"",
    "typing at the terminal": "python3 -c \"import fcntl; fcntl.ioctl(0, 0x5412, b'x'); print('BREACH')\" 2>/dev/null",
    "a message queue for all": "python3 -c \"import ctypes; print('made', ctypes.CDLL(None).msgget(0x1234, 0o1600))\"; true",
    "shared memory for all": "python3 -c \"from multiprocessing import shared_memory as m; m.SharedMemory('hostile', True, 4096); print('made')\"; true",
    "the host's name": "hostname pwned 2>/dev/null && echo BREACH",
    "priority": "nice -n -5 true 2>/dev/null | grep -q . && echo BREACH; true",
    "the limits": "ulimit -n 1048576 2>/dev/null && echo BREACH; ulimit -u unlimited 2>/dev/null && echo BREACH; true",
    "the tag of its processes": "for n in 0 1 4096 unlimited; do ulimit -q $n 2>/dev/null && echo BREACH; done; true",
    "a core": "ulimit -c unlimited 2>/dev/null; sh -c 'kill -SEGV $$'; ls core* 2>/dev/null | grep -q . && echo BREACH; true",
    "what stays": "setsid sleep 300 >/dev/null 2>&1 & (sleep 301 & disown) >/dev/null 2>&1; true",
    "a double fork": "python3 -c \"import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n    [os.close(n) for n in (0, 1, 2)]; time.sleep(300)\n\"; true",
    "stopped": "setsid sh -c 'kill -STOP $$' >/dev/null 2>&1 & true",
    "deaf": "setsid bash -c 'trap \"\" TERM INT HUP; sleep 300; sleep 300' >/dev/null 2>&1 & true",
    "sed's e": "sed -n '1e touch OUTSIDE/pwned' a.txt; sed -n '1w OUTSIDE/pwned' a.txt; true",
    "find's print": "find . -name a.txt -fprintf OUTSIDE/pwned x -fls OUTSIDE/pwned; true",
    "rg's pre": "rg --pre 'touch OUTSIDE/pwned' alpha; rg --hostname-bin 'OUTSIDE/secret' alpha; true",
    "git's configuration": "git -c core.fsmonitor='touch OUTSIDE/pwned' -c core.pager='touch OUTSIDE/pwned' status; true",
    "sort's output": "sort -o OUTSIDE/victim a.txt; sort --compress-program='touch OUTSIDE/pwned' a.txt; true",
    "tar's command": "tar cf x.tar a.txt --to-command='touch OUTSIDE/pwned' --checkpoint=1 --checkpoint-action=exec='touch OUTSIDE/pwned'; true",
    "xargs and tee": "echo OUTSIDE/victim | xargs rm -f; echo x | tee OUTSIDE/victim escape/new; true",
    "redirections": "echo x > OUTSIDE/victim; echo x >> escape/victim; : > leak; true",
    "edits in place": "sed -i s/untouched/pwned/ OUTSIDE/victim escape/victim leak; perl -pi -e s/untouched/pwned/ OUTSIDE/victim; true",
    "removal": "rm -rf OUTSIDE/victim escape/ escape/* /testbed/..OUTSIDE HOME/.ssh 2>/dev/null; true",
    "modes and times": "chmod 777 OUTSIDE/victim leak escape OUTSIDE/closed; touch -d @0 OUTSIDE/victim leak; chown 0:0 leak; true",
    "extended attributes": "python3 -c \"import os; os.setxattr('escape/victim', 'user.x', b'pwned')\"; setfattr -n user.x -v 1 OUTSIDE/victim; true",
    "hard links": "ln OUTSIDE/secret got; ln leak got2; ln /etc/passwd got3; cat got got2 got3 2>/dev/null | grep -q -e TOP-SECRET && echo BREACH",
    "rename out": "mv a.txt OUTSIDE/; mv b escape/; mv OUTSIDE/victim .; true",
    "bind a socket outside": "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('OUTSIDE/s')\" 2>/dev/null && echo BREACH",
    "a name that runs": "ls $(touch OUTSIDE/pwned); curl -s -m 2 http://127.0.0.1:PORT/; true",
    "at": "echo 'touch OUTSIDE/pwned' | at now; echo '* * * * * touch OUTSIDE/pwned' | crontab -; true",
    "systemd": "systemctl --user status; systemd-run --user touch OUTSIDE/pwned; busctl list; dbus-send --session / x.y; true",
}  # fmt: skip
LINES = {**WRITES, **READS, **TRICKS}
SPLIT = 40
"""Lines of one session; after each session one line must still be answered rightly."""
ALIVE = "echo alive; cat a.txt"


def _lines(stage: Stage, engine: str, shell: str) -> list[str]:
    return ["call", "--engine", engine, "--workspace", str(stage.workspace), "--shell", shell, "--timeout-s", "20",
            *stage.sandboxed()]  # fmt: skip


def _stdin(stage: Stage, names: list[str]) -> bytes:
    lines = [
        LINES[name] if stage.sandbox != "landlock" or name not in UNDER_LANDLOCK else "true" for name in names
    ]
    return b"".join(making.asked(stage.fill(line)) for line in (*lines, ALIVE))


def _no_breach(_stage: Stage, done: Done, names: list[str]) -> None:
    said = making.answers(done.stdout)
    assert len(said) == len(names) + 1, f"{len(said)} answers of {len(names) + 1}"
    through = [
        f"{name}: {answer.get('stdout', '')[:80]}"
        for name, answer in zip(names, said, strict=False)
        if "BREACH" in answer.get("stdout", "")
    ]
    assert not through, "; ".join(through)
    assert str(said[-1].get("stdout")).startswith("alive\n"), said[-1]


UNDER_LANDLOCK = {
    "modes and times", "extended attributes", "another's processes", "capabilities", "another user namespace", "groups",
    "descriptors of the parent", "what stays", "the host's name", "removal",
}  # fmt: skip
"""Lines that Landlock does not hold, or not alike: its limits are listed where it runs."""
SOME = [name for number, name in enumerate(TRICKS) if number % 3 == 0 and name != "kill all"]


def _as_root(stage: Stage, verb: str) -> list[str]:
    """Return a command that root asks to hold by Landlock."""
    file = making.trace(stage, ("touch OUTSIDE/pwned",))
    calls = stage.work / "calls.jsonl"
    calls.write_text('{"command": "cat a.txt", "cwd": "/testbed"}\n')
    place = ["--workspace", str(stage.workspace), "--sandbox", "landlock"]
    return {
        "call": ["call", "--engine", "client-subprocess", *place],
        "daemon": ["call", "--engine", "daemon", *place],
        "replay": ["replay", "--trace", str(file), "--rtt", "1ms", "--out", "run", *place],
        "check": ["trace", "check", str(file), *place],
        "verify": ["verify", "--calls", str(calls), *place],
    }[verb]


def attacks() -> list[Attack]:
    """Return the attacks of this kind: sessions of lines, in every engine."""
    names = list(LINES)
    parts = [names[start : start + SPLIT] for start in range(0, len(names), SPLIT)]
    found = []
    for engine, shell in (
        ("client-subprocess", "fresh"),
        ("daemon", "fresh"),
        ("server-subprocess", "persistent"),
        ("daemon", "persistent"),
    ):
        for number, part in enumerate(parts):
            found.append(
                Attack(
                    f"inside.{engine}-{shell}-{number}",
                    partial(_lines, engine=engine, shell=shell),
                    None,
                    held=partial(_no_breach, names=part),
                    stdin=partial(_stdin, names=part),
                    sandbox=True,
                    sample=(engine, shell) == ("daemon", "fresh"),
                    timeout_s=240,
                )
            )
    found.append(
        Attack("inside.all-in-a-replay", partial(_replayed, names=names), (0, 5), held=_no_secret, timeout_s=600)
    )
    found.append(
        Attack(
            "inside.some-in-a-replay",
            partial(_replayed, names=SOME),
            (0, 5),
            held=_no_secret,
            sample=True,
            one=True,
            timeout_s=240,
        )
    )
    found += [
        Attack(f"inside.landlock-as-root-{verb}", partial(_as_root, verb=verb), (2, 3), "landlock.*root", only="root", sample=verb == "call",
               stdin=lambda _: making.asked("true"))
        for verb in ("call", "daemon", "replay", "check", "verify")
    ]  # fmt: skip
    return found


def _no_secret(stage: Stage, _done: Done) -> None:
    kept = [path for path in (stage.work / "run").rglob("*") if path.is_file()]
    assert kept, "no run"
    assert not [path for path in kept if stage.secret.encode() in path.read_bytes()], "the run holds the secret"


def _replayed(stage: Stage, names: list[str]) -> list[str]:
    """Play lines in one replay, in all engines, with everything executed."""

    def up(value: making.Json) -> None:
        value["extra"]["curserve"]["id"] = value["session_id"] = value["trajectory_id"] = "../../hostile"

    file = making.trace(stage, tuple(LINES[name] for name in names), change=up)
    engines = [
        word for engine in ("client-subprocess", "server-subprocess", "daemon") for word in ("--engine", engine)
    ]
    return ["replay", "--trace", str(file), "--rtt", "1ms", "--model", "swe-grep-mini", "--repetitions", "1", "--pace", "virtual",
            "--out", "run", *engines, "--execute", "all", "--workspace", str(stage.workspace), *stage.sandboxed()]  # fmt: skip
