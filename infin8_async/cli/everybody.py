"""What is done for every account of the accounts file: all at once, and one table with a line for each."""

from asyncio import TaskGroup
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, TypeVar

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..errors import Infin8Error
from .access import Access
from .output import explained, say
from .usage import UsageError

T = TypeVar("T")

_NO_END: Final = 10_000  # columns: no line is as long


async def each(ways: Iterable[Access], work: Callable[[Access], Awaitable[T]]) -> dict[str, T | None]:
    """
    Do something for each account. One that fails does not stop the others: a line says why.

    Returns:
        What came of it, under the names of the accounts; None for those that failed.
    """

    async def one(way: Access) -> T | None:
        try:
            return await work(way)
        except (OSError, UsageError) as error:
            say(f"{way.name}: {error}")
        except Infin8Error as error:
            say(f"{way.name}: {explained(error)}")
        return None

    async with TaskGroup() as group:
        tasks = {way.name: group.create_task(one(way)) for way in ways}
    return {name: task.result() for name, task in tasks.items()}


def print_accounts(results: Mapping[str, T | None], cells: Callable[[T], Mapping[str, str]]) -> None:
    """
    Print a line for each account.

    Args:
        results: What `each` gave.

        cells: What to print of a result, under headings that are the same for all.
    """
    rows = {name: None if result is None else cells(result) for name, result in results.items()}
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("account")
    for heading in next(filter(None, rows.values()), {}):
        table.add_column(heading, justify="right")
    for name, row in rows.items():
        table.add_row(Text(name), *(("failed",) if row is None else row.values()))
    console = Console()
    if not console.is_terminal:
        console.width = _NO_END  # a program wants one line for each account
    console.print(table)
