"""The command line; it loads only the command that is called, so that `memo status` answers at once."""

import sys
from contextlib import suppress
from importlib import import_module
from inspect import getdoc
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from cli.terminal.output import print_notice, replace_unknown_characters
from memo import __version__
from memo.core.errors import MemoError
from memo.core.paths import be_private

# command -> module and attribute, in the order of `memo --help`
COMMANDS = {
    "up": "stack.up:up",
    "down": "stack.down:down",
    "status": "stack.status:status",
    "watch": "predictions.watch:watch",
    "pick": "pick.pick:pick",
    "ui": "stack.ui:ui",
    "history": "predictions.history:history",
    "why": "predictions.why:why",
    "feedback": "predictions.feedback:feedback",
    "predict": "predictions.predict:predict",
    "import": "records.import_files:import_",
    "train": "models.train:train",
    "evaluate": "models.evaluate:evaluate",
    "model": "models.model:app",
    "report": "models.report:report",
    "pause": "stack.pause:pause",
    "resume": "stack.pause:resume",
    "forget": "records.forget:forget",
    "export": "records.export:export",
    "restore": "records.restore:restore",
    "setup": "setup.setup:setup",
    "sources": "stack.sources:sources",
    "handlers": "stack.handlers:handlers",
    "mcp": "assistants.mcp:mcp",
    "service": "stack.service:app",
    "config": "setup.config:app",
    "uninstall": "stack.uninstall:uninstall",
    "doctor": "stack.doctor:doctor",
}
HELP = """
Learn what you do on this workstation and predict what comes next. Nothing leaves the machine unless you say so.

Start with `memo setup`, `memo up` and `memo watch`. To add events of your own, append lines to a file in the inbox
folder that `memo status` shows. MEMO_HOME=FOLDER keeps everything in one folder.
"""


class Command(TyperCommand):
    """A command that reports a wrong option without pydantic's prefix."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments. Raises BadParameter with a plain reason."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise


def make(names: list[str]) -> typer.Typer:
    """Return the program with the named commands."""
    app = typer.Typer(
        help=_paragraphs(HELP),
        no_args_is_help=True,
        add_completion=False,
        callback=_options,
        pretty_exceptions_enable=False,
    )
    for name in names:
        module, _, attribute = COMMANDS[name].partition(":")
        command = getattr(import_module(f"cli.{module}"), attribute)
        if isinstance(command, typer.Typer):
            for part in command.registered_commands:
                part.help = _paragraphs(getdoc(part.callback) or "")
            app.add_typer(command, name=name)
        else:
            app.command(name, cls=Command, help=_paragraphs(command.__doc__ or ""))(command)
    return app


def _paragraphs(text: str) -> str:
    """Return the text with one line per paragraph, since typer breaks help wherever the source does."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _print_version(requested: bool) -> None:
    if requested:
        print(f"memo {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Accept the options of the program itself."""


def main() -> None:
    """Run `memo`. Exit status: 0 for success, 1 for failure, 2 for wrong use; an error is one sentence."""
    be_private()
    replace_unknown_characters()
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    try:
        make([command] if command in COMMANDS else list(COMMANDS))()
    except MemoError as error:
        _fail(str(error), error.exit_code)
    except Exception as error:
        _fail(f"MEMO failed unexpectedly ({type(error).__name__}: {error}); {_log_failure(command)}.", 1)


def _fail(sentence: str, code: int) -> None:
    print_notice(sentence)
    sys.exit(code)


def _log_failure(command: str) -> str:
    """Log the exception and return where; the command's arguments stay out of the log, as they may be private."""
    with suppress(Exception):
        from memo.core import logs
        from memo.core.paths import Home

        home = Home.find()
        logs.setup(home.logs, "cli")
        logs.get_logger(__name__).exception("command_failed", command=command)
        return f"details are in {home.logs / 'cli.log'}"
    return "its details could not be logged"
