"""`python -m infin8_async`, and the console script `infin8`."""

import sys

_EXTRA = frozenset(("cyclopts", "rich"))


def main() -> int:
    """
    Run the command line, and say which extra it needs where that is missing.

    Returns:
        What to exit with.
    """
    try:
        from .cli.app import run  # noqa: PLC0415  # the bare install is the client alone
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        print("infin8: the command line needs: pip install 'infin8-async[cli]'", file=sys.stderr)  # noqa: T201
        return 2
    try:
        return run()
    except KeyboardInterrupt:
        print("infin8: interrupted", file=sys.stderr)  # noqa: T201
        return 130


if __name__ == "__main__":
    sys.exit(main())
