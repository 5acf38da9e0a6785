"""What a probe has found out."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

from attrs import evolve, field, frozen

NOT_FOUND_OUT: Final = "not found out"
"""The value of a finding that the account's data can't show."""


@frozen
class Finding:
    """
    One thing about the platform.

    Attributes:
        value: What it is; `"not found out"` if nothing shows it.

        evidence: The numbers that show it, or what was missing.
    """

    value: str
    evidence: str

    @property
    def found(self) -> bool:
        """Whether it was found out."""
        return self.value != NOT_FOUND_OUT


def not_found_out(evidence: str) -> Finding:
    """Nothing shows it, and why."""
    return Finding(NOT_FOUND_OUT, evidence)


@frozen
class ProbeReport:
    """
    What a probe has found out. It holds no phone number, user name or key, and can be shown to anybody.

    Attributes:
        findings: By name, always all of them; see `infin8_async.probe` for the names and values.

        advice: What follows for the use of this library, in settings that can be pasted.

        requests: How many requests it took.
    """

    findings: Mapping[str, Finding]
    advice: Sequence[str]
    requests: int = field(default=0, kw_only=True)

    def to_dict(self) -> dict[str, object]:
        """The findings and the advice as plain types, ready for JSON."""
        findings = {name: {"value": it.value, "evidence": it.evidence} for name, it in self.findings.items()}
        return {"findings": findings, "advice": list(self.advice)}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """
        The report of a file that `infin8 probe --json` wrote, such as that of a bug report.

        Raises:
            KeyError: It is no such document.
        """
        findings = {name: Finding(it["value"], it["evidence"]) for name, it in document["findings"].items()}
        return cls(findings, document["advice"])

    def with_findings(self, findings: Mapping[str, Finding], *, requests: int) -> Self:
        """This report with some findings added or replaced, and *requests* more requests."""
        return evolve(self, findings={**self.findings, **findings}, requests=self.requests + requests)
