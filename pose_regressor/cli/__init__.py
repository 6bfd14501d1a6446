"""The command line.

Exit codes: 0 done; 1 nothing was found, or a check failed; 2 bad input, which one line on stderr explains; 130
interrupted; 143 terminated.

Each command imports what it needs when it is called, so that `--help` and a wrong option answer at once.
"""

from __future__ import annotations

import gc
import importlib
import importlib.metadata
import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer

import pose_regressor
from pose_regressor.cli.bag import bag
from pose_regressor.cli.demo import demo
from pose_regressor.cli.doctor import doctor
from pose_regressor.cli.export import export
from pose_regressor.cli.fuse import fuse
from pose_regressor.cli.info import info
from pose_regressor.cli.predict import predict
from pose_regressor.cli.record import record
from pose_regressor.cli.run import run
from pose_regressor.types import InputError

PROGRAM = "pose-regressor"
#: Entry points of other packages: functions that add commands to a typer.Typer.
PLUGIN_GROUP = "pose_regressor.commands"
BAD_INPUT = 2
INTERRUPTED = 130


def _version(wanted: bool) -> None:
    if wanted:
        print(pose_regressor.__version__)
        raise typer.Exit


def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """6D poses of known objects from camera images, as TF frames, a CSV or a video.

    Start with `pose-regressor demo`. `pose-regressor COMMAND --help` explains a command.
    """


def build_app() -> typer.Typer:
    """The application with its own commands and those of other installed packages."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(_top)
    for command in (run, predict, bag, record, fuse, demo, info, doctor, export):
        app.command()(command)
    for entry_point in importlib.metadata.entry_points(group=PLUGIN_GROUP):
        _add_plugin(app, entry_point)
    return app


def _add_plugin(app: typer.Typer, entry_point: importlib.metadata.EntryPoint) -> None:
    try:
        add_commands = entry_point.load()
    except ImportError as error:  # a broken package must not take the other commands with it
        _say(f"warning: the commands of {entry_point.value} are left out ({error})")
        return
    add_commands(app)


def _command() -> Any:
    """The application as a command. Its `--help` shows no type for flags, and wraps paragraphs to the terminal."""
    application: Any = typer.main.get_command(build_app())
    for command in (application, *application.commands.values()):
        flags = [parameter for parameter in command.params if getattr(parameter, "is_flag", False)]
        for flag in (*flags, command.get_help_option(typer.Context(command))):
            flag.metavar = ""
        paragraphs = (command.help or "").split("\n\n")
        # Examples are indented and keep their lines.
        command.help = "\n\n".join(p if p.startswith(" ") else " ".join(p.split("\n")) for p in paragraphs)
    return application


def _say(message: str) -> None:
    print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr)


def _fail(message: str) -> int:
    _say(f"error: {message}")
    return BAD_INPUT


def _terminate(number: int, _: object) -> NoReturn:
    _end_soon()
    # Runs every `finally`: half-written files are removed, and child processes end.
    raise SystemExit(128 + number)


def _end_soon() -> None:
    # At its end Python would search all that is imported for cycles; with torch that takes half a second.
    gc.freeze()


def _usage_error() -> type[Any]:
    """The exception for a wrong option: typer's own if typer brings its own click, else click's."""
    own: type[Any] | None = getattr(typer, "TyperException", None)
    return own or importlib.import_module("click").ClickException


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (sys.argv if no arguments are given) and return its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    # OpenCV and FFmpeg print their own lines about a broken file, around the one line that this program prints.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    try:
        status = _command().main(args=arguments, prog_name=PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except InputError as error:
        return _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        _end_soon()
        return INTERRUPTED
    except BrokenPipeError:
        # The reader is gone. Python flushes once more when it exits, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return _fail(f"{error.filename or 'input or output'}: {error.strerror or error}")
    except _usage_error() as error:
        path = getattr(getattr(error, "ctx", None), "command_path", PROGRAM)
        return _fail(f"{error.format_message().rstrip('.')} (see {path} --help)")
    return status if isinstance(status, int) else 0
