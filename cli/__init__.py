"""The command line. Only the command that is called is loaded, so that `memo status` answers at once."""

import sys
from contextlib import suppress
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from memo import __version__
from memo.core.errors import MemoError

COMMANDS = {
    "up": "stack.up:up",
    "down": "stack.up:down",
    "status": "stack.status:status",
    "watch": "predictions.watch:watch",
    "history": "predictions.history:history",
    "why": "predictions.why:why",
    "feedback": "predictions.feedback:feedback",
    "predict": "predictions.predict:predict",
    "import": "records.import_files:import_",
    "train": "models.train:train",
    "evaluate": "models.evaluate:evaluate",
    "model": "models.model:app",
    "pause": "stack.pause:pause",
    "resume": "stack.pause:resume",
    "forget": "records.forget:forget",
    "export": "records.export:export",
    "sources": "stack.sources:sources",
    "handlers": "stack.handlers:handlers",
    "doctor": "stack.doctor:doctor",
}
"""Name -> where it stands, in the order of `memo --help`."""
HELP = """
Learns what you do on this workstation and predicts what comes next. Nothing leaves the machine unless you say so.

Begin with `memo up` and `memo watch`; append event lines to a file in the inbox that `memo status` names.
MEMO_HOME=FOLDER moves everything into one folder.
"""


class Command(TyperCommand):
    """Says what is wrong with an option in words of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the words, without those that pydantic puts before a reason."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise


def make(names: list[str]) -> typer.Typer:
    """The program with these commands."""
    app = typer.Typer(
        help=HELP, no_args_is_help=True, add_completion=False, callback=_options, pretty_exceptions_enable=False
    )
    for name in names:
        module, _, attribute = COMMANDS[name].partition(":")
        found = getattr(import_module(f"cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name, cls=Command)(found)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        print(f"memo {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Say which version this is.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options of the program itself."""


def main() -> None:
    """The program `memo`: exit status 0, 1 where something failed, 2 for wrong use; an error is one sentence."""
    named = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    try:
        make([named] if named in COMMANDS else list(COMMANDS))()
    except MemoError as error:
        _fail(str(error), error.exit_code)
    except Exception as error:  # a bug of ours: its details go into the log
        _fail(f"MEMO failed unexpectedly ({type(error).__name__}: {error}); {_noted(named)}.", 1)


def _fail(sentence: str, code: int) -> None:
    from cli.terminal.text import safe

    print(safe(sentence), file=sys.stderr)
    sys.exit(code)


def _noted(named: str) -> str:
    """Keep the details, but for the words of the command: they may be what nobody should read."""
    with suppress(Exception):
        from memo.core import logs
        from memo.core.paths import Home

        home = Home.find()
        logs.setup(home.logs, "cli")
        logs.get_logger(__name__).exception("a command failed", command=named)
        return f"details stand in {home.logs / 'cli.log'}"
    return "and its details could not be kept"
