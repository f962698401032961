"""Files of another tool: all problems at once, no line lost to another's fault, nothing twice."""

from __future__ import annotations

from tests.integration.people.conftest import Desk
from tests.integration.store.books import contact, customer

from arsync.domain.documents import ContactRole
from arsync.store import ledger


def bring(desk: Desk, what: str, text: str, *options: str, status: int | None = 0, encoding: str = "utf-8") -> str:
    path = desk.folder / "file.csv"
    path.write_bytes(text.encode(encoding))
    return desk.arsync("import", what, str(path), *options, status=status).said


def test_one_bad_line_stops_nothing_and_every_one_is_listed(desk: Desk) -> None:
    told = bring(
        desk,
        "holds",
        "customer,invoice,kind,reason,until\n"
        'Acme Stores,,legal,"with\nlawyers",\n'
        ",I3,dipsute,broken,\n"
        ",I404,dispute,broken,\n"
        ",I3,dispute,broken,31.12.2026\n"
        ",,dispute,broken,\n"
        ",I3,dispute,,\n"
        ",I3,pause,away,2026-08-01\n"
        ",I3,dispute,broken,2026-12-31\n",
        status=1,
    )
    for line in (
        "line 2: legal on everything Acme Stores pays for (hold 1)",
        "line 4: kind: no 'dipsute'; do you mean dispute?",
        "line 5: there is no invoice 'I404'",
        "line 6: until: '31.12.2026' is no day",
        "line 7: name an invoice, or --customer",
        "line 8: no reason",
        "line 9: until: 2026-08-01 has passed",
        "line 10: dispute on invoice I3 of Birch Cafe (hold 2)",
        "2 kept, 0 known already, 6 with a problem",
    ):
        assert line in told, line
    assert len(desk.json("holds")) == 2


def test_a_file_that_is_brought_twice_changes_nothing_the_second_time(desk: Desk) -> None:
    files = {
        "holds": "invoice;kind;reason;amount\nI1;dispute;broken;40.00\nI2;pause;away;\n",
        "contacts": "customer\temail\tname\nAcme Stores\ttom@acme.example\tTom\n",
        "tags": "customer,tag\nA,\"vip, key account\"\n",
        "owners": "Customer,Name,Signature\nA,Mia Wong,Mia\\nAccounts\n",
        "languages": "customer,language\nA,fr-CA\n",
    }  # fmt: skip
    for what, text in files.items():
        assert " 0 with a problem" in bring(desk, what, text, encoding="utf-8-sig")
    desk.arsync("lift", "2")
    notes = len(desk.notes())
    for what, text in files.items():
        assert "0 kept" in bring(desk, what, text)
    assert len(desk.notes()) == notes
    assert [one["hold"]["id"] for one in desk.json("holds")] == [1], "what was lifted since stays lifted"


def test_a_thousand_lines_about_one_payer_are_one_note_and_none_where_none_is_wanted(desk: Desk) -> None:
    lines = "".join(f"Acme Stores,opt_out,wish {number}\n" for number in range(40))
    text = "customer,kind,reason\n" + lines + "Birch Cafe,legal,with lawyers\n"
    told = bring(desk, "holds", text, "--dry-run", "--author", "mia")
    assert "2 notes about it would be written into the accounting system" in told
    assert "41 kept" in bring(desk, "holds", text, "--author", "mia")
    (acme, birch) = desk.notes()
    assert acme[:2] == ("customer", "A")
    assert acme[2] == "40 holds taken over from file.csv on 2026-09-01"
    assert birch[2].startswith("Legal (hold 41) of everything Birch Cafe pays for, taken over from file.csv")
    ((whole,),) = desk.books.rows("SELECT text FROM notes WHERE target_id = 'A'")
    assert len(whole) <= 2000
    assert "wish 0" in whole
    bring(desk, "owners", "customer,name\nA,Mia\nB,Tom\n", "--no-notes")
    assert len(desk.notes()) == 2


def test_a_dry_run_says_the_same_and_keeps_nothing(desk: Desk) -> None:
    text = "customer,name\nAcme Stores,Mia\nNobody,Tom\n"
    tried = bring(desk, "owners", text, "--dry-run", status=1)
    assert "1 would be kept, 0 known already, 1 with a problem" in tried
    assert desk.notes() == []
    done = tried.replace("would be kept", "kept").replace("would be written", "will be written by the next run")
    assert bring(desk, "owners", text, status=1) == done


def test_a_name_that_fits_several_is_listed_with_what_to_write(desk: Desk) -> None:
    desk.books.keep(customer("A2", name="Acme Stores"))
    told = bring(desk, "tags", "customer,tag\nAcme Stores,vip\nid:A2,vip\nA,vip\n", status=1)
    assert "line 2: fits several" in told
    assert "--connection harbor" in told
    told = bring(desk, "owners", "customer,name\nAcme Stores,Mia\nid:A2,Tom\n", status=1)
    assert "id:A --connection harbor (Acme Stores); id:A2 --connection harbor" in told
    assert "line 3: Acme Stores: Tom looks after it" in told


def test_a_column_that_is_not_known_is_named_with_the_nearest(desk: Desk) -> None:
    assert "line 1: 'signatur'" not in bring(desk, "owners", "customer,name\nA,Mia\n")
    told = bring(desk, "owners", "customer,name,signatur\nA,Mia,x\n", status=1)
    assert "no column 'signatur'; do you mean 'signature'?" in told
    assert "no column email; contacts have" in bring(desk, "contacts", "customer,name\nA,Tom\n", status=2)
    assert "not UTF-8" in bring(desk, "contacts", "customer,email\nÉlan,a@b.example\n", status=2, encoding="latin-1")


def test_a_contact_by_hand_outlives_the_next_sync_and_is_written_to_first(desk: Desk) -> None:
    bring(desk, "contacts", "customer,email,name,role\nA,Tom@Acme.example,Tom,billing\n")
    desk.books.keep(customer("A", name="Acme Stores Ltd", minutes=5, contacts=(contact("Ada"),)))
    with desk.books.store.reading() as work:
        people = ledger.read(work, desk.books.id).payers["A"].contacts
        alone = ledger.read(work, desk.books.id, "A").payers["A"].contacts
    assert people == alone
    first, *others = people
    assert (first.name, first.email, first.role) == ("Tom", "tom@acme.example", ContactRole.BILLING)
    assert [one.name for one in others] == ["Ada"]
    assert "0 kept, 1 known" in bring(desk, "contacts", "customer,email,name,role\nA,Tom@Acme.example,Tom,billing\n")


def test_a_language_by_hand_goes_before_that_of_the_source_until_it_is_taken_back(desk: Desk) -> None:
    def spoken() -> str | None:
        with desk.books.store.reading() as work:
            return ledger.read(work, desk.books.id).payers["A"].language

    desk.books.keep(customer("A", name="Acme Stores", minutes=5, language="en"))
    before = desk.books.chase("A").version
    assert "Acme Stores is written to in fr" in desk.arsync("language", "Acme Stores", "fr-CA", "--author", "mia").said
    assert spoken() == "fr"
    assert desk.books.chase("A").version > before, "a message in the other language is planned anew"
    desk.books.keep(customer("A", name="Acme Stores", minutes=6, language="en"))
    assert spoken() == "fr"
    assert [one["language"] for one in desk.json("language")] == ["fr"]
    assert "(it was fr)" in desk.arsync("language", "Acme Stores", "--source").said
    assert spoken() == "en"
    assert [text.split(" on ")[0] for _kind, _target, text in desk.notes()] == [
        "Language: Acme Stores is written to in fr, said",
        "Language: Acme Stores is written to in the language that the accounting system says (it was fr), said",
    ]
    assert "'Klingon!' is none" in bring(desk, "languages", "customer,language\nA,Klingon!\n", status=1)
