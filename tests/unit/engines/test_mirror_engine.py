"""The half of a mirror beside the model waits at the address that it is given, and at no other."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from curserve_engines.mirror.engine import MirrorEngine
from curserve_engines.protocol import World


def test_it_can_be_reached_at_its_own_address_alone(tmp_path: Path) -> None:
    with MirrorEngine().open_at(World(tmp_path), "127.0.0.1") as session:
        socket.create_connection(("127.0.0.1", session.port), timeout=5).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", session.port), timeout=5)
