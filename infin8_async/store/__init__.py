"""Calls in a database, each exactly once: SQLite, PostgreSQL, MySQL or MariaDB, through SQLAlchemy."""

from .._extras import requires
from ._reports import AuditDay, AuditReport, SaveResult, SyncProgress, SyncReport

with requires("sql", "sqlalchemy", what="a store needs"):
    from ._store import CdrStore

__all__ = ["AuditDay", "AuditReport", "CdrStore", "SaveResult", "SyncProgress", "SyncReport"]
