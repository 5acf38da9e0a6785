"""The command line: `infin8 pull`, `count`, `report`, `sync`, `audit`, `follow`, `probe`, `sandbox`, `completion`."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from importlib.metadata import version
from typing import Final

from cyclopts import App, CoercionError, CycloptsError

from ..errors import Infin8Error
from . import DONE, FAILED, USAGE
from .commands.audit import audit
from .commands.completion import completion_of
from .commands.count import count
from .commands.follow import follow
from .commands.probe import probe
from .commands.pull import pull
from .commands.report import report
from .commands.sandbox import sandbox
from .commands.sync import sync
from .options import UsageError
from .output import explained, say

_FORMS: Final[Mapping[type, str]] = {
    date: "a day such as 2020-06-10",
    timedelta: "a length of time such as 90s, 15m, 2h or 7d",
    int: "a whole number",
    float: "a number",
}

app = App(
    name="infin8",
    help="The call detail records of the Infin8linx cloud call centre.",
    version=lambda: version("infin8-async"),
    help_format="markdown",
    suppress_keyboard_interrupt=False,
    exit_on_error=False,
    print_error=False,
    result_action="return_value",
)
for command in (pull, count, report, sync, audit, follow, probe, sandbox, completion_of(app)):
    app.command(command)


def run(tokens: Sequence[str] | None = None) -> int:
    """
    Run the command that is named on the command line.

    Args:
        tokens: The command and its arguments; None for those of this process.

    Returns:
        The exit code, one of those in `infin8_async.cli`.
    """
    try:
        code: object = app(tokens)
    except (CycloptsError, UsageError) as error:
        say(_accepted_form(error) or str(error))
        return USAGE
    except BrokenPipeError:  # the reader of our output has left
        return DONE
    except Infin8Error as error:
        say(explained(error))
        return FAILED
    except OSError as error:
        say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return FAILED
    return code if isinstance(code, int) else DONE


def _accepted_form(error: Exception) -> str | None:
    """What a value should look like, in words; None if the error is about something else."""
    if not isinstance(error, CoercionError) or error.token is None or error.token.keyword is None:
        return None
    words = None if error.target_type is None else _FORMS.get(error.target_type)
    return words and f"{error.token.keyword} {error.token.value}: give {words}"
