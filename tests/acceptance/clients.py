"""Two clients of one accountant whose books look alike: the same ids, numbers, customers and addresses.

Only amounts, names and bank details tell them apart.
"""

from __future__ import annotations

from tests.acceptance.installation import Books, Installation

NORTH, SOUTH = "north", "south"
#: What is one company's alone, and can stand in nothing that is the other's.
OWN = {
    NORTH: ("1,111.11", "1111.11", "north", "North", "#aa0011"),
    SOUTH: ("2,345.67", "2345.67", "south", "South", "#0022bb"),
}
SETTINGS = """
[group.clients]
collecting_for_others = "on"
[connection.north]
group = "clients"
provider = "quickbooks"
external_id = "{north}"
company_name = "North Ltd"
brand.color = "#aa0011"
legal_footer = "For North Ltd, by law"
bank_details.USD = "North Bank 1"
delivery.from = "North <accounts@north.example>"
delivery.bcc = "archive@north.example"
inbox_address = "answers@north.example"
[connection.south]
group = "clients"
provider = "quickbooks"
external_id = "{south}"
company_name = "South Ltd"
brand.color = "#0022bb"
legal_footer = "For South Ltd, by law"
bank_details.USD = "South Bank 2"
delivery.from = "South <accounts@south.example>"
delivery.bcc = "archive@south.example"
inbox_address = "answers@south.example"
"""


def configure(firm: Installation) -> None:
    firm.configure()
    text = firm.config.read_text(encoding="utf-8").partition("[connection.")[0]
    text = text.replace('bank_details.USD = "Harbor Bank 4417"', "")
    said = SETTINGS.format(north=firm.books[NORTH].id, south=firm.books[SOUTH].id)
    firm.config.write_text(text + said, encoding="utf-8")


def alien(name: str, text: str) -> list[str]:
    """What of the other company is in a text that is this one's."""
    other = SOUTH if name == NORTH else NORTH
    return [sign for sign in OWN[other] if sign in text]


def letters(firm: Installation) -> dict[str, str]:
    """What was mailed, whole, by the company that it says it is from."""
    found: dict[str, str] = {}
    for mail in firm.letters():
        name = str(mail["From"]).partition("@")[2].partition(".")[0]
        parts = [str(part.get_content()) for part in mail.walk() if part.get_content_maintype() == "text"]
        found[name] = found.get(name, "") + "\n".join([*(f"{key}: {value}" for key, value in mail.items()), *parts])
    return found


def notes(books: Books) -> str:
    return "\n".join(str(note) for note in books.notes())
