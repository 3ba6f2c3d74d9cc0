"""`dltui` and `dltui attach`: the screen."""

from __future__ import annotations

import gc
import sys
from argparse import Namespace

from engine.places import data_dir
from engine.run_folder import RunFolder, find_run
from engine.streams import discard
from tui.errors import CommandError
from tui.parting import HEARD_OF_LATELY


def open_screen(args: Namespace) -> int:
    """`dltui`."""
    return _show(args, None)


def attach(args: Namespace) -> int:
    """`dltui attach [RUN]`: without a name the newest run that is being trained, or else the newest."""
    if args.run is not None:
        return _show(args, find_run(args.runs, args.run))
    from tui.listing import no_runs, runs_in

    folders = runs_in(args.runs)
    if not folders:
        raise CommandError(no_runs(args.runs))
    live = (folder for folder in folders[:HEARD_OF_LATELY] if folder.holder())
    return _show(args, next(live, folders[0]))


def _show(args: Namespace, folder: RunFolder | None) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError("the screen needs a terminal on stdin and stdout; without one: dltui train PRESET")
    gc.disable()  # until the first screen is there: what is imported stays, and looking through it takes a tenth longer
    from tui.app import HUNG_UP, make_app  # only now: a refusal need not wait for Textual

    app = make_app(args.runs, args.data or data_dir(), folder)
    app.run()
    status = app.return_code or 0
    if status == HUNG_UP:
        discard(sys.stdout, sys.stderr)  # nobody is there to take it
    return status
