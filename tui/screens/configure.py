"""Configure: a form made from the schema, checked as one types."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, Horizontal, HorizontalGroup, Vertical
from textual.content import Content
from textual.events import DescendantFocus
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from engine.run_folder import RunFolderError
from engine.schema import DataFacts, RunConfig
from engine.schema.custom import CustomModel
from engine.schema.data import Csv
from engine.schema.fields import SECTIONS
from engine.schema.image_data import ImageFolder
from engine.text import plain
from presets import Preset
from presets.loader import find_preset
from tui.draft import Check, Draft, RunSize, run_size
from tui.named_files import NamedFile, absent, named_files
from tui.paths import shown
from tui.screens.configure_keys import KEYS
from tui.widgets.form_field import CHANGED, LONG_SHAPES, FormField
from tui.widgets.form_find import FindLine
from tui.widgets.form_layers import LayersPane, LayersScreen, LayersView
from tui.widgets.form_section import FormSection
from tui.widgets.form_summary import FieldHelp, SizeSummary
from tui.widgets.key_footer import KeyFooter

if TYPE_CHECKING:
    from tui.app import DltuiApp

COLUMNS = (SECTIONS[:4], SECTIONS[4:])
WIDE_FROM, TALL_FROM = 110, 34
"""Columns and lines from which the layers have room beside the form."""
LOOK_AFTER_S = 0.15
"""A disk is asked for a file once its name has been left alone for so long: it may be slow, and a hand is quick."""
LOW_BELOW, LOWEST_BELOW = 30, 22
"""Lines below which a narrow form does without empty ones, and below which it says less of each field."""
MOST_CHANGED = "trainer.epochs"
NOTHING_WHILE_WRONG = "Nothing to be seen while a value is wrong."


class ConfigureScreen(Screen[None]):
    """The form for one run, starting from a preset; changes are kept until the UI ends."""

    AUTO_FOCUS = "FormField.-first > *"
    BINDINGS: ClassVar[list[BindingType]] = KEYS

    def __init__(self, preset: Preset, origin: str = "the preset") -> None:
        """
        Args:
            preset: What to start from.
            origin: What to call it in a sentence.
        """
        super().__init__()
        self._preset = preset
        self._counted: tuple[Csv | ImageFolder, DataFacts] | None = None
        """What lies on disk, and for which data that was counted."""
        self._origin = origin
        self._check = Check(None, {})
        self._files: list[NamedFile] = []
        """What the configuration names."""
        self._absent: dict[str, str] = {}
        """What is wrong with those files, by the path of the field."""
        self._is_looking = False
        self._verdict = ""
        self._started = False
        self._shows_layers = False
        self._found_from: Widget | None = None
        """What had the focus before the search."""
        self._layers = LayersView()

    @property
    def dltui(self) -> DltuiApp:
        """The application, by its own type."""
        return cast("DltuiApp", self.app)

    def compose(self) -> ComposeResult:
        """Fields in two columns, and beside them what helps to fill them in."""
        self.add_class(self.dltui.width_class, update=False)
        self._draft: Draft = self.dltui.draft_for(self._preset, self._origin)
        yield FindLine(self._fields)
        with Horizontal(id="configure"):
            with Vertical(id="main"):
                with Vertical(id="form") as form, Container(id="columns"):
                    form.border_title = Content(f"Configure {plain(self._preset.config.title) or self._preset.name}")
                    for sections in COLUMNS:
                        with Vertical(classes="column"):
                            for section in sections:
                                yield FormSection(section, self._draft)
                pane = LayersPane(id="layers")
                pane.display = False
                yield pane
            with Vertical(id="side"):
                yield FieldHelp(self._draft)
                yield SizeSummary()
                yield Static(id="verdict", markup=False)
                with HorizontalGroup(id="launch"):
                    yield Input(self._draft.run_name, placeholder="run name, if you like", id="run-name", compact=True)
                    yield Button("Start  F5", id="start", variant="primary", compact=True)
        yield KeyFooter()

    def on_mount(self) -> None:
        """Check what there is, and begin with what is changed most where that is in sight."""
        is_wide = self.size.width >= WIDE_FROM
        for field in self._fields():
            if not is_wide or field.spec.path == MOST_CHANGED:
                field.add_class("-first")
                break
        self._validate()

    # --- typing -------------------------------------------------------------------------------------------------------

    @on(FormField.Edited)
    async def _take(self, event: FormField.Edited) -> None:
        path = event.field.spec.path
        self._draft.set_text(path, event.text)
        if event.field.spec.name == "kind":
            await self._section_of(event.field).swap_fields()
        self._validate()

    @on(Input.Changed, "#run-name")
    def _take_name(self, event: Input.Changed) -> None:
        self._draft.run_name = event.value.strip()
        self._show_verdict()

    @on(DescendantFocus)
    def _describe(self) -> None:
        field = self._focused_field()
        find = self.query_one(FindLine)
        find.display = find.has_focus_within
        spec, problem = (field.spec, field.untold) if field is not None else (None, "")
        self.query_one(FieldHelp).describe(spec, problem)

    def _validate(self) -> None:
        """Check the whole draft and show what came of it; a few microseconds and what changed on the screen."""
        self._check = self._draft.check()
        files = named_files(self._check.config, self.dltui.data) if self._check.config is not None else []
        if files != self._files:
            self._files, self._absent = files, {}
            self._look(LOOK_AFTER_S if self._verdict else 0)
        self._show_check()
        self._measure(self._check.config)

    def _show_check(self) -> None:
        for field in self._fields():
            field.problem = self._problems.get(field.spec.path, "")
            field.was = self._draft.starting_text(field.spec.path) if self._draft.differs(field.spec.path) else None
        self._describe()
        self._show_verdict()

    @property
    def _problems(self) -> dict[str, str]:
        """What is wrong, by the path of the field; '' for what belongs to no field."""
        return self._check.problems or self._absent

    @work(exclusive=True, group="files")
    async def _look(self, wait_s: float, and_start: bool = False) -> None:
        """See whether the files are there that the configuration names, and then start it if that is wanted."""
        self._is_looking = bool(self._files)
        self._show_verdict()
        if self._files:
            await asyncio.sleep(wait_s)
            found = await asyncio.to_thread(absent, self._files)
            self._absent = {field: shown(problem) for field, problem in found.items()}
            self._is_looking = False
            self._show_check()
        if and_start and self._problems:
            self._refuse("can't start")
        elif and_start:
            self._start()

    def _show_verdict(self, failure: str = "") -> None:
        """Say whether it can start, and where not."""
        problems = self._problems
        if failure or problems:
            words = failure or problems.get("") or f"wrong: {', '.join(sorted(problems))}"
            verdict = Content.assemble(("✗ ", "$error"), words)
        elif self._is_looking:
            verdict = Content.styled("… looking for its files", "$text-muted")
        else:
            verdict = Content.assemble(("✓ ", "$success"), ("ready to start", "$text-muted"))
        if verdict.plain != self._verdict:  # an update costs a layout, and most keys change nothing here
            self._verdict = verdict.plain
            self.query_one("#verdict", Static).update(verdict)
        changes = sum(field.was is not None for field in self._fields())
        words = f"{CHANGED} {changes} change{'s' if changes != 1 else ''}" if changes else f"as {self._origin} has it"
        self.query_one("#form").border_subtitle = Content.styled(words, "$accent" if changes else "")

    @work(exclusive=True, group="size")
    async def _measure(self, config: RunConfig | None) -> None:
        """Show how large the run will be; not even guess while something is wrong."""
        data, summary = self.dltui.data, self.query_one(SizeSummary)
        if config is None:
            summary.run_size = RunSize(None, None, None)
            self._take_layers(LayersView(instead=NOTHING_WHILE_WRONG))
            return
        facts = await self._facts_of(config, data)
        summary.run_size = run_size(config, facts)
        layers = config.model.layers(facts)
        self._take_layers(LayersView(instead=self._where_layers_are(config)) if layers is None else LayersView(layers))

    async def _facts_of(self, config: RunConfig, data: Path) -> DataFacts:
        """What is known of the data; what lies on disk is counted once, and not again with every key."""
        if not isinstance(config.data, Csv | ImageFolder):
            return config.facts(data)
        if self._counted is None or self._counted[0] != config.data:
            self._counted = (config.data, await asyncio.to_thread(config.facts, data))
        return self._counted[1]

    def _take_layers(self, view: LayersView) -> None:
        self._layers = view
        self.query_one(LayersPane).show(view)

    def _where_layers_are(self, config: RunConfig) -> str:
        """How to see what only the engine can tell."""
        preset = self._preset
        name = preset.name if find_preset(preset.name) == preset.path else str(preset.path)
        why = (
            "The network is your own code, which only the engine runs"
            if isinstance(config.model, CustomModel)
            else "The network's shape follows from data that has to be read first"
        )
        how = f"dltui show {shown(name)} --layers"
        return f"{why}. Save this as a preset (^s), then: {how}" if self._draft.changed else f"{why}: {how}"

    # --- what keys do -------------------------------------------------------------------------------------------------

    @on(Button.Pressed, "#start")
    @on(Input.Submitted, "#run-name")
    @on(FormField.StartWanted)
    def action_start(self) -> None:
        """Start the run, or go to the first value that is wrong."""
        self._read_editors()
        if self._check.config is None:
            self._refuse("can't start")
        elif self._files:
            self._look(0, and_start=True)  # they may have come, or gone, since they were looked for
        else:
            self._start()

    def _start(self) -> None:
        if self._check.config is None or self._started:
            return
        try:
            self.dltui.start_run(self._check.config, self._draft.run_name)
        except RunFolderError as error:
            self._show_verdict(shown(str(error)))
            if self._draft.run_name:
                self.query_one("#run-name").focus()
        else:
            self._started = True  # a second F5 may be on its way before the run is shown
            self._draft.run_name = ""

    def _refuse(self, what: str) -> None:
        """Say why not, and go to the first value that is wrong."""
        wrong = [field for field in self._fields() if field.problem]
        if wrong:
            wrong[0].editor.focus()
            self._show_verdict(f"{what}: mend {', '.join(field.spec.path for field in wrong)}")
        else:
            self._show_verdict(f"{what}: {self._problems.get('', '')}")

    async def action_reset(self) -> None:
        """Give the focused field what the preset has."""
        field = self._focused_field()
        if field is None:
            return
        self._draft.reset(field.spec.path)
        if field.spec.name == "kind":
            await self._section_of(field).swap_fields()
        else:
            field.set_text(self._draft.text(field.spec.path))
        self._validate()

    async def action_reset_all(self) -> None:
        """Be the preset again."""
        kinds = {section: self._draft.kind(section) for section in SECTIONS}
        self._draft.reset_all()
        for section in self.query(FormSection):
            if kinds[section.section] != self._draft.kind(section.section):
                await section.swap_fields()
            for field in section.fields:
                field.set_text(self._draft.text(field.spec.path))
        self._validate()

    @work
    async def action_save(self) -> None:
        """Ask for a name and save the configuration as a preset."""
        self._read_editors()
        if self._check.config is None:
            self._refuse("can't save")
            return
        from tui.screens.save_preset import SavePresetScreen

        path = await self.app.push_screen_wait(SavePresetScreen(self._draft))
        if path is not None:
            self.notify(f"Saved as {shown(path)}", title="A preset of your own", markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A slash is typed where there may be one, and finds a field elsewhere."""
        if action != "find":
            return True
        field = self._focused_field()
        return field.spec.shape not in LONG_SHAPES if field is not None else not isinstance(self.focused, Input)

    def action_find(self) -> None:
        """Ask for the name of a field."""
        self._found_from = self.focused
        self.query_one(FindLine).begin()

    @on(FindLine.Found)
    def _go_to(self, event: FindLine.Found) -> None:
        self.query_one(FindLine).display = False
        self.set_focus(event.field.editor if event.field is not None else self._found_from)

    def action_layers(self) -> None:
        """Show or hide the layers: in a pane where there is room, else over the form."""
        if self._has_room:
            self._shows_layers = not self._shows_layers
            self._arrange()
        else:
            self.app.push_screen(LayersScreen(self._layers))

    @property
    def _has_room(self) -> bool:
        return self.size.width >= WIDE_FROM and self.size.height >= TALL_FROM

    def on_resize(self) -> None:
        """Room comes and goes."""
        self.set_class(self.app.size.height < LOW_BELOW, "-low")
        self.set_class(self.app.size.height < LOWEST_BELOW, "-lowest")
        self._arrange()

    def _arrange(self) -> None:
        self.query_one(LayersPane).display = self._shows_layers and self._has_room

    def action_back(self) -> None:
        """One step back: from the search, from the layers, else to Home; the draft stays."""
        if self.query_one(FindLine).has_focus_within:
            self._go_to(FindLine.Found(None))
            return
        if self._shows_layers and self._has_room:
            self.action_layers()
            return
        if self._draft.changed:
            self.notify("Your changes are kept until you leave dltui.", timeout=4)
        self.dismiss()

    def _read_editors(self) -> None:
        """Take what stands in the editors: what was typed last may still be on its way here as a message."""
        for field in self._fields():
            with suppress(KeyError):  # fields of the kind before, about to go
                self._draft.set_text(field.spec.path, field.text)
        self._draft.run_name = self.query_one("#run-name", Input).value.strip()
        self._validate()

    # --- inside -------------------------------------------------------------------------------------------------------

    def _fields(self) -> Iterator[FormField]:
        for section in self.query(FormSection):
            yield from section.fields

    def _focused_field(self) -> FormField | None:
        parent = self.focused.parent if self.focused is not None else None
        return parent if isinstance(parent, FormField) else None

    def _section_of(self, field: FormField) -> FormSection:
        return cast(FormSection, field.parent)
