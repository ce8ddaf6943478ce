"""A tree in the shape of a monorepo of packages, made of a seed: the same names and bytes each time.

Folders nest as in `node_modules`, `packages` and `vendor`; sizes are spread as those of source files are (most a
few kilobytes, some of them hundreds); the word of rank n comes 1/n as often as the first, so an index has some
rare and frequent ones. `python tests/made_monorepo.py FOLDER FILES` makes a tree by itself.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

ENDINGS = [".ts", ".d.ts", ".js", ".json", ".md", ".go", ".py", ".c", ".h", ".css"]
SHARES = [22, 14, 30, 10, 6, 6, 4, 3, 3, 2]
PARTS = ["src", "lib", "dist", "test", "types", "internal", "utils", "core", "api", "plugins"]
A_PACKAGE = 180
"""Files of a package, about."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def words(rng: random.Random, count: int) -> list[str]:
    """Return words as identifiers are: two or three syllables of their own each."""
    syllables = [a + b + c for a in "bcdfgklmnprstv" for b in "aeiou" for c in ("", "n", "r", "s")]
    return ["".join(rng.choices(syllables, k=rng.randint(2, 4))) for _ in range(count)]


def lines(rng: random.Random, vocabulary: list[str], count: int) -> list[bytes]:
    """Return lines of code whose words come as often as 1/rank."""
    weights = [1 / rank for rank in range(1, len(vocabulary) + 1)]
    shapes = [
        "    const {} = {}({}, {});",
        "import {{ {} }} from '{}/{}.{}';",
        "  return this.{}.{}({} => {});",
        "// {} {} {} {}",
    ]
    drawn = rng.choices(vocabulary, weights, k=4 * count)
    return [rng.choice(shapes).format(*drawn[4 * at : 4 * at + 4]).encode() + b"\n" for at in range(count)]


def make(root: Path, files: int, seed: int = 20) -> int:
    """Make a tree of so many files at `root`, which is not there yet; return its bytes."""
    rng = random.Random(seed)
    pool = lines(rng, words(rng, 40_000), 60_000)
    blocks = [b"".join(pool[at : at + 40]) for at in range(0, len(pool) - 40, 20)]
    total, made, package = 0, 0, 0
    while made < files:
        scope = root / ("node_modules", "packages", "vendor", "third_party/node")[package % 4]
        folder = scope / f"@{LETTERS[package % 26]}{package % 97}" / f"package-{package}"
        package += 1
        places = [folder]
        for _ in range(rng.randint(4, 30)):
            places.append(rng.choice(places[-8:]) / rng.choice(PARTS))
        for place in places:
            place.mkdir(parents=True, exist_ok=True)
        for at in range(min(files - made, rng.randint(A_PACKAGE // 2, A_PACKAGE * 3 // 2))):
            ending = rng.choices(ENDINGS, SHARES)[0]
            size = min(int(rng.lognormvariate(8.3, 1.4)), 2_000_000)
            text = [b"// package-%d file %d rare%08x\n" % (package, at, made * 2654435761 % 2**32)]
            left = size
            while left > 0:
                block = rng.choice(blocks)
                text.append(block[: max(left, 1)] if left < len(block) else block)
                left -= len(block)
            content = b"".join(text)
            name = f"{place_name(rng)}{at}{ending}"
            descriptor = os.open(rng.choice(places) / name, os.O_WRONLY | os.O_CREAT, 0o644)
            os.write(descriptor, content)
            os.close(descriptor)
            total += len(content)
            made += 1
    return total


def place_name(rng: random.Random) -> str:
    """Return the beginning of a file's name."""
    return "".join(rng.choices(LETTERS, k=rng.randint(3, 9)))


if __name__ == "__main__":
    print(make(Path(sys.argv[1]), int(sys.argv[2])))
