"""`infin8 completion`."""

from collections.abc import Callable
from typing import Literal

from cyclopts import App

from ..output import write_out

Shell = Literal["bash", "zsh", "fish"]


def completion_of(app: App) -> Callable[[Shell], None]:
    """The command that prints what completes the commands and options of *app*."""

    def completion(shell: Shell, /) -> None:
        """
        Print the script that completes commands and options in a shell.

        ```
        infin8 completion bash > ~/.local/share/bash-completion/completions/infin8
        infin8 completion zsh > ~/.zfunc/_infin8   # a folder of your $fpath
        infin8 completion fish > ~/.config/fish/completions/infin8.fish
        ```

        Args:
            shell: bash, zsh or fish.
        """
        write_out(app.generate_completion(shell=shell).encode())

    return completion
