"""`python -m konterfei` is the command `konterfei`."""

from __future__ import annotations

import sys

from konterfei.cli import main

if __name__ == "__main__":
    sys.exit(main())
