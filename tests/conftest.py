"""Shared by all tests."""

from hypothesis import settings

# The machines that run this are busy ones: how long an example takes proves nothing.
settings.register_profile("gate", deadline=None)
settings.load_profile("gate")

pytest_plugins = ["pytester"]
