"""Two hosts, with real namespaces, processes and packets."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curserve_netem import HostsError, Link, calibrate, hosts

ECHO = """
import socket
listener = socket.create_server(("198.18.0.2", 5000))
print(flush=True)
connection, _ = listener.accept()
connection.sendall(connection.recv(99))
"""
CONNECT = "import socket; s = socket.create_connection(('198.18.0.2', 5000)); "
SAY = CONNECT + "s.sendall(b'hello'); print(s.recv(99).decode())"
ALGORITHM = CONNECT + "print(s.getsockopt(6, 13, 16).rstrip(b'\\0').decode()); s.sendall(b'.')"


@pytest.fixture(scope="module")
def pair():
    with hosts(Link(rtt_ns=4_000_000), backend="queue") as pair:
        yield pair


def test_a_program_on_the_client_host_reaches_one_on_the_server_host(pair):
    echo = pair.server.popen([sys.executable, "-c", ECHO], stdout=subprocess.PIPE)
    echo.stdout.readline()
    said = pair.client.run([sys.executable, "-c", SAY], capture_output=True, text=True, check=True)
    assert said.stdout == "hello\n"
    assert echo.wait(timeout=5) == 0


def test_a_host_sees_its_loopback_and_the_link_and_nothing_else(pair):
    for host in pair:
        devices = host.run(["cat", "/proc/self/net/dev"], capture_output=True, text=True, check=True).stdout
        assert {line.split(":")[0].strip() for line in devices.splitlines()[2:]} == {"lo", "link0"}


def test_standard_streams_environment_directory_and_descriptors_reach_the_program(pair, tmp_path):
    read, write = os.pipe()
    program = f"pwd; echo $WORD; cat; echo passed >&{write}"
    done = pair.server.run(
        ["bash", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "WORD": "env"},
        pass_fds=[write],
        input="stdin\n",
        capture_output=True,
        text=True,
        check=True,
    )
    os.close(write)
    assert f"{tmp_path}\nenv\nstdin\n" == done.stdout
    with os.fdopen(read) as pipe:
        assert pipe.read() == "passed\n"


def test_a_unix_socket_on_disk_joins_inside_and_outside(pair, tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        client = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({str(path)!r}); s.sendall(b'in')"
        process = pair.client.popen([sys.executable, "-c", client])
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(9) == b"in"
        assert process.wait(timeout=5) == 0


def test_a_program_that_does_not_exist_is_reported_as_python_reports_it(pair):
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        pair.client.popen(["no-such-program"])


def test_the_exit_status_and_the_process_number_are_the_programs_own(pair):
    process = pair.client.popen(["bash", "-c", "echo $$; exit 7"], stdout=subprocess.PIPE, text=True)
    assert process.communicate()[0].strip() == str(process.pid)
    assert process.returncode == 7


def test_every_program_gets_the_declared_congestion_control_unasked(pair):
    echo = pair.server.popen([sys.executable, "-c", ECHO], stdout=subprocess.PIPE)
    echo.stdout.readline()
    said = pair.client.run([sys.executable, "-c", ALGORITHM], capture_output=True, text=True, check=True)
    echo.wait(timeout=5)
    assert said.stdout.strip() == pair.link.tcp.congestion


@pytest.mark.alone
def test_calibration_takes_the_paths_cost_off(pair):
    untouched = calibrate(pair, samples=100, tune=False)
    calibration = calibrate(pair, samples=100, tune=True)
    assert untouched.p50_ms >= 4
    assert 0 < calibration.taken_off_ms < 4
    assert pair.taken_off_ns == calibration.taken_off_ms * 1e6
    assert calibration.p99_ms >= calibration.p50_ms
    assert set(calibration.payload_ms) == {64, 16384, 262144}


def test_everything_in_the_hosts_ends_with_the_block():
    with hosts(Link()) as pair:
        direct = pair.client.popen(["sleep", "1000"])
        shell = pair.server.popen(["bash", "-c", "setsid sleep 1000 & echo $!; wait"], stdout=subprocess.PIPE)
        grandchild = int(shell.stdout.readline())
    assert direct.returncode == -signal.SIGKILL
    assert shell.returncode == -signal.SIGKILL
    assert not _runs(grandchild)


def test_everything_in_the_hosts_ends_when_their_owner_is_killed():
    owner_program = (
        "import time; from curserve_netem import *\n"
        "with hosts(Link(rtt_ns=2_000_000)) as pair:\n"
        "    a = pair.client.popen(['sleep', '1000']); print(a.pid, flush=True); time.sleep(1000)"
    )
    owner = subprocess.Popen([sys.executable, "-c", owner_program], stdout=subprocess.PIPE)
    inside = int(owner.stdout.readline())
    assert _runs(inside)
    owner.kill()
    owner.wait()
    deadline = time.monotonic() + 10
    while _runs(inside):
        assert time.monotonic() < deadline, "still running after its owner was killed"
        time.sleep(0.02)


def test_an_error_in_the_block_is_the_callers_own():
    with pytest.raises(ZeroDivisionError), hosts(Link()):
        raise ZeroDivisionError


def test_an_unknown_backend_is_refused():
    with pytest.raises(HostsError, match="carrier-pigeon"), hosts(Link(), backend="carrier-pigeon"):
        pass


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
