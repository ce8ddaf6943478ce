"""`python -m curserve_harness` is `curserve-bench`."""

from curserve_harness.cli import main

main()
