"""Where a feed stands: saved whole, added to, locked, and never mistaken for another feed's."""

import asyncio
import json
import os
import signal
import sys
import threading
from datetime import datetime, timedelta

import pytest
from profiles import some

from infin8_async import BEIJING, CdrQuery, CheckpointError, Credentials, Infin8Session
from infin8_async._feed.checkpoint import FileCheckpoint, Mark

DAY = datetime(2020, 6, 10, tzinfo=BEIJING)
CREDENTIALS = Credentials("app", "key", username="user")


class Memory:
    """A checkpoint that keeps its text where a test can see it."""

    def __init__(self) -> None:
        self.text: str | None = None

    async def load(self):
        return self.text

    async def save(self, state):
        self.text = state


def query(*, start: datetime = DAY, **filters):
    return CdrQuery(start, **filters)


def mark(checkpoint, wanted=None):
    return Mark(checkpoint, CREDENTIALS, wanted or query())


async def test_a_file_is_replaced_whole(tmp_path):
    file = FileCheckpoint(tmp_path / "calls.json")
    assert await file.load() is None
    for state in ("one", "two"):
        await file.save(state)
        assert await file.load() == state
    assert [path.name for path in tmp_path.iterdir()] == ["calls.json"]


async def test_a_cancelled_save_has_ended_when_its_caller_goes_on(tmp_path, monkeypatch):
    file, begun, go = FileCheckpoint(tmp_path / "calls.json"), threading.Event(), threading.Event()
    write = file._write

    def slow(state):
        begun.set()
        go.wait()
        write(state)

    monkeypatch.setattr(file, "_write", slow)
    saving = asyncio.ensure_future(file.save("old"))
    await asyncio.to_thread(begun.wait)
    saving.cancel()
    asyncio.get_running_loop().call_soon(go.set)
    with pytest.raises(asyncio.CancelledError):
        await saving
    assert (tmp_path / "calls.json").read_text() == "old"


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"of": "x"}', '{"of": "x", "start": "yesterday", "ids": []}', "\x00"]
)
async def test_a_damaged_one_is_a_clear_error(tmp_path, damage):
    path = tmp_path / "calls.json"
    path.write_text(damage)
    with pytest.raises(CheckpointError, match="damaged"):
        await Mark(FileCheckpoint(path), CREDENTIALS, query()).load()


async def test_bytes_that_are_no_text_are_damage_too(tmp_path):
    path = tmp_path / "calls.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError, match="damaged"):
        await Mark(FileCheckpoint(path), CREDENTIALS, query()).load()


@pytest.mark.parametrize(
    ("credentials", "wanted"),
    [
        (Credentials("other", "key", username="user"), query(callnumber="13800000000")),
        (CREDENTIALS, query(callnumber="13800000001")),
        (CREDENTIALS, query()),
    ],
)
async def test_that_of_another_feed_is_a_clear_error(credentials, wanted):
    memory = Memory()
    await Mark(memory, CREDENTIALS, query(callnumber="13800000000")).save(DAY, [1])
    with pytest.raises(CheckpointError, match="other credentials or other filters"):
        await Mark(memory, credentials, wanted).load()


async def test_a_later_version_is_a_clear_error():
    memory = Memory()
    await Mark(memory, CREDENTIALS, query()).save(DAY, [1])
    memory.text = memory.text.replace('"version":1', '"version":2')
    with pytest.raises(CheckpointError, match="version 2"):
        await Mark(memory, CREDENTIALS, query()).load()


async def test_neither_times_nor_the_key_make_it_another_feed():
    memory = Memory()
    await Mark(memory, CREDENTIALS, query()).save(DAY + timedelta(seconds=5), [1, 2])
    other = Mark(memory, Credentials("app", "new key", username="user"), query(start=DAY + timedelta(days=3)))
    assert await other.load() == (DAY + timedelta(seconds=5), [1, 2])


async def test_it_names_nobody():
    memory = Memory()
    secret = Credentials("app", "the-key", username="user")
    await Mark(memory, secret, query(callnumber="13800000000")).save(DAY, [1])
    assert "13800000000" not in memory.text
    assert "the-key" not in memory.text


async def test_what_is_added_is_loaded_with_the_rest(tmp_path):
    for checkpoint in (Memory(), FileCheckpoint(tmp_path / "calls.json")):
        saving = mark(checkpoint)
        await saving.save(DAY, [1])
        await saving.add([2, 3])
        await saving.add([4])
        saving.close()
        loading = mark(checkpoint)
        assert await loading.load() == (DAY, [1, 2, 3, 4])
        loading.close()


async def test_adding_to_a_file_does_not_write_it_again(tmp_path):
    path = tmp_path / "calls.json"
    saving = mark(FileCheckpoint(path))
    await saving.save(DAY, range(100_000))
    before = path.stat()
    await saving.add([7_000_000])
    after = path.stat()
    assert after.st_ino == before.st_ino
    assert after.st_size - before.st_size == len("\n[7000000]")


async def test_an_object_always_gets_one_json_document():
    memory = Memory()
    saving = mark(memory)
    await saving.save(DAY, [])
    await saving.add([5])
    await saving.add([6])
    assert json.loads(memory.text)["ids"] == [5, 6]


@pytest.mark.parametrize("cut", range(1, len("\n[1234567]")))
async def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path, cut):
    """Saving had not returned, so nobody relied on it: the call comes again."""
    path = tmp_path / "calls.json"
    saving = mark(FileCheckpoint(path))
    await saving.save(DAY, [1])
    await saving.add([2])
    await saving.add([1234567])
    saving.close()
    path.write_bytes(path.read_bytes()[:-cut])
    assert await mark(FileCheckpoint(path)).load() == (DAY, [1, 2])


async def test_damage_before_the_last_line_is_an_error(tmp_path):
    path = tmp_path / "calls.json"
    saving = mark(FileCheckpoint(path))
    await saving.save(DAY, [1])
    await saving.add([2])
    await saving.add([3])
    saving.close()
    path.write_text(path.read_text().replace("[2]", "[2"))
    with pytest.raises(CheckpointError, match="damaged"):
        await mark(FileCheckpoint(path)).load()


async def test_a_file_of_the_first_version_is_read(tmp_path):
    """Written whole, without lines that were added."""
    path = tmp_path / "calls.json"
    other = Memory()
    await mark(other).save(DAY, [1])
    of = json.loads(other.text)["of"]
    path.write_text(json.dumps({"of": of, "start": "2020-06-10 00:00:00", "ids": [1, 2], "version": 1}))
    assert await mark(FileCheckpoint(path)).load() == (DAY, [1, 2])


async def test_one_of_a_newer_version_says_so_whatever_else_is_in_it(tmp_path):
    path = tmp_path / "calls.json"
    path.write_text('{"version": 3, "calls": {}}\nwhatever')
    with pytest.raises(CheckpointError, match="newer infin8-async: it is of version 3"):
        await mark(FileCheckpoint(path)).load()


async def test_a_second_feed_on_the_same_file_is_refused(infin8_sandbox, tmp_path):
    path = tmp_path / "calls.json"
    async with Infin8Session(infin8_sandbox.credentials, base_url=infin8_sandbox.base_url) as session:
        first = session.follow(query(), checkpoint=path)
        await anext(first)
        second = session.follow(query(), checkpoint=str(path))
        with pytest.raises(CheckpointError, match=r"another feed is using the checkpoint .*calls\.json"):
            await anext(second)
        await first.aclose()
        async with session.follow(query(), checkpoint=path) as third:
            await anext(third)


async def test_who_lets_go_of_a_feed_lets_go_of_its_file(infin8_sandbox, tmp_path):
    path = tmp_path / "calls.json"
    async with Infin8Session(infin8_sandbox.credentials, base_url=infin8_sandbox.base_url) as session:
        for _ in range(2):
            async for _ in session.follow(query(), checkpoint=path):
                break


async def test_a_feed_that_ended_or_failed_lets_go_of_its_file(infin8_sandbox, tmp_path):
    path = tmp_path / "calls.json"
    day = CdrQuery(DAY, DAY + timedelta(days=1))
    async with Infin8Session(infin8_sandbox.credentials, base_url=infin8_sandbox.base_url) as session:
        ended = session.follow(day, checkpoint=path)
        assert [cdr async for cdr in ended]
        wrong = CdrQuery(DAY, callnumber="13800000000")
        failed = session.follow(wrong, checkpoint=path)
        with pytest.raises(CheckpointError, match="other filters"):
            await anext(failed)
        again = session.follow(day, checkpoint=path)
        assert not [cdr async for cdr in again]


FOLLOWER = """
import asyncio, sys
from datetime import datetime, timedelta
from infin8_async import BEIJING, CdrQuery, Infin8Session

async def main():
    day = datetime(2020, 6, 10, tzinfo=BEIJING)
    async with Infin8Session.from_env(per_page=20) as session:
        async with session.follow(CdrQuery(day, day + timedelta(days=7)), checkpoint=sys.argv[1]) as feed:
            async for cdr in feed:
                print(cdr.id, flush=True)

asyncio.run(main())
"""


async def test_killed_again_and_again_it_repeats_the_call_in_its_hands_and_no_other(infin8_sandbox, tmp_path):
    path = tmp_path / "calls.json"
    credentials = infin8_sandbox.credentials
    environment = {
        **os.environ, "INFIN8_APPID": credentials.appid, "INFIN8_ACCESSKEY": credentials.accesskey,
        "INFIN8_USERNAME": credentials.username, "INFIN8_BASE_URL": infin8_sandbox.base_url,
    }  # fmt: skip
    lives = []
    for kill_after in some((1, 7, 30, None), 2):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", FOLLOWER, str(path), env=environment, stdout=asyncio.subprocess.PIPE
        )
        life = []
        async for line in process.stdout:
            life.append(int(line))
            if len(life) == kill_after:
                process.send_signal(signal.SIGKILL)
                break
        life += map(int, (await process.stdout.read()).split())
        await process.wait()
        lives.append(life)
    assert {call for life in lives for call in life} == set(infin8_sandbox.ids())
    for number, life in enumerate(lives):
        before = {call for earlier in lives[:number] for call in earlier}
        assert len(life) == len(set(life))
        assert len(before & set(life)) <= 1
        assert before & set(life) <= {lives[number - 1][-1]} if number else True
