"""`dltui show PRESET --layers`: what a network is made of, layer by layer."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from engine.places import data_dir
from engine.run_folder import RunFolderError, find_run, iter_runs
from engine.schema import RunConfig
from engine.schema.layers import Layer
from engine.text import plain, plain_lines
from presets.loader import find_preset, preset_paths
from tui.errors import CommandError
from tui.layer_table import NOTE, layer_table
from tui.output import print_json, styled, width
from tui.train import Request, resolve

PROBE = (sys.executable, "-P", "-m", "engine.layer_probe")


def show_layers(args: Namespace) -> int:
    """`dltui show PRESET --layers`."""
    request = _request(args)
    data = args.data or request.data or data_dir()
    layers = request.config.model.layers(request.config.facts(data))
    if layers is None:
        layers = _probed(request.config, data)
    if args.json:
        print_json(_as_json(layers))
    else:
        print(_in_words(layers))
    return 0


def _request(args: Namespace) -> Request:
    """The configuration of the preset or the run that is named, with settings over it."""
    name: str = args.run
    if find_preset(name) or name.endswith(".toml"):
        return resolve(name, None, args.settings, args.data)
    try:
        folder = find_run(args.runs, name)
    except RunFolderError:
        names = [*preset_paths(), *(run.name for run in iter_runs(args.runs))]
        near = get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"did you mean '{plain(near[0])}'?" if near else "dltui presets and dltui runs list them"
        raise CommandError(f"no preset and no run is called '{plain(name)[:80]}'; {hint}") from None
    return resolve(str(folder.path / "config.toml"), None, args.settings, args.data)


def _probed(config: RunConfig, data: Path) -> list[Layer]:
    """Layers of a network that has to be built, or whose data has to be loaded, in a process that imports torch.

    Raises:
        CommandError: it could not be done; a user's own traceback has been printed.
    """
    question = json.dumps({"config": config.model_dump(mode="json"), "data_dir": str(data)}).encode()
    try:
        done = subprocess.run(PROBE, input=question, stdout=subprocess.PIPE)
    except OSError as error:
        raise CommandError(f"no process can be started to build the network: {error.strerror}", 1) from None
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise CommandError(
            f"the process that was to build the network ended before it could answer, with status {done.returncode}", 1
        ) from None
    if "layers" not in answer:
        if answer["traceback"]:
            print(plain_lines(answer["traceback"]), file=sys.stderr)
        raise CommandError("; ".join(filter(None, [answer["error"], answer["cure"]])), 1)
    return [Layer(**{**layer, "output_shape": tuple(layer["output_shape"])}) for layer in answer["layers"]]


def _as_json(layers: Sequence[Layer]) -> dict[str, Any]:
    return {
        "layers": [layer._asdict() for layer in layers],
        "parameters": sum(layer.parameters for layer in layers),
        "multiply_adds": sum(layer.multiply_adds for layer in layers),
    }


def _in_words(layers: Sequence[Layer]) -> str:
    header, *rows, total = layer_table(layers).lines(width())
    return "\n".join([styled(header, "bold"), *rows, styled(total, "bold"), "", styled(NOTE, "dim")])
