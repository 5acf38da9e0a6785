"""Calls in a database, each exactly once: SQLite, PostgreSQL, MySQL or MariaDB, through SQLAlchemy."""

try:
    import sqlalchemy.ext.asyncio  # noqa: F401  # whether it is there is asked here
except ModuleNotFoundError as error:
    raise ImportError("a store needs: pip install 'infin8-async[sql]'", name=error.name) from error

from ._reports import AuditDay, AuditReport, SaveResult, SyncProgress, SyncReport
from ._store import CdrStore

__all__ = ["AuditDay", "AuditReport", "CdrStore", "SaveResult", "SyncProgress", "SyncReport"]
