"""What `infin8 pull` writes: which fields, how many calls, in which form."""

import csv
import gzip
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from program import DAY, Ran, against, names
from rich.console import Console

from infin8_async import BEIJING, Cdr
from infin8_async.cli.output import Tables
from infin8_async.testing import Sandbox

SOME = ("--fields", "id,starttime,extra")


@pytest.fixture
async def sandbox():
    async with Sandbox(25) as sandbox:
        yield sandbox


@pytest.fixture
def pull(sandbox):
    async def pull(*arguments: str) -> Ran:
        return await against(sandbox, "pull", *DAY, "--per-page", "10", *arguments)

    return pull


@pytest.mark.parametrize("where", [(), ("-o", "-")])
async def test_standard_output_gets_json_lines_with_the_fields_that_are_named(pull, sandbox, where: Sequence[str]):
    ran = await pull(*where, *SOME)
    assert ran.code == 0
    assert ran.rows == [
        {"id": row["id"], "starttime": f"{row['starttime'].replace(' ', 'T')}+08:00", "extra": {}}
        for row in sandbox.rows()
    ]


async def test_csv_has_one_heading_for_all_pages(pull, sandbox):
    ran = await pull("--format", "csv", *SOME)
    heading, *rows = csv.reader(ran.out.splitlines())
    assert heading == ["id", "starttime", "extra"]
    assert [int(row[0]) for row in rows] == sandbox.ids()


async def test_a_csv_without_calls_has_its_heading(pull):
    assert (await pull("--extnumber", "9", "--format", "csv", *SOME)).out == "id,starttime,extra\n"


async def test_a_table_in_a_pipe_has_all_calls(pull, sandbox):
    ran = await pull("--format", "table")
    zone, heading, *rows = ran.out.splitlines()
    assert (zone.strip(), heading.split()[:2]) == ("Beijing", ["id", "starttime"])
    assert [int(row.split()[0]) for row in rows] == sandbox.ids()
    assert "\x1b" not in ran.out


async def test_quiet_says_nothing(pull):
    assert (await pull("--quiet", *SOME)).err == ""


async def test_quiet_says_what_went_wrong(pull, sandbox):
    body = {"code": 1, "msg": "", "data": {"data": [{"id": 1}], "page": 1, "per_page": 1, "total": 5}}
    sandbox.fail(None, body=json.dumps(body).encode())
    ran = await pull("--quiet", "--integrity", "off")
    assert ran.code == 1
    assert "NOT COMPLETE: the platform counts 5" in ran.err


@pytest.mark.parametrize(
    ("limit", "rows", "said"),
    [(1, 1, "The first 1 of 25 calls, in"), (10, 10, "The first 10 of 25"), (13, 13, "The first 13 of 25"),
     (25, 25, "25 calls in"), (26, 25, "25 calls in")],
)  # fmt: skip
async def test_a_limit_ends_the_pull(pull, sandbox, limit: int, rows: int, said: str):
    ran = await pull("--limit", str(limit))
    assert ran.code == 0
    assert [row["id"] for row in ran.rows] == sandbox.ids()[:rows]
    assert ran.err.startswith(said)
    assert "More:" not in ran.err


async def test_a_limit_holds_for_columns_as_well(pull, sandbox, tmp_path: Path):
    assert (await pull("-o", str(tmp_path / "calls.Parquet"), "--limit", "13")).code == 0
    assert pq.read_table(tmp_path / "calls.Parquet").column("id").to_pylist() == sandbox.ids()[:13]


@pytest.mark.parametrize("name", ["calls.JSONL.gz", "calls.jsonl.GZ", "calls.Csv.gz", "calls.CSV", "calls.JSONL"])
async def test_the_name_of_a_file_decides_in_any_case(pull, sandbox, tmp_path: Path, name: str):
    file = tmp_path / name
    ran = await pull("-o", str(file), "--limit", "13")
    assert (ran.code, ran.out) == (0, "")
    assert f"The first 13 of 25 calls in {file}, in " in ran.err
    text = (gzip.decompress(file.read_bytes()) if "gz" in name.lower() else file.read_bytes()).decode()
    lines = text.splitlines()
    if "csv" in name.lower():
        assert lines[0].startswith("id,extnumber,")
        read = [int(row["id"]) for row in csv.DictReader(lines)]
    else:
        read = [json.loads(line)["id"] for line in lines]
    assert read == sandbox.ids()[:13]
    assert names(tmp_path) == [name]


async def test_a_format_can_be_given_for_a_file_of_any_name(pull, sandbox, tmp_path: Path):
    assert (
        await pull("-o", str(tmp_path / "calls.txt"), "--format", "csv", "--spreadsheet", "--fields", "id")
    ).code == 0
    text = (tmp_path / "calls.txt").read_bytes().decode("utf-8-sig")
    assert text == "id\n" + "".join(f"{number}\n" for number in sandbox.ids())


async def test_a_wrong_number_format_is_explained(pull, sandbox):
    sandbox.fail(None, code=1008)
    ran = await pull("--callnumber", "abc")
    assert ran.code == 1
    assert "1008" in ran.err
    assert "give --extnumber, --disnumber and --callnumber as the records have them" in ran.err


class TestTables:
    def test_the_fields_that_are_named_are_all_there_however_narrow_the_terminal(self):
        columns = ["memberid", "starttime", "extra", "id"]
        call = Cdr(id=7, memberid="m" * 40, extra={"mood": "\x1b[2J"})
        _, heading, row = Tables(Console(width=40), columns).lines([call]).decode().splitlines()
        assert heading.split() == columns
        assert row.split() == ["m" * 40, '{"mood":', '"\\u001b[2J"}', "7"]

    @pytest.mark.parametrize(("columns", "zone"), [(40, "Mexico_City"), (80, "America/Mexico_City")])
    def test_the_zone_above_the_times_is_one_line(self, columns: int, zone: str):
        call = Cdr(id=7, starttime=datetime(2020, 6, 10, 9, 30, tzinfo=BEIJING))
        table = Tables(Console(width=columns), zone=ZoneInfo("America/Mexico_City")).lines([call]).decode()
        above, heading, row = table.splitlines()
        assert above.strip() == zone
        assert "starttime" in heading
        assert "06-09 20:30" in row

    def test_no_calls_are_no_table(self):
        assert Tables(Console(width=40)).lines([]) == b""
