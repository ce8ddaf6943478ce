"""Lets these tests import each other's helpers: `traffic`, `uml`, `receipts`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
