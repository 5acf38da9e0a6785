"""The benchmarks run to their end, small; what they measure so proves nothing."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from profiles import THOROUGH

from .figures import Figure, in_turn, ratio, table

ROOT = Path(__file__).parents[2]


def test_the_command_of_the_readme_runs_and_draws(tmp_path):
    picture = tmp_path / "waiting.svg"
    only = () if THOROUGH else ("--only", "waiting")
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--svg", picture, *only]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=300)
    assert ran.returncode == 0, ran.stderr
    rows = {line.split("|")[1].strip() for line in ran.stdout.splitlines() if line.startswith("|")}
    assert "waiting" in rows
    if THOROUGH:
        assert rows >= {"import", "working", "per item", "host's loop", "deep window", "unread", "landing", "writing"}
    drawn = [element.text for element in ET.parse(picture).iter() if element.tag.endswith("text")]
    assert "infin8_async" in drawn
    assert "gather" in drawn


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("row", "what", 1.02, most=1.02), "met"),
        (Figure("row", "what", 1.03, most=1.02), "MISSED"),
        (Figure("row", "what", 0.94, least=0.95), "MISSED"),
        (Figure("row", "what", 3.0), ""),
        (Figure("row", "what", None, most=1), ""),
    ],
)
def test_a_target_is_met_or_missed_by_the_value_itself(figure, verdict):
    assert figure.verdict == verdict
    assert verdict in table([figure])


def test_contenders_take_turns_and_are_compared_round_by_round():
    order = []
    taken = in_turn({"one": lambda: order.append(1), "two": lambda: order.append(2)}, rounds=2)
    assert order == [1, 2, 1, 2, 2, 1]
    assert [len(seconds) for seconds in taken.values()] == [2, 2]
    assert ratio([1.0, 4.0, 9.0], [1.0, 2.0, 3.0]) == 2.0
