"""Every known way out, tried from inside: nothing gets through, as root and as an ordinary user."""

import json
import os
from pathlib import Path

import pytest
from common_user import as_user, user_folder
from escapes import CONTROLS, ESCAPES

from curserve_engines import registry
from curserve_engines.protocol import Limits, World
from curserve_traces.model import ToolCall

SCRIPT = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_escapes import seen
print(json.dumps(seen(Path(sys.argv[1]))))
"""


def seen(root: Path) -> dict[str, str]:
    """Return what each command printed, all in one session."""
    os.environ["SECRET"] = "TOP-SECRET"
    found = {}
    with registry.load("server-subprocess").open(World(root, limits=Limits(timeout_s=20))) as session:
        for name, command in ESCAPES.items():
            result = session.call(ToolCall("1", "bash", {"command": command}))
            found[name] = result.failed or result.observation.stdout.decode(errors="replace")
        alive = session.call(ToolCall("1", "bash", {"command": "echo alive"}))
        found["alive"] = alive.observation.stdout.decode()
    return found


def judge(found: dict[str, str]) -> None:
    assert found.pop("alive") == "alive\n"
    assert {name: said for name, said in found.items() if "OUT" in said} == {}
    assert len(found) == len(ESCAPES) >= 60


def test_nothing_gets_out(tmp_path: Path) -> None:
    judge(seen(tmp_path))


@pytest.mark.parametrize("name", CONTROLS)
def test_the_kinds_get_through_where_they_may(name: str, tmp_path: Path) -> None:
    with registry.load("server-subprocess").open(World(tmp_path)) as session:
        result = session.call(ToolCall("1", "bash", {"command": CONTROLS[name]}))
    assert "OUT" in result.observation.stdout.decode(), result.observation.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="the one above ran as an ordinary user")
def test_nothing_gets_out_of_an_ordinary_user_s() -> None:
    with user_folder() as folder:
        (folder / "w").mkdir()
        os.chown(folder / "w", folder.stat().st_uid, folder.stat().st_gid)
        more = {"XDG_CACHE_HOME": str(folder), "TMPDIR": str(folder)}
        done = as_user(["-c", SCRIPT, folder / "w", Path(__file__).parent], env=more)
    judge(json.loads(done.stdout.splitlines()[-1]))
