"""`curserve-bench link` and `doctor`: what they print, and what they refuse."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from curserve_engines import programs

MAIN = [sys.executable, "-c", "from curserve_harness.cli import main; main()"]


def cli(*words, **options):
    return subprocess.run([*MAIN, *words], capture_output=True, text=True, timeout=120, **options)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--rtt", "150"], "150ms"),
        (["--rtt", "-5ms"], "duration"),
        (["--rtt", "90s"], "60 s"),
        (["--rtt", "5ms", "--loss", "101%"], "percentage"),
        (["--rtt", "5ms", "--loss", "0.1"], "percentage"),
        (["--rtt", "5ms", "--rate", "0mbit"], "rate"),
        (["--rtt", "5ms", "--rate", "fast"], "100mbit"),
        (["--rtt", "5ms", "--jitter", "-1ms"], "duration"),
        (["--rtt", "5ms", "--distribution", "poisson", "--jitter", "1ms"], "uniform"),
        (["--rtt", "5ms", "--mtu", "10"], "MTU"),
        (["--rtt", "5ms", "--congestion", "no such"], "congestion"),
        (["--tier", "atlantis"], "us-asia"),
        (["--rtt", "5ms", "--network", "198.18.0.0"], "network"),
        ([], "--rtt"),
    ],
)
@pytest.mark.parametrize("verb", [["calibrate"], ["run"]])
def test_what_makes_no_sense_is_refused_in_one_line(verb, words, expected):
    done = cli("link", *verb, *words, *(["--", "true"] if verb == ["run"] else []))
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("curserve-bench: ")
    assert expected in line


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["--backend", "pigeon"], "netem, queue, relay"), (["--congestion", "nosuch"], "nosuch")],
)
def test_what_this_machine_cannot_do_is_said_in_one_line(words, expected):
    done = cli("link", "calibrate", "--rtt", "5ms", *words)
    assert done.returncode == 3
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("curserve-bench: ")
    assert expected in line


def test_a_limit_below_the_bandwidth_delay_product_is_warned_about():
    done = cli("link", "run", "--rtt", "20ms", "--rate", "1gbit", "--limit", "50", "--", "true")
    assert done.returncode == 0
    assert "warning: limit 50 packets" in done.stderr


def test_an_address_clash_with_the_machines_networks_is_refused():
    row = next(
        (r.split() for r in Path("/proc/net/route").read_text().splitlines()[1:] if int(r.split()[1], 16)), None
    )
    if row is None:
        pytest.skip("this machine has no network of its own")
    destination = ".".join(str(byte) for byte in bytes.fromhex(row[1])[::-1])
    done = cli("link", "run", "--rtt", "5ms", "--network", f"{destination}/30", "--", "true")
    assert done.returncode == 3
    assert row[0] in done.stderr
    assert "--network" in done.stderr


def test_calibrate_prints_rows_as_json():
    done = cli("link", "calibrate", "--rtt", "1ms,5ms", "--samples", "20", "--backend", "queue", "--json")
    rows = json.loads(done.stdout)
    assert [row["requested_ms"] for row in rows] == [1.0, 5.0]
    for row in rows:
        assert row["backend"] == "queue"
        assert row["p50_ms"] > 0
        assert row["handshake_ms"] > 0
        assert set(row["payload_ms"]) == {"64", "16384", "262144"}
    assert done.returncode == (0 if all(row["ok"] for row in rows) else 5)


def test_calibrate_renews_its_table_in_a_document_and_draws_the_figure(tmp_path):
    document, figure = tmp_path / "page.md", tmp_path / "figures" / "link.svg"
    document.write_text("before\n\n<!-- BEGIN link calibration -->\nold\n<!-- END link calibration -->\n\nafter\n")
    words = ["--rtt", "1ms,5ms", "--samples", "10", "--document", str(document), "--figure", str(figure)]
    assert cli("link", "calibrate", *words).returncode in (0, 5)
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| requested |" in text
    assert figure.read_text().lstrip().startswith("<?xml")


def test_run_runs_a_command_with_its_peer_at_the_other_end():
    program = (
        "import os, socket\n"
        "for _ in range(100):\n"
        "    try: s = socket.create_connection((os.environ['CURSERVE_PEER'], 5000)); break\n"
        "    except ConnectionRefusedError: import time; time.sleep(0.05)\n"
        "print(s.recv(9).decode())\n"
        "raise SystemExit(7)\n"
    )
    peer = (
        "import os, socket\n"
        "s = socket.create_server((os.environ['CURSERVE_SERVER'], 5000)); s.accept()[0].sendall(b'hello')"
    )
    words = ["--rtt", "4ms", "--peer", f'{sys.executable} -c "{peer}"', "--", sys.executable, "-c", program]
    done = cli("link", "run", *words)
    assert done.stdout == "hello\n", done.stderr
    assert done.returncode == 7
    assert done.stderr.startswith("link: ")
    assert "with all your rights" in done.stderr


def test_run_puts_the_peers_address_into_the_command():
    done = cli("link", "run", "--rtt", "2ms", "--backend", "queue", "--", "echo", "at {peer}")
    assert done.stdout == "at 198.18.0.2\n"


def test_doctor_says_what_works_and_what_to_do():
    done = cli("doctor", "--json")
    findings = json.loads(done.stdout)
    backends = {f["subject"]: f for f in findings if f["subject"].startswith("link backend")}
    assert set(backends) >= {"link backend netem", "link backend queue/packet", "link backend relay"}
    assert backends["link backend relay"]["state"] == "works"
    for finding in findings:
        assert finding["detail"]
        assert finding["state"] in ("works", "missing", "note")
    rg = next(f for f in findings if f["subject"] == "program rg")
    assert (rg["state"], rg["detail"]) == ("works", str(programs.find("rg")))  # where the engines find it
    assert done.returncode == 0


def test_auto_says_why_it_took_its_backend():
    (row,) = json.loads(cli("link", "calibrate", "--rtt", "5ms", "--samples", "10", "--json").stdout)
    assert row["reason"].startswith("the first that works here")
    assert ("netem does not: " in row["reason"]) == (row["backend"] != "netem")
    assert "No such file" not in row["reason"]


def test_without_user_namespaces_auto_degrades_to_the_relay_and_says_why():
    """Bubblewrap takes the right to make namespaces away, as a strict container does."""
    bind = ["bwrap", "--dev-bind", "/", "/", "--unshare-user", "--disable-userns", "--cap-drop", "ALL", "--"]
    if subprocess.run([*bind, "true"], capture_output=True).returncode:
        pytest.skip("bubblewrap cannot forbid user namespaces here")
    words = ["link", "calibrate", "--rtt", "5ms", "--samples", "10", "--json"]
    done = subprocess.run([*bind, *MAIN, *words], capture_output=True, text=True, timeout=60)
    (row,) = json.loads(done.stdout)
    assert row["backend"] == "relay"
    assert row["reason"].startswith("the first that works here; netem does not: user namespaces are forbidden")
    refused = subprocess.run(
        [*bind, *MAIN, *words, "--backend", "queue"], capture_output=True, text=True, timeout=60
    )
    assert refused.returncode == 3
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "user namespaces are forbidden" in refused.stderr


def test_an_unreadable_tun_device_is_said_in_one_line(tmp_path):
    """An empty file stands where the device was."""
    empty = tmp_path / "empty"
    empty.touch()
    hide = ["bwrap", "--dev-bind", "/", "/", "--bind", str(empty), "/dev/net/tun", "--cap-add", "ALL", "--"]
    if not Path("/dev/net/tun").exists() or subprocess.run([*hide, "true"], capture_output=True).returncode:
        pytest.skip("no TUN device to hide")
    words = ["link", "calibrate", "--rtt", "5ms", "--backend", "queue/tun"]
    done = subprocess.run([*hide, *MAIN, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()) == 1
    assert "tun" in done.stderr


SERVES = (
    "import os, socket, time\n"
    "s = socket.create_server((ADDRESS, 5000))\n"
    "c, _ = s.accept(); c.sendall(b'hello'); time.sleep(600)"
)
ASKS = (
    "import os, socket\n"
    "port = int(os.environ.get('CURSERVE_PORT_5000', 5000))\n"
    "s = socket.create_connection((os.environ['CURSERVE_PEER'], port))\n"
    "print(s.recv(9).decode())"
)


def relayed(address, *words):
    peer = f'{sys.executable} -c "{SERVES.replace("ADDRESS", address)}"'
    words = ["--rtt", "4ms", "--backend", "relay", *words, "--peer", peer, "--", sys.executable, "-c", ASKS]
    return cli("link", "run", *words)


def test_a_relay_waits_until_its_peer_listens():
    """The command finds it there at once: nobody has to try again."""
    done = relayed("os.environ['CURSERVE_SERVER']", "--port", "5000")
    assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr


@pytest.mark.parametrize(
    ("port", "says"), [(["--port", "5000"], "before it listened on port 5000"), ([], "past the relay")]
)
def test_a_peer_on_every_address_is_told_where_to_listen(port, says):
    """With the relay's door there it cannot listen, and without one it would be reached past the relay."""
    done = relayed("'0.0.0.0'", *port)
    if not port and "past the relay" not in done.stderr:  # the command was quicker than the peer: it found nobody
        assert "Connection refused" in done.stderr
        return
    assert done.returncode == 4, done.stderr
    line = done.stderr.splitlines()[-1]
    assert says in line
    assert "let it listen on $CURSERVE_SERVER (127.83.0.2)" in line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "--port", "99999"], "1<=x<=65535"),
        (["run", "--port", "-1"], "1<=x<=65535"),
        (["calibrate", "--seed", "-1"], "0<=x<="),
        (["calibrate", "--limit", "0"], "1<=x"),
        (["calibrate", "--samples", "99999999999"], "1<=x<=100000"),
        (["run", "--peer", "'"], "No closing quotation"),
        (["run", "--peer", ""], ""),
        (["run", "--peer", "/no/such/program"], "program not found"),
        (["calibrate", "--reorder", "100%"], "reorder 100 %"),
        (["calibrate", "--backend", "relay", "--loss", "1%"], "relay: cannot do loss"),
        (["calibrate", "--backend", "relay", "--limit", "9"], "relay: cannot do a limit of packets"),
        (["calibrate", "--rate", "1kbit"], "on the wire alone"),
        (["calibrate", "--loss", "90%"], "would last about"),
    ],
)
def test_numbers_that_no_link_takes_are_refused(words, says):
    done = cli("link", words[0], "--rtt", "4ms", *words[1:], *(["--", "true"] if words[0] == "run" else []))
    assert done.returncode == (0 if says == "" else 2), done.stderr
    assert "Traceback" not in done.stderr
    assert says in done.stderr.splitlines()[-1]


def test_a_calibration_that_lasts_is_announced():
    done = cli("link", "calibrate", "--rtt", "500ms", "--samples", "200", "--backend", "relay")
    assert done.returncode in (0, 5)
    assert done.stderr.startswith("curserve-bench: calibrating RTT 500 ms: about ")
