"""
The platform for your own tests: in your process, on a loopback port, as documented, and with any fault you script.

The pytest plugin that comes with the distribution gives the fixture `infin8_sandbox`.
"""

from ._platform import SandboxRequest
from ._push import Push
from ._quirks import Quirks
from ._store import Bounds, Compared, Order, Ties
from .sandbox import Latency, OnRequest, Sandbox

__all__ = ["Bounds", "Compared", "Latency", "OnRequest", "Order", "Push", "Quirks", "Sandbox", "SandboxRequest", "Ties"]
