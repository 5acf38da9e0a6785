"""The command line `infin8`. Only `__main__` imports it."""

from typing import Final

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
