"""What the command line says while something goes wrong."""

import logging
import re

import pytest
import stamina
from program import BASE, PATIENCE, started

from infin8_async import BEIJING, TransportError
from infin8_async.cli.log import listening

LOG = logging.getLogger("infin8_async")


@pytest.fixture(autouse=True)
def default_hooks():
    yield
    stamina.instrumentation.set_on_retry_hooks(None)


def retry(page: int, module: str = "transport") -> None:
    record = LOG.makeRecord(
        LOG.name, logging.WARNING, f"/{module}.py", 1, "page %d: try %d of %d, after: %s",
        (page, 2, 5, TransportError("host:80: reset")), None,
    )  # fmt: skip
    LOG.handle(record)


def test_an_outage_of_many_requests_is_one_line(capsys):
    with listening(verbose=False):
        for page in range(1, 9):
            retry(page)
        LOG.info("poll %d: %s", 1, "nothing new")
    said = "infin8: page 1: try 2 of 5, after: no complete answer from the platform: host:80: reset; trying again\n"
    assert capsys.readouterr() == ("", said)


def test_verbose_says_everything_and_a_follower_says_when(capsys):
    with listening(verbose=True, timed=BEIJING):
        for page in (1, 2):
            retry(page)
        LOG.info("poll %d: %s", 1, "nothing new")
        LOG.debug("page 1: HTTP 200")
    lines = capsys.readouterr().err.splitlines()
    begins = ("page 1: try 2", "page 2: try 2", "poll 1: nothing new")
    for line, begin in zip(lines, begins, strict=True):
        assert re.match(rf"infin8: \d\d:\d\d:\d\d {begin}", line)


def test_what_fails_again_and_again_is_said_each_time(capsys):
    with listening(verbose=False):
        for _ in range(2):
            LOG.warning("a poll for new calls failed, the next one comes in %s: %s", "0:01:00", "reset")
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_afterwards_nothing_is_said_any_more(capsys):
    with listening(verbose=True):
        pass
    LOG.warning("late")
    assert capsys.readouterr().err == ""


def test_stamina_prints_nothing_of_its_own():
    with listening(verbose=False):
        assert stamina.instrumentation.get_on_retry_hooks() == ()


def test_an_unreachable_platform_is_said_to_be_one_while_it_is_tried_again(unused_tcp_port):
    address = f"http://127.0.0.1:{unused_tcp_port}"
    env = BASE | {"INFIN8_APPID": "a", "INFIN8_USERNAME": "u", "INFIN8_ACCESSKEY": "k"}
    with started("count", "--base-url", address, env=env) as process:
        line = process.stderr.readline()
        assert process.poll() is None
        process.terminate()
        assert process.wait(PATIENCE) == 143
    assert line == (
        "infin8: page 1: try 2 of 5, after: no complete answer from the platform: "
        f"Cannot connect to host 127.0.0.1:{unused_tcp_port}: Connection refused; trying again\n"
    )
