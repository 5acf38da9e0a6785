"""The command line: `infin8 pull`, `count`, `report`, `sync`, `audit`, `follow`, `probe`, `sandbox`."""

from importlib.metadata import version

from cyclopts import App, CycloptsError

from ..errors import Infin8Error
from . import DONE, FAILED, USAGE
from .commands.audit import audit
from .commands.count import count
from .commands.follow import follow
from .commands.probe import probe
from .commands.pull import pull
from .commands.report import report
from .commands.sandbox import sandbox
from .commands.sync import sync
from .options import UsageError
from .output import say

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
for command in (pull, count, report, sync, audit, follow, probe, sandbox):
    app.command(command)


def run() -> int:
    """
    Run the command that is named on the command line.

    Returns:
        The exit code, one of those in `infin8_async.cli`.
    """
    try:
        code: object = app()
    except (CycloptsError, UsageError) as error:
        say(str(error))
        return USAGE
    except BrokenPipeError:  # the reader of our output has left
        return DONE
    except Infin8Error as error:
        say(str(error))
        return FAILED
    except OSError as error:
        say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return FAILED
    return code if isinstance(code, int) else DONE
