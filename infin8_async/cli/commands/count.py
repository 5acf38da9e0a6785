"""`infin8 count`."""

from .. import DONE, FAILED
from ..access import Access
from ..everybody import each, print_accounts
from ..options import CALLS, PLATFORM, Calls, Platform
from ..output import write_out


async def count(*, calls: Calls = CALLS, platform: Platform = PLATFORM) -> int:
    """
    Ask the platform how many calls there are in a window of time. This is one small request.

    ```
    infin8 count --day 2020-06-10 --extnumber 8001
    infin8 count --last 7d --context callin --sandbox
    infin8 count --day yesterday --account all
    ```

    Args:
        calls: Which calls.

        platform: Where the calls are.
    """
    if platform.every_account:
        return await _every_account(calls, platform)
    query = calls.query(platform.zone)
    async with platform.session(query) as session:
        write_out(f"{await session.count(query)}\n".encode())
    return DONE


async def _every_account(calls: Calls, platform: Platform) -> int:
    async def count(way: Access) -> int:
        async with way.session() as session:
            return await session.count(calls.query(way.zone))

    with platform.accesses() as ways:
        counted = await each(ways, count)
    print_accounts(counted, lambda number: {"calls": str(number)})
    return FAILED if None in counted.values() else DONE
