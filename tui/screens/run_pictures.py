"""Which of a run's pictures is shown, of which epoch, and reading it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from engine import events as ev
from engine.text import plain
from tui.run_follower import RunFollower
from tui.widgets.figure_view import LoadedFigure, read_figure


class RunPictures:
    """The pictures of one run, one of them chosen.

    Args:
        follower: The run.
        shown_elsewhere: Gives the name of a picture that is to be passed over.
    """

    def __init__(self, follower: RunFollower, shown_elsewhere: Callable[[], str]) -> None:
        self._follower = follower
        self._shown_elsewhere = shown_elsewhere
        self._wish = ""
        self._epoch: int | None = None
        """Of the kept picture that is wished for; None for the newest."""
        self._loaded: LoadedFigure | None = None
        self._wanted: ev.FigureDrawn | None = None

    @property
    def names(self) -> list[str]:
        """Names of all pictures to choose from."""
        elsewhere, state = self._shown_elsewhere(), self._follower.state
        return [name for name in dict.fromkeys([*state.figures, *state.kept]) if name != elsewhere and self._all(name)]

    @property
    def chosen(self) -> str:
        """The chosen picture's name, empty while there is none."""
        names = self.names
        return self._wish if self._wish in names else (names[0] if names else "")

    @property
    def title(self) -> str:
        """The chosen picture's title."""
        return plain(self._wanted_now().title) if self.chosen else "pictures"

    @property
    def shown(self) -> LoadedFigure | None:
        """The chosen picture as last read."""
        loaded = self._loaded
        return loaded if loaded is not None and loaded.event.name == self.chosen else None

    @property
    def is_loading(self) -> bool:
        """Whether a picture is being read."""
        return self._wanted is not None and (self._loaded is None or self._loaded.event is not self._wanted)

    def place(self) -> str:
        """Where the shown picture stands in time and among the others; empty if it is the only one."""
        names, notes = self.names, [self._moment()]
        if len(names) > 1:
            notes.append(f"{names.index(self.chosen) + 1} of {len(names)}, f next")
        return " · ".join(note for note in notes if note)

    def choose_next(self) -> None:
        """Choose the next picture, at its newest."""
        names = self.names
        self._wish, self._epoch = names[(names.index(self.chosen) + 1) % len(names)], None

    @property
    def has_past(self) -> bool:
        """Whether there are pictures of the chosen name to step back to."""
        return len(self._all(self.chosen)) > 1

    def step(self, direction: int) -> None:
        """Wish for the picture of the epoch before (-1) or after (1); it stays so while training goes on."""
        pictures = self._all(self.chosen)
        index = pictures.index(self._wanted_now()) + direction
        wished = pictures[min(len(pictures) - 1, max(0, index))]
        self._epoch = None if wished is pictures[-1] else wished.epoch

    def _moment(self) -> str:
        """`epoch 3 of 5`, or that the picture is the newest of a run that goes on; empty where none are kept."""
        loaded, state = self.shown, self._follower.state
        if loaded is None or state.started is None or not self.has_past:
            return ""
        if loaded.event.epoch is None and state.ending is None:
            return "live, press , for earlier"
        epoch = loaded.event.step / state.started.steps_per_epoch
        return f"epoch {epoch:.4g} of {state.epochs:,}, press , or ."

    def _all(self, name: str) -> list[ev.FigureDrawn]:
        """Pictures of `name` from the first epoch's to the newest, which stands for its own epoch as well."""
        state = self._follower.state
        newest, kept = state.figures.get(name), state.kept.get(name, [])
        if newest is None:
            return kept
        return [*(kept[:-1] if kept and kept[-1].step == newest.step else kept), newest]

    def _wanted_now(self) -> ev.FigureDrawn:
        """The chosen picture of the epoch wished for, or of the next one that there is."""
        pictures = self._all(self.chosen)
        if self._epoch is None:
            return pictures[-1]
        epoch = self._epoch
        return next((event for event in pictures if event.epoch is not None and event.epoch >= epoch), pictures[-1])

    def begin(self) -> bool:
        """Whether the chosen picture has to be read now; if so, `load` is to follow.

        One at a time: a run that draws faster than a disk reads must not keep every picture from being seen.
        """
        event = self._wanted_now()
        if self.is_loading or event is self._wanted:
            return False
        self._wanted = event
        return True

    async def load(self) -> None:
        """Read the picture that was begun, off the event loop."""
        if self._wanted is not None:
            self._loaded = await asyncio.to_thread(read_figure, self._follower.folder.path, self._wanted)
