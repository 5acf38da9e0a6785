"""A terminal of any width, and what a user sees on it."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import pyte
from program import BASE, INFIN8, PATIENCE


class Terminal:
    """
    A program on a terminal.

    Attributes:
        process: The program.

        sent: All that it has sent to the terminal so far.
    """

    def __init__(self, columns: int, command: tuple[str, ...], env: dict[str, str]) -> None:
        self._ours, self._theirs = pty.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        env = {name: value for name, value in env.items() if name != "COLUMNS"} | {"TERM": "xterm-256color"}
        self.process = subprocess.Popen(
            command, env=env, stdin=self._theirs, stdout=self._theirs, stderr=self._theirs, start_new_session=True
        )
        self._screen = pyte.Screen(columns, 40)
        self._stream = pyte.ByteStream(self._screen)
        self.sent = b""

    @property
    def lines(self) -> list[str]:
        """The lines on the screen, from the first to the last that is not empty."""
        lines = [line.rstrip() for line in self._screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def cursor_shown(self) -> bool:
        return not self._screen.cursor.hidden

    @property
    def echoes(self) -> bool:
        """Whether it shows what is typed."""
        return bool(termios.tcgetattr(self._theirs)[3] & termios.ECHO)

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def read_until(self, pattern: str) -> None:
        """Wait until a line of the screen holds the pattern."""
        until = monotonic() + PATIENCE
        while not any(re.search(pattern, line) for line in self.lines):
            assert monotonic() < until, f"no {pattern}: {self.lines}"
            self._read()

    def finish(self) -> int:
        """Wait until the program has ended, and return its exit code."""
        code = self.process.wait(PATIENCE)
        while select.select((self._ours,), (), (), 0)[0]:
            self._read()
        return code

    def _read(self) -> None:
        assert select.select((self._ours,), (), (), PATIENCE)[0], f"nothing more came: {self.lines}"
        chunk = os.read(self._ours, 65536)
        self.sent += chunk
        self._stream.feed(chunk)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)


@contextmanager
def terminal(
    *arguments: str, columns: int = 80, command: tuple[str, ...] = INFIN8, env: dict[str, str] = BASE
) -> Iterator[Terminal]:
    """Run the command line on a terminal."""
    running = Terminal(columns, (*command, *arguments), env)
    try:
        yield running
    finally:
        running.close()
