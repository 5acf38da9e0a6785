"""What differs from one database to the next: one small file each."""

from importlib import import_module
from typing import Final

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from ..._extras import requires
from ._backend import Backend

__all__ = ["Backend", "backend_for"]

_MODULES: Final = {
    "sqlite": "sqlite",
    "postgresql": "postgres",
    "postgres": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
}
_DRIVERS: Final = {"sqlite": "aiosqlite", "postgres": "asyncpg", "mysql": "asyncmy"}
FORMS: Final = "sqlite:///FILE, postgresql://USER:PASSWORD@HOST/DATABASE or mysql://USER:PASSWORD@HOST/DATABASE"


def backend_for(address: str) -> Backend:
    """
    Choose the database of an address.

    Raises:
        ValueError: Another kind of database, or not an address of one. The message does not show the address.

        ImportError: The driver is missing; the message says what to install.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise ValueError(f"a store is at {FORMS}") from None
    kind, _, driver = url.drivername.partition("+")
    module = _MODULES.get(kind, "")
    if not module or driver not in ("", _DRIVERS[module]):
        raise ValueError(f"a store is at {FORMS}, not at {url.drivername}://…")
    extra = "sql" if module == "sqlite" else module
    with requires(extra, _DRIVERS[module], what="this store needs"):
        backend: Backend = import_module(f"{__name__}.{module}").make(url)
    return backend
