"""
Empty databases for the tests of the store.

SQLite always; the PostgreSQL of `INFIN8_TEST_POSTGRES` and the MySQL or MariaDB of `INFIN8_TEST_MYSQL` if they are set.
In the quick profile, what is marked `any_database` runs on one of these: each such test on the next of them.
"""

from collections import defaultdict

import pytest
from databases import DATABASES, empty, is_there
from profiles import THOROUGH


def pytest_configure(config):
    config.addinivalue_line("markers", "any_database: in the quick profile, run on one of the databases")


def pytest_collection_modifyitems(config, items):
    tests = defaultdict(list)
    for item in items:
        if item.get_closest_marker("any_database") and is_there(item.callspec.params["url"]):
            others = {name: value for name, value in item.callspec.params.items() if name != "url"}
            tests[item.function, str(others)].append(item)
    if not THOROUGH:
        left_out = {item for turn, same in enumerate(tests.values()) for item in same if item != same[turn % len(same)]}
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=list(left_out))


@pytest.fixture(params=DATABASES)
def url(request, tmp_path):
    """The address of an empty database."""
    return empty(request.param, tmp_path)
