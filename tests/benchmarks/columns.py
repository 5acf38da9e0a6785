"""A pull into a table and into a Parquet file: straight from the bytes, by records, and by other means."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager, aclosing
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from attrs import fields

from infin8_async import Cdr, CdrStream
from infin8_async._arrow import call_schema, record_batch
from infin8_async.export import to_arrow, to_csv, to_jsonl, to_parquet
from infin8_async.export.csv import csv_writer
from infin8_async.export.jsonl import jsonl_writer
from infin8_async.export.parquet import ROW_GROUP, parquet_writer
from infin8_async.export.writing import Write, finished, written

from . import library, peers, reference
from .figures import Figure, in_turn, ratio, skipped, spread
from .host import lags_during, p99, thrown_away
from .memory import grown
from .server import Server

_CONCURRENCY = 8
_GROUP = 20  # pages in a row group, as `to_parquet` has it
_FIELDS = [field for field in fields(Cdr) if field.name != "extra"]
_TIMES = [field.name for field in _FIELDS if field.type == datetime | None]
_TIME = pa.timestamp("ms", tz="+08:00")
_TYPES = dict.fromkeys(_TIMES, _TIME) | {field.name: pa.int64() for field in _FIELDS if field.type is int}
_SCHEMA = pa.schema([(field.name, _TYPES.get(field.name, pa.string())) for field in _FIELDS])

_Row = msgspec.defstruct("_Row", [(f.name, int if f.type is int else str, "") for f in _FIELDS], gc=False)
_Data = msgspec.defstruct("_Data", [("data", list[_Row])])  # type: ignore[valid-type]
_decode = msgspec.json.Decoder(msgspec.defstruct("_Envelope", [("data", _Data)])).decode


def _by_hand(body: bytes) -> pa.RecordBatch:
    """A page as a careful person would make columns of it, who knows that every row is as documented."""
    arrays = []
    columns = zip(*map(msgspec.structs.astuple, _decode(body).data.data), strict=True)
    for field, values in zip(_SCHEMA, columns, strict=True):
        if field.name in _TIMES:
            texts = pa.array([value or None for value in values], pa.string())
            clock = texts.cast(pa.timestamp("ms")).view(pa.int64())
            arrays.append(pa.compute.subtract(clock, 8 * 3_600_000).view(_TIME))
        else:
            arrays.append(pa.array(values, field.type))
    return pa.record_batch(arrays, schema=_SCHEMA)


async def _batches_by_hand(url: str) -> AsyncIterator[pa.RecordBatch]:
    async with peers.connections(_CONCURRENCY) as http:
        async for body in peers.window(peers.getter(http, url, 1000), reference.total, 1000, _CONCURRENCY):
            yield _by_hand(body)


async def _table_by_hand(url: str) -> int:
    return pa.Table.from_batches([batch async for batch in _batches_by_hand(url)]).num_rows


async def _file_by_hand(url: str, path: Path) -> int:
    rows, group = 0, []
    with pq.ParquetWriter(path, _SCHEMA) as file:
        async for batch in _batches_by_hand(url):
            rows += len(batch)
            group.append(batch)
            if len(group) == _GROUP:
                await asyncio.to_thread(file.write_table, pa.Table.from_batches(group))
                group.clear()
        if group:
            file.write_table(pa.Table.from_batches(group))
    return rows


async def _table_of_records(url: str) -> int:
    """What `to_arrow` does with calls of any other source: records first, then columns in a thread."""
    schema = call_schema()
    async with library.stream(url, concurrency=_CONCURRENCY) as pull, aclosing(pull.pages()) as pages:
        batches = [await finished(partial(record_batch, schema, page.cdrs)) async for page in pages]
    return pa.Table.from_batches(batches).num_rows


async def _file_of_records(url: str, path: Path) -> int:
    """The same for `to_parquet`."""
    schema = call_schema()
    async with library.stream(url, concurrency=_CONCURRENCY) as pull, aclosing(pull.pages()) as pages:
        batches = (await finished(partial(record_batch, schema, page.cdrs)) async for page in pages)
        return await written(batches, parquet_writer(path), together=ROW_GROUP)


async def _texts_of_records(url: str, file: AbstractContextManager[Write]) -> int:
    """The same for `to_csv` and `to_jsonl`."""
    async with library.stream(url, concurrency=_CONCURRENCY) as pull, aclosing(pull.pages()) as pages:
        return await written((page.cdrs async for page in pages), file)


async def _table(url: str) -> int:
    async with library.stream(url, concurrency=_CONCURRENCY) as pull:
        return (await to_arrow(pull)).num_rows


async def _file(url: str, write: Callable[[CdrStream, Path], Awaitable[int]], path: Path) -> int:
    async with library.stream(url, concurrency=_CONCURRENCY) as pull:
        return await write(pull, path)


async def _read(url: str) -> int:
    async with library.stream(url, concurrency=_CONCURRENCY) as pull:
        return sum([len(batch) async for batch in pull.arrow()])


def columns(*, quick: bool) -> list[Figure]:
    """A platform that answers at once: what a table and a file of many calls take."""
    pages, rounds = (3, 1) if quick else (200, 5)
    rows, row = pages * 1000, "columns"
    figures: list[Figure] = []
    with Server(rows) as server, TemporaryDirectory() as folder:
        url, path = server.url, Path(folder, "calls.parquet")

        works: dict[str, dict[str, Callable[[], Coroutine[Any, Any, int]]]] = {
            "table": {
                "library": lambda: _table(url),
                "records": lambda: _table_of_records(url),
                "by hand": lambda: _table_by_hand(url),
            },
            "Parquet": {
                "library": lambda: _file(url, to_parquet, path),
                "records": lambda: _file_of_records(url, path),
                "by hand": lambda: _file_by_hand(url, path),
            },
            "CSV": {
                "library": lambda: _file(url, to_csv, path),
                "records": lambda: _texts_of_records(url, csv_writer(path)),
            },
            "JSON Lines": {
                "library": lambda: _file(url, to_jsonl, path),
                "records": lambda: _texts_of_records(url, jsonl_writer(path)),
            },
        }
        for what, contenders in works.items():
            runs: dict[str, Callable[[], object]] = {
                name: partial(lambda work: library.run(work(), rows), work) for name, work in contenders.items()
            }
            if "by hand" in runs and peers.installed("requests"):
                runs["requests"] = lambda: sum(map(len, peers.requests_loop(url, pages, 1000)))
            taken = in_turn(runs, rounds, warm=not quick)
            own = taken["library"]
            figures.append(Figure(row, f"{what}: rows a second", rows / median(own) / 1000, "k/s", note=spread(own)))
            if "by hand" not in taken:
                figures.append(Figure(row, f"{what}: rate / by records", ratio(taken["records"], own), least=1.5))
                continue
            figures += [
                Figure(row, f"{what}: rate / by records", ratio(taken["records"], own), least=2),
                Figure(row, f"{what}: rate / msgspec to Arrow by hand", ratio(taken["by hand"], own), least=0.8),
                Figure(row, f"{what}: rate / dicts of a requests loop", ratio(taken["requests"], own), least=1)
                if "requests" in taken
                else skipped(row, f"{what}: requests loop", "requests"),
            ]
        lags = {
            name: median(p99(asyncio.run(lags_during(work()))) for _ in range(rounds))
            for name, work in {"library": lambda: _read(url), "bytes": lambda: thrown_away(url)}.items()
        }
        beyond = lags["library"] - lags["bytes"]
        figures.append(Figure(row, "lag p99 beyond bytes thrown away", max(0.0, beyond), "ms", most=2))
    few, many = (2000, 4000) if quick else (100_000, 400_000)
    peaks = []
    for number in (few, many):
        with Server(number) as server:
            peaks.append(grown("parquet", server.url))
    figures += [
        Figure(row, f"memory of a Parquet file, {many:,} rows", peaks[1], "MB"),
        Figure(row, f"memory, {many:,} / {few:,} rows", peaks[1] / peaks[0], most=1.2),
    ]
    return figures
