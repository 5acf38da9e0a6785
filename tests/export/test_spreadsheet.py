"""CSV for spreadsheets."""

import asyncio
import csv
import shutil
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from xml.etree.ElementTree import parse
from zoneinfo import ZoneInfo

import pytest

from infin8_async import BEIJING, Cdr
from infin8_async.export import to_csv

MEXICO = ZoneInfo("America/Mexico_City")
DIALLED = datetime(2020, 6, 10, 9, 30, 5, tzinfo=BEIJING)
FORMULAS = ("=1+1", "+8613800000000", "-1", "@SUM(A1)", "\t=1", "\r=1")
NUMBERS = ("01000007715", "8001", "1E5", "1-2", "3/4", "12345678901234567890", "1,5", "10:30", "MARCH1")
CALL = Cdr(
    id=7, starttime=DIALLED, billsec=65, userid="客户", callnumber="=1+1", disnumber="01000007715",
    extnumber="8001", memberid="1E5", anumber="+8613800000000", extra={"note": "好"},
)  # fmt: skip


OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"


async def source(*cdrs: Cdr) -> AsyncIterator[Cdr]:
    for cdr in cdrs:
        yield cdr


def read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


def cells_of(sheet: Path) -> dict[str, tuple[str, str]]:
    """The kind and the value of each cell in the second row, by the text above it, without tabs."""
    heading, row = (
        [
            cell
            for cell in row.iter(f"{TABLE}table-cell")
            for _ in range(int(cell.get(f"{TABLE}number-columns-repeated", 1)))
        ]
        for row in parse(sheet).getroot().iter(f"{TABLE}table-row")
    )
    cells = {}
    for above, cell in zip(heading, row, strict=True):
        kind = cell.get(f"{OFFICE}value-type", "")
        value = cell.get(f"{OFFICE}date-value") or cell.get(f"{OFFICE}value") or "".join(cell.itertext()).strip()
        assert cell.get(f"{TABLE}formula") is None
        cells["".join(above.itertext()).strip()] = kind, value
    return cells


async def test_what_would_be_a_formula_is_quoted_and_what_would_be_a_number_has_a_tab(tmp_path):
    file = tmp_path / "calls.csv"
    texts = {"'": FORMULAS, "\t": NUMBERS, "": ("", "caller", "客户")}
    await to_csv(
        source(*(Cdr(id=-1, userid=text) for marked in texts.values() for text in marked)), file, spreadsheet=True
    )
    rows = read(file)
    assert [row["userid"] for row in rows] == [mark + text for mark, marked in texts.items() for text in marked]
    assert {row["id"] for row in rows} == {"-1"}


@pytest.mark.parametrize(("zone", "shown"), [(BEIJING, "2020-06-10 09:30:05"), (MEXICO, "2020-06-09 20:30:05")])
async def test_times_are_those_of_the_zone(tmp_path, zone, shown):
    file = tmp_path / "calls.csv"
    await to_csv(source(CALL), file, spreadsheet=True, zone=zone)
    (row,) = read(file)
    assert (row["starttime"], row["answertime"]) == (shown, "")
    assert row["extra"] == '{"note": "好"}'


async def test_a_time_at_the_end_of_the_calendar_stays_as_it_is(tmp_path):
    file = tmp_path / "calls.csv"
    first = Cdr(id=1, starttime=datetime(1, 1, 1, tzinfo=BEIJING))
    await to_csv(source(first), file, spreadsheet=True, zone=timezone(timedelta(hours=-6)))
    assert read(file)[0]["starttime"] == "0001-01-01 00:00:00"


async def test_without_the_option_there_is_no_mark_and_every_text_is_as_it_was(tmp_path):
    file = tmp_path / "calls.csv"
    await to_csv(source(*(Cdr(id=1, userid=text) for text in FORMULAS + NUMBERS)), file)
    assert file.read_bytes().startswith(b"id,")
    assert [row["userid"] for row in read(file)] == [*FORMULAS, *NUMBERS]


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
async def test_libreoffice_reads_texts_as_texts_and_times_as_times(tmp_path):
    file, seen = tmp_path / "calls.csv", tmp_path / "seen"
    await to_csv(source(CALL), file, spreadsheet=True)
    # What its dialog has: commas, quotes, UTF-8 (which it knows by the mark), from the first line on, in English,
    # quoted fields may be numbers, times are looked for.
    dialog = "CSV:44,34,76,1,,1033,false,true"
    office = await asyncio.create_subprocess_exec(
        "soffice", f"-env:UserInstallation=file://{tmp_path / 'profile'}", "--headless", f"--infilter={dialog}",
        "--convert-to", "fods", "--outdir", str(seen), str(file), stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await office.wait() == 0
    cells = cells_of(seen / "calls.fods")
    assert cells["starttime"] == ("date", "2020-06-10T09:30:05")
    assert cells["billsec"] == ("float", "65")
    for name in ("disnumber", "extnumber", "memberid", "userid"):
        assert cells[name] == ("string", getattr(CALL, name))
    assert (cells["callnumber"], cells["anumber"]) == (("string", "'=1+1"), ("string", "'+8613800000000"))
    assert cells["extra"] == ("string", '{"note": "好"}')
