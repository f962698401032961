"""playbook review, accept, keep, assign and tag on the running program."""

from __future__ import annotations

from tests.acceptance.installation import Installation

OWN = """\
name: standard
gap: {gap}
window: {{weekdays: [mon, tue, wed, thu, fri], opens: "09:00", closes: "17:00"}}
steps:
  - {{id: reminder, offset: {offset}, channel: email, tone: friendly, template: friendly}}
end: {{id: done, mode: task, says: "look at it"}}
"""


def write(shop: Installation, offset: int, gap: int = 5) -> None:
    """The installation's own `standard`, with the shipped templates."""
    folder = shop.folder / "playbooks"
    folder.mkdir(exist_ok=True)
    (folder / "standard.yaml").write_text(OWN.format(offset=offset, gap=gap), encoding="utf-8")


def pending(shop: Installation) -> list[tuple[str, str, int]]:
    """What waits for an answer: (playbook, change, chases)."""
    listed = shop.json("playbook", "review")
    return [(one["name"], one["change"], one["chases"]) for one in listed if not one["refused"]]


def test_a_changed_playbook_is_named_until_somebody_accepts_or_keeps_it(shop: Installation) -> None:
    """Three payers, five to eight days late: `reminder` at 3 days is rewritten to 14, accepted, rewritten, kept."""
    write(shop, 3)
    shop.configure(mode="approve")
    shop.arsync("run")
    write(shop, 14)
    assert pending(shop) == [("standard", "changed", 3)]
    said = "playbook standard was changed: 3 running chases stay on what they began with until somebody accepts it"
    assert said in shop.arsync("plan").out
    (warned,) = [one for one in shop.json("doctor") if one["detail"] == said]
    assert warned["level"] == "warn"
    assert "arsync playbook review" in warned["mend"]
    assert "3 chases run without that, 3 would move" in shop.arsync("playbook", "review").out
    assert "3 chases go on with standard" in shop.arsync("playbook", "accept", "standard").out
    assert said not in shop.arsync("run").out
    assert shop.json("approve") == [], "nobody is 14 days late"
    write(shop, 14, gap=9)
    assert "stay with the standard that they began with" in shop.arsync("playbook", "keep", "standard").out
    assert pending(shop) == []
    assert "they stay, as somebody said" in shop.arsync("playbook", "review").out
    shop.arsync("playbook", "accept", "firm", status=2)


def test_a_person_chooses_a_playbook_and_a_tag_matches_one(shop: Installation) -> None:
    """Acme is given to `firm`, H-3 of Birch is left to `gentle`; Cedar's tag fits a playbook that does nothing."""
    write(shop, 3)
    (shop.folder / "playbooks" / "sisters.yaml").write_text(
        'name: sisters\nmatch: {priority: 1, tag: [sister-company]}\ndo_nothing: "we settle among ourselves"\n'
    )
    shop.arsync("playbook", "assign", "Acme Stores", "firm", "--reason", "pays late", "--author", "mia")
    shop.arsync("playbook", "assign", "H-3", "gentle", "--reason", "valued", "--author", "mia")
    assert "sister-company put on" in shop.arsync("tag", "Cedar Books", "Sister company").out
    said = {
        one["payer"]: one["message"] and one["message"]["step"]
        for answers in shop.json("plan").values()
        for one in answers
    }
    assert said == {"Acme Stores": "firm", "Birch Cafe": None, "Cedar Books": None}
    assert "we settle among ourselves" in shop.arsync("plan").out
    shop.arsync("run")
    assert "playbook firm chosen for the customer by mia: pays late" in shop.arsync("explain", "H-1").out
    assert [one["tags"] for one in shop.json("tag")] == [["sister-company"]]
    shop.arsync("playbook", "assign", "H-3", "--clear")
    shop.arsync("tag", "Cedar Books", "sister-company", "--remove")
    asked = {one["payer"] for answers in shop.json("plan").values() for one in answers if one["message"]}
    assert asked >= {"Birch Cafe", "Cedar Books"}
    assert "a playbook that was chosen for" in shop.arsync("playbook", "assign", "H-3", "--clear", status=2).err
    assert "--reason" in shop.arsync("playbook", "assign", "H-3", "firm", status=2).err


INSTEAD = """\
name: calls
gap: 5
window: {weekdays: [mon, tue, wed, thu, fri], opens: "09:00", closes: "17:00"}
steps:
  - {id: reminder, offset: 3, channel: email, tone: friendly, template: friendly, instead: call, instead_template: call}
  - {id: again, offset: 13, channel: email, tone: firm, template: firm}
end: {id: done, mode: task, says: "look at it"}
"""


def test_the_words_that_take_an_e_mail_s_place_are_previewed_too(shop: Installation) -> None:
    """`reminder` is a call where no address works: its script is the template `call`, in our own people's language."""
    (shop.folder / "playbooks").mkdir(exist_ok=True)
    (shop.folder / "playbooks" / "calls.yaml").write_text(INSTEAD)
    preview = ("playbook", "preview", "reminder", "--playbook", "calls")
    mail = shop.arsync(*preview).out
    script = shop.arsync(*preview, "--instead").out
    assert script.startswith("Subject: Call Harbour Hotel Group")
    assert "Hello Jane Okafor" in mail
    assert "Subject: Call" not in mail
    told = shop.arsync("playbook", "preview", "again", "--playbook", "calls", "--instead", status=2).err
    assert "nothing takes the place of again" in told
