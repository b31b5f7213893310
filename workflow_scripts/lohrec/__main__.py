"""`python -m lohrec`: the same as the command `lohrec`."""

import sys

from lohrec.serving.command import main

if __name__ == "__main__":
    sys.exit(main())
