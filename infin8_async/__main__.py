"""`python -m infin8_async`, and the console script `infin8`."""

import signal
import sys
from types import FrameType

from ._extras import MissingExtraError, requires
from .cli import INTERRUPTED, TERMINATED, USAGE
from .cli.interrupt import as_ctrl_c


def main() -> int:
    """
    Run the command line. SIGTERM ends it as Ctrl-C does.

    Returns:
        The exit code.
    """
    terminated = False

    def terminate(number: int, frame: FrameType | None) -> None:
        nonlocal terminated
        terminated = True
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # `timeout`, for one, sends it twice
        as_ctrl_c(number, frame)

    # Without a handler the first process of a container would ignore SIGTERM.
    signal.signal(signal.SIGTERM, terminate)
    try:
        return _run()
    except KeyboardInterrupt:
        print(f"infin8: {'terminated' if terminated else 'interrupted'}", file=sys.stderr)  # noqa: T201  # the program's own output
        return TERMINATED if terminated else INTERRUPTED


def _run() -> int:
    try:
        with requires("cli", "cyclopts", "platformdirs", "rich", what="the command line needs"):
            from .cli.app import run  # noqa: PLC0415  # the bare install is the client alone
    except MissingExtraError as error:
        print(f"infin8: {error}", file=sys.stderr)  # noqa: T201  # the program's own output
        return USAGE
    return run()


if __name__ == "__main__":
    sys.exit(main())
