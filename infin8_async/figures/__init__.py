"""Figures of calls: how many, how long, how busy, whom to call back, what to bill."""

from ._callbacks import Callback
from ._figures import Figures, Tally
from ._reading import figures
from ._share import Share
from ._sums import LONGEST_TALK
from ._traffic import Peak
from ._waiting import Waiting

__all__ = ["LONGEST_TALK", "Callback", "Figures", "Peak", "Share", "Tally", "Waiting", "figures"]
