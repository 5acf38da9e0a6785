"""
Yesterday's outgoing calls, one line each, and what they come to.

    python examples/quickstart.py              # against the platform, credentials from INFIN8_* variables
    python examples/quickstart.py --sandbox    # against the embedded sandbox: no account, no network
"""

import asyncio
import sys
from datetime import datetime, timedelta

from infin8_async import BEIJING, CdrQuery, Infin8Error, Infin8Session
from infin8_async.testing import Sandbox


async def main(session: Infin8Session) -> None:
    """Print the calls as they come, and a sum at the end if all have come."""
    yesterday = datetime.now(BEIJING).date() - timedelta(days=1)
    talked = timedelta()
    async with session, session.cdrs(CdrQuery.day(yesterday, context="callout")) as calls:
        try:
            async for cdr in calls:
                talked += cdr.talk_time
                print(cdr.id, cdr.starttime, cdr.extnumber, "answered" if cdr.answered else "missed", cdr.talk_time)
        except Infin8Error as error:
            sys.exit(f"no sum, as calls are missing: {error}")
    report = calls.report
    print(f"{report.received} calls, {talked} talked, complete: {report.complete}")


async def main_in_sandbox() -> None:
    """Do the same with calls that nobody made."""
    today = datetime.now(BEIJING).date()
    async with Sandbox(calls=200, days=2, start=today - timedelta(days=1)) as sandbox:
        await main(Infin8Session(sandbox.credentials, base_url=sandbox.base_url))


if __name__ == "__main__":
    asyncio.run(main_in_sandbox() if "--sandbox" in sys.argv else main(Infin8Session.from_env()))
