"""`infin8 sandbox`."""

import asyncio
import shlex
from datetime import date, datetime, timedelta
from typing import Final, Literal
from urllib.request import getproxies

from ...models import BEIJING, check_number
from ..options import UsageError, today, usage
from ..output import write_out

_LAST_PORT: Final = 65_535

# As `Sandbox` has them, which is not imported for them: a server takes its time to load.
Order = Literal["newest", "oldest", "id", "id descending", "none"]
Ties = Literal["stable", "shuffled"]


async def sandbox(
    *,
    port: int = 0,
    calls: int = 10_000,
    days: int = 1,
    start: date | None = None,
    seed: int = 0,
    order: Order = "newest",
    ties: Ties = "stable",
    live: float = 0.0,
    latency: float = 0.0,
    per_page_cap: int = 1000,
) -> None:
    """
    Serve a made-up platform on this machine until Ctrl-C.

    It answers as the platform documents, with made-up calls. Use it to try things out, and for tests in any language.

    ```
    infin8 sandbox --calls 100000 --days 7
    infin8 sandbox --live 5 --port 8080
    ```

    Args:
        port: Where to listen on 127.0.0.1; 0 takes any free port.

        calls: How many calls there are when it starts.

        days: The number of days over which they are spread.

        start: The first of these days, YYYY-MM-DD. If not given, today in Beijing is the last. No call lies in the
            future.

        seed: The same seed makes the same calls.

        order: How calls are sorted: newest or oldest dial time first, or by id.

        ties: Whether calls with the same dial time keep their order, or are shuffled at each request.

        live: New calls a second, while it runs.

        latency: Seconds before each answer.

        per_page_cap: The most calls in one page, however many are asked for.
    """
    from ...testing import Sandbox  # noqa: PLC0415  # only this command waits for a server to load

    with usage():
        for name, value in {"calls": calls, "port": port, "live": live, "latency": latency}.items():
            check_number(f"--{name}", value, least=0)
        check_number("--days", days, least=1)
        check_number("--per-page-cap", per_page_cap, least=1)
        if port > _LAST_PORT:
            raise UsageError(f"--port must be at most {_LAST_PORT}, not {port}")
        first = start or today() - timedelta(days=days - 1)
        if first > today():
            raise UsageError(f"--start {first}: must not lie in the future")
        platform = Sandbox(
            calls,
            days=days,
            start=first,
            until=datetime.now(BEIJING) if first + timedelta(days=days) > today() else None,
            seed=seed,
            order=order,
            ties=ties,
            live=live,
            latency=latency,
            max_per_page=per_page_cap,
            port=port,
        )
    async with platform:
        credentials = platform.credentials
        exports = {
            "INFIN8_BASE_URL": platform.base_url,
            "INFIN8_APPID": credentials.appid,
            "INFIN8_ACCESSKEY": str(credentials.accesskey),
            "INFIN8_USERNAME": credentials.username or "",
        }
        if getproxies().get("http"):  # it is on this machine: no proxy leads to it
            exports["no_proxy"] = ",".join(filter(None, [getproxies().get("no"), "127.0.0.1"]))
        write_out(
            (
                f"# A platform with {len(platform):,} made-up calls, until Ctrl-C. Paste this into another terminal:\n"
                + "".join(f"export {name}={shlex.quote(value)}\n" for name, value in exports.items() if value)
                + "infin8 count\ninfin8 pull | head\n"
            ).encode()
        )
        await asyncio.Event().wait()
