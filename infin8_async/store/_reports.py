"""Reports of what a store has done."""

from datetime import date

from attrs import frozen

from ..models import CdrQuery


@frozen
class SaveResult:
    """
    What became of calls that were saved.

    Attributes:
        inserted: How many were not there.

        updated: How many were there and differed.

        unchanged: How many were there, the same; nothing was written.
    """

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: "SaveResult") -> "SaveResult":
        return SaveResult(
            self.inserted + other.inserted, self.updated + other.updated, self.unchanged + other.unchanged
        )


@frozen(kw_only=True)
class SyncReport:
    """
    What a sync has done.

    Attributes:
        days: The days of the window, the first and the last of them perhaps in part.

        unchanged: How many of them the ledger holds certified, and the platform counts as before: nothing was pulled.

        certified: How many of them were pulled, and then counted by the platform as they were read.

        saved: What became of the calls of the days that were pulled.

        vanished: How many calls that the store holds the platform no longer gives.
    """

    days: int
    unchanged: int = 0
    certified: int = 0
    saved: SaveResult = SaveResult()
    vanished: int = 0


@frozen(kw_only=True)
class SyncProgress:
    """
    How far a sync is.

    Several days are under way at once. What is said of one day is said of the first that is not finished, so `number`
    only grows.

    Attributes:
        window: The day it is at.

        number: Which of the days that is, from 1.

        days: How many there are.

        received: Calls of this day that have been received.

        total: The platform's count for this day.

        done: How many days are finished, in any order.

        calls: Calls received so far, of all days.
    """

    window: CdrQuery
    number: int
    days: int
    received: int
    total: int
    done: int
    calls: int


@frozen(kw_only=True)
class AuditDay:
    """
    A day on which the store differs from the platform.

    Attributes:
        day: The day in Beijing.

        window: What was compared.

        held: How many calls the store holds of it, without those that have vanished.

        counted: How many the platform counts.

        missing: With `deep`, ids that the platform gives and the store does not hold, or holds as vanished.

        changed: With `deep`, ids of calls that differ in the store.

        vanished: With `deep`, ids that the store holds and the platform no longer gives.
    """

    day: date
    window: CdrQuery
    held: int
    counted: int
    missing: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()
    vanished: tuple[int, ...] = ()


@frozen(kw_only=True)
class AuditReport:
    """
    What an audit has found.

    Attributes:
        held: How many calls the store holds of the window, without those that have vanished.

        counted: How many the platform counts.

        days: The days that differ.
    """

    held: int
    counted: int
    days: tuple[AuditDay, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether the database agrees with the platform: as many calls, and with `deep` the same ones."""
        return not self.days and self.held == self.counted
