"""Which of a run's pictures is shown, and reading it."""

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
        self._loaded: LoadedFigure | None = None
        self._wanted: ev.FigureDrawn | None = None

    @property
    def names(self) -> list[str]:
        """Names of all pictures to choose from."""
        elsewhere = self._shown_elsewhere()
        return [name for name in self._follower.state.figures if name != elsewhere]

    @property
    def chosen(self) -> str:
        """The chosen picture's name, empty while there is none."""
        names = self.names
        return self._wish if self._wish in names else (names[0] if names else "")

    @property
    def title(self) -> str:
        """The chosen picture's title."""
        event = self._follower.state.figures.get(self.chosen)
        return plain(event.title) if event else "pictures"

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
        """Where the chosen picture stands among the others; empty if it is the only one."""
        names = self.names
        return f"{names.index(self.chosen) + 1} of {len(names)}, f next" if len(names) > 1 else ""

    def choose_next(self) -> None:
        """Choose the next picture."""
        names = self.names
        self._wish = names[(names.index(self.chosen) + 1) % len(names)]

    def begin(self) -> bool:
        """Whether the chosen picture has to be read now; if so, `load` is to follow.

        One at a time: a run that draws faster than a disk reads must not keep every picture from being seen.
        """
        event = self._follower.state.figures[self.chosen]
        if self.is_loading or event is self._wanted:
            return False
        self._wanted = event
        return True

    async def load(self) -> None:
        """Read the picture that was begun, off the event loop."""
        if self._wanted is not None:
            self._loaded = await asyncio.to_thread(read_figure, self._follower.folder.path, self._wanted)
