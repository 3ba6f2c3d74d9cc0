"""Files that a configuration names, looked for where the engine will look for them, in the engine's own words."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from engine.folder_shape import LayoutError, find_pictures
from engine.places import expanded, found_here
from engine.schema import RunConfig
from engine.schema.custom import CustomData, CustomModel, is_file
from engine.schema.data import Csv
from engine.schema.image_data import ImageFolder
from engine.schema.text_data import Imdb, Tsv
from engine.text import plain


class NamedFile(NamedTuple):
    """A file or folder that a field names."""

    field: str
    """Dotted path of the field."""
    below: Path
    """Where a relative name begins."""
    name: str
    """As it is written there."""
    mend: str
    """What to do if it is not there."""
    wants: Literal["file", "pictures", "anything"]

    @property
    def place(self) -> Path:
        """Where the engine will look."""
        return self.below / expanded(self.name)


def named_files(config: RunConfig, data_dir: Path) -> list[NamedFile]:
    """All that `config` names, without a look at the disk; names below `data_dir` unless they are absolute."""
    found: list[NamedFile] = []
    match data := config.data:
        case Csv() | Tsv():
            ending = ".csv or .csv.gz" if isinstance(data, Csv) else ".tsv or .tsv.gz"
            fields = {"data.path": data.path, "data.val_path": data.val_path if isinstance(data, Tsv) else ""}
            for field, name in fields.items():
                if name:
                    found.append(NamedFile(field, data_dir, name, f"set {field} to a {ending} file", "file"))
        case ImageFolder():
            mend = "set data.path to a folder of pictures, or to a .zip of one"
            found.append(NamedFile("data.path", data_dir, data.path, mend, "pictures"))
        case Imdb() if data.path:
            mend = "name a folder of reviews with data.path, or leave it empty"
            found.append(NamedFile("data.path", data_dir, data.path, mend, "anything"))
    for section, code in (("data", config.data), ("model", config.model)):
        if isinstance(code, CustomData | CustomModel) and is_file(code.target):
            place, _, name = code.target.rpartition(":")
            mend = f"mend the path before ':{name}'"
            found.append(NamedFile(f"{section}.target", Path.cwd(), place, mend, "file"))
    return found


def absent(files: list[NamedFile]) -> dict[str, str]:
    """What is wrong with `files`, by the path of the field; asks the disk, which may be slow."""
    return {
        file.field: f"{plain(str(file.place))} {reason}: {_mend(file)}" for file in files if (reason := _fault(file))
    }


def _mend(file: NamedFile) -> str:
    here = found_here(file.field, file.name, file.below)
    return f"{file.mend}; {here}" if here else file.mend


def _fault(file: NamedFile) -> str:
    """Why the engine could not use it, empty if it is there."""
    try:
        # pictures may be packed, under a name without .zip
        found = find_pictures(file.place) if file.wants == "pictures" else file.place
        if file.wants == "file" and found.is_dir():
            return "is a folder"
        found.stat()
    except (FileNotFoundError, LayoutError):
        return "is not there"
    except OSError as error:
        return f"can't be read ({error.strerror})"
    except ValueError:
        return "can't be the name of a file"
    return ""
