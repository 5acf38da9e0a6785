"""Calls to JSON Lines, CSV, Parquet and a `pyarrow.Table`."""

from .arrow import to_arrow
from .csv import to_csv
from .jsonl import to_jsonl
from .parquet import to_parquet

__all__ = ["to_arrow", "to_csv", "to_jsonl", "to_parquet"]
