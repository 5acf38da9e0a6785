"""A report of calls: for a terminal, and as one page to send, to print and to keep."""

from ._gather import Report, before, gather
from ._words import Language, Words

__all__ = ["Language", "Report", "Words", "before", "gather"]
