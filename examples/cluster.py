"""
A month of calls on a Dask cluster: pulled into a Parquet data set, then the answer rate by hour and extension.

    python examples/cluster.py              # against the platform, credentials from INFIN8_* variables
    python examples/cluster.py --sandbox    # against the embedded sandbox: no account, no network

The workers are processes on this machine. For a cluster elsewhere, change the line that is marked: its workers need
the INFIN8_* variables, and a folder that all of them can write to. Needs `infin8-async[dask]`.
"""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

import dask.dataframe as dd
from dask.distributed import Client

from infin8_async import CdrQuery
from infin8_async.dask import read_cdrs
from infin8_async.testing import Sandbox

FOLDER = Path("calls.parquet")
DAYS = timedelta(days=30)
CALLS_PER_FILE = 5_000


def main(query: CdrQuery, folder: Path = FOLDER) -> None:
    """Start workers, and have them do everything."""
    with Client(n_workers=2, threads_per_worker=1):  # elsewhere: with Client("tcp://scheduler:8786"):
        pull(query, folder)
        print(answer_rates(folder).compute().sort_index())


def pull(query: CdrQuery, folder: Path) -> None:
    """Write one Parquet file for each partition. A partition that fails is pulled again."""
    calls = read_cdrs(query, calls_per_partition=CALLS_PER_FILE)
    calls.to_parquet(folder, compute_kwargs={"retries": 2})
    print(f"{calls.npartitions} files in {folder}")


def answer_rates(folder: Path) -> dd.DataFrame:
    """How many calls there were in each hour of the day at each extension, and the share of those answered."""
    calls = dd.read_parquet(folder, columns=["extnumber", "answertime", "billsec"])
    calls = calls.assign(
        hour=calls.index.dt.hour,
        answered=calls["answertime"].notnull() | (calls["billsec"] > 0),
    )
    rates = calls.groupby(["hour", "extnumber"])["answered"].agg(["count", "mean"])
    named: dd.DataFrame = rates.rename(columns={"count": "calls", "mean": "answer rate"})
    return named


async def main_in_sandbox() -> None:
    """Do the same with calls that nobody made."""
    async with Sandbox(20_000, days=30) as sandbox:
        os.environ |= {  # the workers inherit them
            "INFIN8_APPID": sandbox.credentials.appid,
            "INFIN8_ACCESSKEY": sandbox.credentials.accesskey,
            "INFIN8_USERNAME": sandbox.credentials.username or "",
            "INFIN8_BASE_URL": sandbox.base_url,
        }
        month = CdrQuery("2020-06-10 00:00:00", "2020-07-09 23:59:59")
        await asyncio.to_thread(main, month)


if __name__ == "__main__":
    if "--sandbox" in sys.argv:
        asyncio.run(main_in_sandbox())
    else:
        main(CdrQuery.last(DAYS))
