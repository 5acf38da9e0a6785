"""
The command line `infin8`. Only `__main__` imports it.

Its exit codes: 0 done; 1 the platform, the network or a file failed; 2 wrong usage; 130 interrupted by Ctrl-C;
143 ended by SIGTERM.
"""

from typing import Final

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
TERMINATED: Final = 143
