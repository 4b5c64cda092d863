"""``python -m skreg`` is the command `skreg`."""

import sys

from skreg.bench._cli import main

if __name__ == "__main__":
    sys.exit(main())
