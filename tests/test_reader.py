"""One reader at a time, and none after the end."""

import asyncio

import pytest

from infin8_async._reader import OneReader


class Book:
    """Something that is read, and how often it was stopped."""

    def __init__(self):
        self.stopped = 0
        self.reader = OneReader("book", self.stop)

    async def stop(self):
        assert self.reader.reading
        self.stopped += 1


async def page():
    return 1


async def test_a_step_gives_what_it_reads():
    book = Book()
    assert await book.reader.read(page) == 1
    assert await book.reader.read(page) == 1
    assert not book.stopped


async def test_a_second_reader_is_refused_and_the_first_goes_on():
    book, turned = Book(), asyncio.Event()
    first = asyncio.ensure_future(book.reader.read(turned.wait))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="two readers on one book"):
        await book.reader.read(page)
    turned.set()
    assert await first
    assert not book.stopped


async def test_the_end_can_be_read_again():
    async def end():
        raise StopAsyncIteration

    book = Book()
    for _ in range(2):
        with pytest.raises(StopAsyncIteration):
            await book.reader.read(end)
    assert book.stopped == 1
    book.reader.close()
    with pytest.raises(StopAsyncIteration):
        await book.reader.read(page)


async def test_an_error_stops_it_for_good():
    async def fail():
        raise ZeroDivisionError

    book = Book()
    with pytest.raises(ZeroDivisionError):
        await book.reader.read(fail)
    assert book.stopped == 1
    with pytest.raises(RuntimeError, match="this book ended with ZeroDivisionError"):
        await book.reader.read(page)


async def test_so_does_the_cancellation_of_its_reader():
    book = Book()
    reading = asyncio.ensure_future(book.reader.read(asyncio.Event().wait))
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert book.stopped == 1
    with pytest.raises(RuntimeError, match="ended with CancelledError"):
        await book.reader.read(page)


async def test_closed_it_stays_closed():
    book = Book()
    book.reader.close()
    with pytest.raises(RuntimeError, match="this book was closed"):
        await book.reader.read(page)
