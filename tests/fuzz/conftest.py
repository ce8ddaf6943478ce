"""Lets the fuzz targets import their mutations."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
