"""A coding agent as `curserve run` sees one: it starts a process a call, and does with the answer what it likes.

Called as `scripted_agent.py CALLS [SIDE_BY_SIDE]`: CALLS is a file with a JSON list of argument lists; what each
gave is printed as JSON, in that order.
"""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def call(words: list[str]) -> list:
    """Run one call as agents do: nothing to read, two pipes."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)
    return [done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1")]


if __name__ == "__main__":
    calls = json.loads(Path(sys.argv[1]).read_text())
    width = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with ThreadPoolExecutor(width) as pool:
        print(json.dumps(list(pool.map(call, calls))))
