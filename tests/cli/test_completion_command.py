"""`infin8 completion`."""

import subprocess

import pytest
from program import infin8

COMPLETE = """
source "$1"
shift
COMP_WORDS=(infin8 "$@")
COMP_CWORD=$#
_infin8 infin8 "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
echo "${COMPREPLY[@]}"
"""


def test_bash_completes_commands_options_and_choices(tmp_path):
    script = tmp_path / "infin8"
    script.write_text(infin8("completion", "bash").out)

    def completed(*words: str) -> list[str]:
        command = ("bash", "-c", COMPLETE, "bash", str(script), *words)
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert completed("pu") == ["pull"]
    assert completed("pull", "--form") == ["--format"]
    assert completed("pull", "--format", "") == ["jsonl", "csv", "table"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_have_a_script_too(shell):
    ran = infin8("completion", shell)
    assert ran.code == 0
    assert "spreadsheet" in ran.out
