"""Calls as a Dask DataFrame: windows of a query are pulled as partitions, on one machine or on many."""

from .._extras import requires

with requires("dask", "dask", "distributed", "pandas", "pyarrow", what="a Dask DataFrame needs"):
    from ._frame import read_cdrs

__all__ = ["read_cdrs"]
