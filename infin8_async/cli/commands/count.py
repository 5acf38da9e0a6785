"""`infin8 count`."""

from .. import DONE
from ..options import CALLS, PLATFORM, Calls, Platform
from ..output import write_out


async def count(*, calls: Calls = CALLS, platform: Platform = PLATFORM) -> int:
    """
    Ask the platform how many calls there are in a window of time. This is one small request.

    ```
    infin8 count --day 2020-06-10 --extnumber 8001
    infin8 count --last 7d --context callin --sandbox
    ```

    Args:
        calls: Which calls.

        platform: Where the calls are.
    """
    query = calls.query()
    async with platform.session(query) as session:
        write_out(f"{await session.count(query)}\n".encode())
    return DONE
