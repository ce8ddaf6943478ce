"""Ways out of the sandbox, a line each: a name, a command, and what must be seen of it (nothing that says otherwise).

Each is run by `bash` inside; it must print no line `OUT` and leave no trace outside. `C` is Python with ctypes.
"""
# ruff: noqa: E501 - attacks are easier to judge on one line

C = "python3 -c 'import ctypes, os, socket, sys; c = ctypes.CDLL(None, use_errno=True); {}'"


def _call(number: int, *arguments: object) -> str:
    """Return a command that prints OUT where the system call does anything but be refused."""
    words = ", ".join(map(str, (number, *arguments)))
    test = f'r = c.syscall({words}); print("OUT" if r >= 0 or ctypes.get_errno() not in (1, 38) else "held")'
    return C.format(test)


def _write(path: str) -> str:
    return f"(: >> {path}) 2>/dev/null && echo OUT"


def _read(path: str) -> str:
    return f"test -r {path} && (head -c 1 {path} || ls {path}/) >/dev/null 2>&1 && echo OUT"


ESCAPES: dict[str, str] = {
    # files of the machine, written
    **{f"write {path}": _write(path) for path in (
        "/proc/sys/kernel/core_pattern", "/proc/sys/fs/lease-break-time", "/proc/sys/vm/drop_caches",
        "/proc/sys/kernel/modprobe", "/proc/sys/net/ipv4/ip_forward", "/proc/sysrq-trigger", "/proc/1/oom_score_adj",
        "/proc/1/comm", "/proc/irq/0/smp_affinity", "/etc/passwd", "/etc/ld.so.cache", "/usr/bin/env", "/usr/lib/x",
        "/opt/curserve/bin/rg", "/opt/curserve/libexec/x", "/x", "/dev/x", "/proc/x", "/sys/x",
        "/sys/fs/cgroup/cgroup.procs", "/dev/kmsg", "/dev/mem", "/dev/vda", "/dev/sda",
    )},
    # and read
    **{f"read {path}": _read(path) for path in (
        "/etc/shadow", "/etc/ssh", "/root", "/home", "/var", "/run", "/srv", "/mnt", "/boot", "/sys", "/usr/local",
        "/usr/src", "/proc/kcore", "/proc/kmsg", "/proc/keys", "/proc/timer_list", "/proc/1/environ", "/proc/1/maps",
        "/proc/1/root/", "/proc/1/cwd/", "/proc/1/fd/0", "/proc/1/exe", "/proc/1/map_files", "/proc/1/stack",
    )},
    # calls that are refused by rule, whatever their arguments
    "ptrace": _call(101, 16, 1, 0, 0), "process_vm_readv": _call(310, 1, 0, 0, 0, 0), "keyctl": _call(250, 0, -3, 0),
    "add_key": _call(248, 0, 0, 0, 0, 0), "bpf": _call(321, 0, 0, 0), "perf": _call(298, 0, 0, -1, -1, 0),
    "userfaultfd": _call(323, 1), "io_uring": _call(425, 1, 0), "unshare": _call(272, 0x10000000),
    "setns": _call(308, -1, 0), "mount": _call(165, 0, 0, 0, 0, 0), "pivot_root": _call(155, 0, 0),
    "chroot": _call(161, 0), "open_tree": _call(428, -100, 0, 1), "fsopen": _call(430, 0, 0),
    "open_by_handle_at": _call(304, -1, 0, 0), "init_module": _call(175, 0, 0, 0), "vmsplice": _call(278, -1, 0, 0, 0),
    "syslog": _call(103, 10, 0, 0), "clone3": _call(435, 0, 0), "personality": _call(135, 0x0200000),
    "x32": _call(0x40000000 | 39),
    # identities and privileges
    "set user": C.format('r = c.setuid(0); print("OUT" if r == 0 else "held")'),
    "set group": C.format('r = c.setgid(0); print("OUT" if r == 0 else "held")'),
    "setuid program": "cp /usr/bin/id x; chmod 6755 x; ./x -u | grep -qx 0 && echo OUT; su -c id; sudo id",
    "file capabilities": "cp /usr/bin/id x; setcap all+ep x 2>/dev/null && echo OUT",
    "capabilities": "grep -E '^Cap' /proc/self/status | grep -qv 0000000000000000 && echo OUT",
    "new privileges": "grep -qx 'NoNewPrivs:.1' /proc/self/status || echo OUT",
    "filter": "grep -qx 'Seccomp:.2' /proc/self/status || echo OUT",
    "device node": "mknod n c 1 1 2>/dev/null && echo OUT; mknod /tmp/n b 254 0 2>/dev/null && echo OUT",
    "new user namespace": "unshare -Ur true 2>/dev/null && echo OUT",
    "chown to root": "touch f; chown 0 f 2>/dev/null && echo OUT",
    # processes, sockets, leftovers of the start
    "other processes": "test $(ls -d /proc/[0-9]* | wc -l) -gt 8 && echo OUT",
    "kill the first": "kill -9 1; sleep 0.1; kill -STOP 1; echo held",
    "open descriptors": "ls /proc/self/fd | grep -vxE '0|1|2|3|255' | grep -q . && echo OUT",
    "descriptors that are folders": "for f in /proc/self/fd/*; do test -d $f/ && test $f != /proc/self/fd/3 && echo OUT; done",
    "environment": "env | grep -q SECRET && echo OUT",
    "network devices": "grep -q eth /proc/net/dev && echo OUT; ip link 2>/dev/null | grep -q 'eth\\|veth' && echo OUT",
    "vsock": "python3 -c 'import socket; socket.socket(40, 1); print(\"OUT\")' 2>/dev/null",
    "packet socket": "python3 -c 'import socket; socket.socket(17, 3); print(\"OUT\")' 2>/dev/null",
    "raw socket": "python3 -c 'import socket; socket.socket(2, 3, 1); print(\"OUT\")' 2>/dev/null",
    "above the workspace": "cd /testbed/..; test \"$PWD\" = / || echo OUT; (: > /testbed/../x) 2>/dev/null && echo OUT",
    "through a link": "ln -s /etc e; (: > e/x) 2>/dev/null && echo OUT; ln -s / r; (: > r/x) 2>/dev/null && echo OUT",
    "hard link outwards": "ln /usr/bin/env l 2>/dev/null && echo OUT",
    "old root": "ls -d /oldroot /newroot /.oldroot 2>/dev/null && echo OUT",
    "remount": "mount -o remount,rw / 2>/dev/null && echo OUT; mount -o remount,rw /usr/bin 2>/dev/null && echo OUT",
    "mount flags": "grep -v ' /dev/' /proc/self/mountinfo | awk '{print $6}' | grep -v 'nosuid.*nodev' | grep -q . && echo OUT",
    "the terminal": "python3 -c 'import fcntl; fcntl.ioctl(0, 0x5412, b\"x\"); print(\"OUT\")' 2>/dev/null",
}  # fmt: skip

CONTROLS = {
    # the same kinds where they may get through: else `held` would say nothing
    "write": _write("/tmp/x"),
    "read": _read("/etc/passwd"),
    "call": _call(39),
    "socket": "python3 -c 'import socket; socket.socket(2, 1); print(\"OUT\")'",
    "set user": C.format('r = c.setuid(1000); print("OUT" if r == 0 else "held")'),
}
