"""A call as the values of its columns."""

import json
from operator import attrgetter
from typing import Final

from attrs import fields

from ..models import Cdr

FIELDS: Final = tuple(field.name for field in fields(Cdr) if field.name != "extra")
values_of: Final = attrgetter(*FIELDS)


def extra_text(cdr: Cdr) -> str:
    return json.dumps(dict(cdr.extra), ensure_ascii=False) if cdr.extra else ""
