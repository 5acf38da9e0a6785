"""
Find out, with one's own account, what the platform does not document: in which order rows come, how large a page can
be, which time of a call a window compares, how late calls come.

    report = await probe(session)
    print(report.findings["order"].value)

The values of the findings, besides `"not found out"`:

- `order`: `newest`, `oldest`, `id`, `id descending`, `none`; `ties`: `stable`, `unstable`.
- `time_compared`: `starttime`, `answertime`, `endtime`, `none`; `bounds`: `[]`, `[)`, `(]`, `()`.
- `largest_page`: a number; `page_cap`: `echoed`, `silent`, `none seen`.
- `page_zero`, `page_beyond_end`: `empty`, `first`, `last`, `error`.
- `counts`: `agree`, `lag`.
- `latency`, `latency_deep`: milliseconds, median.
- `useful_concurrency`: a number; `rate_limit`: requests a second, or `none seen`. Only after `rate_test()`.
- `clock_skew`: seconds, the platform's clock minus this machine's.
- `https`: `answers`, `does not answer`, `bad certificate`.
- `keep_alive`: `yes`, `no`; `compression`: its name, or `none`.
- `duration_includes_talk`: `yes`, `no`; `ids`: `unique`, `repeated`.
- `unknown_fields`, `unknown_values`: names of fields, or `none`.
- `lateness`: seconds from a call's dial time until it appeared, the most. Only after `watch()`.
"""

from ._probe import probe
from ._rate import rate_test
from ._watch import watch
from .report import NOT_FOUND_OUT, Finding, ProbeReport

__all__ = ["NOT_FOUND_OUT", "Finding", "ProbeReport", "probe", "rate_test", "watch"]
