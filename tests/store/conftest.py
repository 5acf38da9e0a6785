"""
Empty databases for the tests of the store.

SQLite always; the PostgreSQL of `INFIN8_TEST_POSTGRES` and the MySQL or MariaDB of `INFIN8_TEST_MYSQL` if they are set.
"""

import pytest
from databases import DATABASES, empty


@pytest.fixture(params=DATABASES)
def url(request, tmp_path):
    """The address of an empty database."""
    return empty(request.param, tmp_path)
