"""No role outlives its runner, a killed client leaves the server serving, and nothing hangs."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SLOW = {"tpot_ns": 5_000_000, "ttft_ns": 300_000_000}


def alive(pid):
    """Return whether a process lives (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid, within_s=10):
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if not alive(pid):
            return True
        time.sleep(0.02)
    return False


def slow(cell, made):
    return dataclasses.replace(cell, model=dataclasses.replace(made.model, **SLOW))


@pytest.mark.parametrize("engine", ["recorded-client", "recorded-server"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_client_that_dies_in_mid_stream_leaves_the_server_serving(start_role, cell_of, made, engine, number):
    server, client = start_role("server"), start_role("client")
    cell = slow(cell_of(made.trace(tokens=400), engine=engine), made)
    assert server.ask(op="open", cell=cell.to_json())["ok"]
    client.send(op="run", cell=cell.to_json(), url=server.ready["url"])
    time.sleep(0.6)  # the first turn is being written: 0.3 s to the first token, 2 s of tokens
    client.process.send_signal(number)
    assert client.process.wait(10) != 0
    closed = server.ask(op="close", cell=cell.cell)
    assert closed["ok"] is False
    assert [row["turn"] for row in closed["rows"]] == [0]
    assert 0 < closed["rows"][0]["last_token_ns"] - closed["rows"][0]["prompt_read_ns"] < 2_000_000_000
    again = dataclasses.replace(cell, cell=2, model=made.model)
    assert server.ask(op="open", cell=again.to_json())["ok"]
    answer = start_role("client").ask(op="run", cell=again.to_json(), url=server.ready["url"])
    assert answer["ok"], answer
    assert server.ask(op="close", cell=2)["ok"]


@pytest.mark.parametrize("engine", ["recorded-client", "recorded-server"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_server_that_dies_in_mid_stream_ends_the_cell_in_one_line(start_role, cell_of, made, engine, number):
    server, client = start_role("server"), start_role("client")
    cell = slow(cell_of(made.trace(tokens=400), engine=engine), made)
    assert server.ask(op="open", cell=cell.to_json())["ok"]
    client.send(op="run", cell=cell.to_json(), url=server.ready["url"])
    time.sleep(0.6)
    server.process.send_signal(number)
    assert gone(server.process.pid)
    answer = client.read()
    assert answer["ok"] is False
    assert "model server" in answer["error"]
    assert client.ask(op="ping") == {"ok": True}


def test_a_cell_that_passes_its_deadline_ends(start_role, cell_of, made):
    server, client = start_role("server"), start_role("client")
    for number, engine in enumerate(("recorded-client", "recorded-server")):
        cell = slow(cell_of(made.trace(tokens=400), engine=engine, number=number, deadline_s=0.7), made)
        assert server.ask(op="open", cell=cell.to_json())["ok"]
        answer = client.ask(op="run", cell=cell.to_json(), url=server.ready["url"])
        assert answer["ok"] is False
        assert "deadline" in answer["error"]
        assert server.ask(op="close", cell=number)["ok"] is False


@pytest.mark.parametrize("name", ["server", "client"])
def test_sigterm_and_the_end_of_input_end_a_role(start_role, name):
    role = start_role(name)
    role.process.terminate()
    role.process.wait(10)
    role = start_role(name)
    role.process.stdin.close()
    assert role.process.wait(10) is not None


@pytest.mark.parametrize("busy", [False, True])
def test_roles_die_with_their_runner(cell_of, made, busy, tmp_path):
    """A runner killed by SIGKILL cannot clean up, so its roles must notice by themselves."""
    cell = slow(cell_of(made.trace(tokens=4000)), made)
    script = """
import json, subprocess, sys, time
roles = [subprocess.Popen([sys.executable, "-m", "curserve_harness.roles." + n], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) for n in ("server", "client")]
ready = [json.loads(r.stdout.readline()) for r in roles]
cell = json.loads(sys.argv[1])
def send(role, **message):
    role.stdin.write(json.dumps(message).encode() + b"\\n"); role.stdin.flush()
if cell:
    send(roles[0], op="open", cell=cell); roles[0].stdout.readline()
    send(roles[1], op="run", cell=cell, url=ready[0]["url"])
    time.sleep(0.5)
print(*(r.pid for r in roles), flush=True)
time.sleep(60)
"""
    arguments = [sys.executable, "-c", script, json.dumps(cell.to_json() if busy else None)]
    runner = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in runner.stdout.readline().split()]
    assert len(pids) == 2
    assert all(map(alive, pids))
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    runner.stdout.close()
    assert all(gone(pid) for pid in pids)
