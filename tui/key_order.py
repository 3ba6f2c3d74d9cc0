"""Keys take effect in the order in which they were pressed, also when a slow line delivers them in one go.

Textual hands each key to the focused widget at once, while a key that is bound to an action first travels up to the
app: in a burst of "ctrl+u, 3, 0" the digits arrive first and are then erased. Here a key is held back until the one
before it has taken effect.
"""

from __future__ import annotations

import time
from collections import deque

from textual import events
from textual.app import App
from textual.message import Message

PATIENCE_S = 0.5
"""A key whose widget was removed meanwhile never reports back; the next one waits no longer than this."""


class KeySettled(Message, bubble=True):
    """Follows a key through the same queues, so that when it arrives at the app, the key's work is done."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class KeysInOrder(App[None]):
    """An app that lets one key take effect before it passes on the next."""

    _held_back: deque[events.Key]
    _in_flight = 0
    """Number of the key that is on its way; 0 if there is none."""
    _passed_on = 0
    key_came_at_s = 0.0
    """When the last key came, as `time.monotonic` counts."""

    async def on_event(self, event: events.Event) -> None:
        """Textual's entry point for everything that comes from the terminal."""
        if not isinstance(event, events.Key) or event.is_forwarded:
            await super().on_event(event)
            return
        self.key_came_at_s = time.monotonic()
        if self._in_flight:
            self._held_back.append(event)
        else:
            self._held_back = deque()
            await self._pass_on(event)

    async def on_key_settled(self, message: KeySettled) -> None:
        """Pass on the next key."""
        await self._settle(message.number)

    async def _pass_on(self, key: events.Key) -> None:
        target = self.focused or self.screen
        await super().on_event(key)
        if not key.is_forwarded:  # a priority binding has dealt with it already
            return
        self._passed_on += 1
        number = self._in_flight = self._passed_on
        target.post_message(KeySettled(number))
        self.set_timer(PATIENCE_S, lambda: self._settle(number))

    async def _settle(self, number: int) -> None:
        if number != self._in_flight:
            return
        self._in_flight = 0
        while self._held_back and not self._in_flight:
            await self._pass_on(self._held_back.popleft())
