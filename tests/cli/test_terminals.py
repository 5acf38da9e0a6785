"""What a user sees on a terminal of any width."""

import asyncio
import re
import shlex
import signal

import pytest
from profiles import cases, some
from program import BASE, DAY, INFIN8, environment, names
from terminal import terminal

from infin8_async.testing import Sandbox, SandboxRequest

WIDTHS = some((40, 80, 140), 2)
CALL = r"\d\d-\d\d \d\d:\d\d"


class Held:
    """A platform that holds the answer to one page until it is let go."""

    def __init__(self, page: int) -> None:
        self.page = page
        self.go = asyncio.Event()

    async def __call__(self, request: SandboxRequest) -> None:
        if request.page == self.page and request.per_page > 1:
            await self.go.wait()


@pytest.mark.parametrize("columns", WIDTHS)
async def test_a_pull_shows_a_table_and_a_bar_below_it_that_leaves_nothing_behind(columns: int):
    held = Held(2)
    async with Sandbox(200, on_request=held) as sandbox:
        arguments = ("pull", *DAY, "--per-page", "15", "--limit", "30")
        with terminal(*arguments, columns=columns, env=environment(sandbox)) as shown:
            await asyncio.to_thread(shown.read_until, "15 of 200 calls")
            *table, bar = shown.lines
            assert len(table) == 2 + 15
            assert "━" in bar
            assert not shown.cursor_shown
            held.go.set()
            assert await asyncio.to_thread(shown.finish) == 0
    _, heading, *lines = shown.lines
    shown_columns = heading.split()
    assert {"starttime", "disnumber", "callnumber"} <= set(shown_columns)
    assert ("memberid" in shown_columns, "id" in shown_columns) == (columns == 140, columns >= 80)
    assert [bool(re.search(CALL, line)) for line in lines] == [True] * 30 + [False] * 2
    assert re.fullmatch(r"The first 30 of 200 calls, in \d+\.\d s\.", lines[-2])
    assert lines[-1] == "More: --limit 100. All: -o calls.csv."
    assert shown.cursor_shown
    for gone in sandbox.credentials.accesskey, "Next:", "━":
        assert gone not in "\n".join(shown.lines)


@pytest.mark.parametrize("columns", [40, 140][: cases(2, 1)])
async def test_a_bar_is_one_line_however_large_its_numbers(columns: int, tmp_path):
    """And SIGTERM takes it away, with the file that was begun."""
    held = Held(2)
    body = b'{"code": 1, "msg": "", "data": {"data": [%s], "page": 1, "per_page": 1000, "total": 12345678}}'
    async with Sandbox(0, on_request=held) as sandbox:
        sandbox.fail(None, page=1, body=body % b",".join(b'{"id": %d}' % number for number in range(1000)))
        arguments = ("pull", *DAY, "--integrity", "off", "-o", str(tmp_path / "calls.csv"))
        with terminal(*arguments, columns=columns, env=environment(sandbox)) as shown:
            await asyncio.to_thread(shown.read_until, "1,000 of 12,345,678")
            (bar,) = shown.lines
            assert len(bar) <= columns
            assert [name.endswith(".part") for name in names(tmp_path)] == [True]
            shown.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(shown.finish) == 143
        held.go.set()
    assert shown.lines == ["infin8: terminated"]
    assert shown.cursor_shown
    assert names(tmp_path) == []


async def test_the_days_of_a_sync_are_two_lines_that_go(tmp_path):
    held = Held(2)
    async with Sandbox(300, on_request=held) as sandbox:
        arguments = ("sync", f"sqlite:///{tmp_path / 'calls.db'}", *DAY, "--per-page", "50")
        with terminal(*arguments, columns=40, env=environment(sandbox)) as shown:
            await asyncio.to_thread(shown.read_until, "2020-06-10: 50 of 300 calls")
            days, _ = shown.lines
            assert "0 of 1 day, 50 calls" in days
            held.go.set()
            assert await asyncio.to_thread(shown.finish) == 0
    assert "300 calls new" in shown.lines[0]
    assert "━" not in "".join(shown.lines)
    assert shown.cursor_shown


def test_the_first_command_of_a_new_user_ends_with_something_to_read():
    with terminal("pull", "--sandbox") as shown:
        assert shown.finish() == 0
    assert len([line for line in shown.lines if re.search(CALL, line)]) == 20
    assert re.fullmatch(r"The first 20 of 10,000 calls, in \d+\.\d s\.", shown.lines[-3])
    assert shown.lines[-1] == "Made up. Next: infin8 report --sandbox"


@pytest.mark.parametrize("command", ["pull --limit 5", "sync sqlite://{tmp}/calls.db --extnumber 8001"][: cases(2, 1)])
def test_a_pipe_to_another_program_on_the_terminal_has_it_to_itself(command: str, tmp_path):
    line = f"{shlex.join(INFIN8)} {command.replace('{tmp}', f'/{tmp_path}')} --sandbox --quiet | cat"
    with terminal(command=("sh", "-c", line)) as shown:
        assert shown.finish() == 0
    assert b"\x1b" not in shown.sent
    assert len(re.findall(rb'"id":', shown.sent)) == (5 if "pull" in command else 0)


def test_a_terminal_gets_what_is_asked_for_instead_of_a_table():
    with terminal("pull", "--sandbox", "-o", "-", "--fields", "id", "--limit", "2", "--quiet", env=BASE) as shown:
        assert shown.finish() == 0
    assert [bool(re.fullmatch(r'\{"id":\d+\}', line)) for line in shown.lines] == [True, True]
