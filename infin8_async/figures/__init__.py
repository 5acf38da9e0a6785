"""
Figures of calls: how many, how long, how busy, whom to call back, what to bill.

`Figures` says of each one how it is computed, and from which fields. What the records cannot give is not offered:

- The ASR (answer seizure ratio, ITU-T E.425): it is answered calls as a share of seizures, and the platform records
  calls, not seizures of circuits. `answered` is the answer rate.
- The PDD (post-dialling delay): it ends when the called phone begins to ring, which is not recorded.
- Occupancy of agents and after-call work: what an agent does between two calls is not recorded.
- The abandon rate that some laws limit for predictive dialling: which of the two sides `answertime` and `extnumber`
  are about is not documented for these calls.
- Waiting time in a queue: when a caller entered it is not recorded. `time_to_answer` begins with the dial time.
- Anything from `duration`: whether it includes the time talked is not documented.
"""

from ._callbacks import Callback
from ._figures import Figures, Tally
from ._reading import figures
from ._share import Share
from ._sums import LONGEST_TALK
from ._traffic import Peak
from ._waiting import Waiting

__all__ = ["LONGEST_TALK", "Callback", "Figures", "Peak", "Share", "Tally", "Waiting", "figures"]
