"""Shared by all tests."""

import os

from hypothesis import settings

# The gate sees the same cases every time; `INFIN8_SEARCH=1 pytest` looks for new ones. The machines that run this are
# busy ones: how long a case takes proves nothing.
settings.register_profile("gate", deadline=None, derandomize=not os.environ.get("INFIN8_SEARCH"))
settings.load_profile("gate")

pytest_plugins = ["pytester"]
