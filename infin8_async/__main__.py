"""`python -m infin8_async`, and the console script `infin8`."""

import sys

from ._extras import MissingExtraError, requires


def main() -> int:
    """
    Run the command line.

    Returns:
        The exit code.
    """
    try:
        with requires("cli", "cyclopts", "rich", what="the command line needs"):
            from .cli.app import run  # noqa: PLC0415  # the bare install is the client alone
    except MissingExtraError as error:
        print(f"infin8: {error}", file=sys.stderr)  # noqa: T201
        return 2
    try:
        return run()
    except KeyboardInterrupt:
        print("infin8: interrupted", file=sys.stderr)  # noqa: T201
        return 130


if __name__ == "__main__":
    sys.exit(main())
