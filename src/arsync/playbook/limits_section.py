"""What is said of a whole playbook beside its steps: its caps, its named end, its statements of
account and its apology."""

from __future__ import annotations

from typing import Final

from arsync.domain.policy import ACCOUNT, APOLOGY, Act, Caps, End, Statements, Step, StepChannel, Tone
from arsync.playbook.nodes import Section
from arsync.playbook.problems import Problems
from arsync.playbook.step_section import MODES, SLUG, read_instead

CAP_KEYS: Final = ("week", "month", "mailbox")
CAP_BOUNDS: Final = (1, 1000)
MAILBOX_BOUNDS: Final = (1, 100_000)
END_KEYS: Final = ("id", "mode", "says")
END_REQUIRED: Final = ("id", "says")
END_MODES: Final = {"task": True}
LONGEST_SAYING: Final = 300
STATEMENT_KEYS: Final = ("business_day", "template", "mode", "instead", "instead_template")
STATEMENT_REQUIRED: Final = ("template",)
APOLOGY_KEYS: Final = ("template", "mode")
APOLOGY_REQUIRED: Final = ("template",)
STATEMENT_DAYS: Final = (1, 20)
STATEMENT_MODES: Final = {name: mode for name, mode in MODES.items() if name != "task"}


def read_caps(root: Section, problems: Problems) -> Caps:
    """The caps; none where none are written."""
    node = root.mapping("caps")
    if node is None:
        return Caps()
    section = Section(node, "caps", problems, known=CAP_KEYS, required=())
    week, month = section.whole("week", *CAP_BOUNDS), section.whole("month", *CAP_BOUNDS)
    if week is not None and month is not None and month < week:
        message = f"caps: {month} in a month are fewer than {week} in a week: the cap by week never counts"
        problems.add(section.line_of("month"), message)
    return Caps(week, month, section.whole("mailbox", *MAILBOX_BOUNDS))


def read_end(root: Section, problems: Problems) -> End | None:
    """What a person is asked to do when the ladder is done; None where nothing is written."""
    node = root.mapping("end")
    if node is None:
        return None
    section = Section(node, "end", problems, known=END_KEYS, required=END_REQUIRED)
    section.choice("mode", END_MODES)  # a person's task, and nothing else: written so that it can be read aloud
    name, says = section.slug("id", SLUG), section.text("says", LONGEST_SAYING)
    return End(name, says) if name and says else None


def read_statements(root: Section, problems: Problems) -> tuple[Statements | None, int]:
    """The statements of account that go beside the ladder, None where nothing is written; and the line of their
    template."""
    node = root.mapping("statements")
    if node is None:
        return None, root.line
    section = Section(node, "statements", problems, known=STATEMENT_KEYS, required=STATEMENT_REQUIRED)
    template, day = section.slug("template", SLUG), section.whole("business_day", *STATEMENT_DAYS)
    mode = section.choice("mode", STATEMENT_MODES)
    instead, instead_template = read_instead(section, problems)
    if template is None:
        return None, section.line
    step = Step(
        id=ACCOUNT, offset=0, channel=StepChannel.EMAIL, tone=Tone.FRIENDLY, template=template, mode=mode,
        act=Act.STATEMENT, instead=instead, instead_template=instead_template,
    )  # fmt: skip
    return Statements(step, day), section.line_of("template")


def read_apology(root: Section, problems: Problems) -> tuple[Step | None, int]:
    """The apology for what was asked for though it had been paid, None where nothing is written; and the line of its
    template."""
    node = root.mapping("apology")
    if node is None:
        return None, root.line
    section = Section(node, "apology", problems, known=APOLOGY_KEYS, required=APOLOGY_REQUIRED)
    template, mode = section.slug("template", SLUG), section.choice("mode", STATEMENT_MODES)
    if template is None:
        return None, section.line
    return Step(
        id=APOLOGY, offset=0, channel=StepChannel.EMAIL, tone=Tone.FRIENDLY, template=template, mode=mode
    ), section.line_of("template")
