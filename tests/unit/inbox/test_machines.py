"""Who wrote a mail, where neither its headers nor its subject settle it: in doubt a person."""

from __future__ import annotations

from email.header import Header

import pytest

from arsync.domain.replies import MailKind
from arsync.inbox.machines import who_wrote
from arsync.inbox.mail import read

ANSWERS = "In-Reply-To: <0123456789abcdef0123456789abcdef@example.com>\n"
GENERATED = "Auto-Submitted: auto-generated\n"


def kind(subject: str, text: str, *, headers: str = "", sender: str = "jo@reed.example") -> MailKind:
    written = Header(subject, "utf-8").encode()
    raw = f"From: Jo <{sender}>\nTo: billing@example.com\nSubject: {written}\n{headers}\n{text}\n"
    return who_wrote(read(raw.encode()))[0]


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Out of office until Monday", "I am away until Monday and will pay your invoice then."),
        ("Away from home, invoice 1042", "The oven you sold us is still broken, nobody has called me back."),
        ("On holiday", "Hi, I'm on leave till the 5th. Which account should I transfer it to?"),
        ("Auto: Reparatur", "Der Preis stimmt nicht, vereinbart waren 400 Euro."),
        ("Urlaub", "Bin bis Montag im Urlaub, dann bekommen Sie Ihr Geld."),
        ("Abwesend", "Bin bis Freitag nicht im Büro, überweise aber heute Abend noch."),
        ("Absente lundi", "Je suis absente lundi, le virement partira mardi."),
        ("Congés", "Je pars en congés. La machine est toujours en panne."),
        ("Accusé de réception", "Nous avons bien reçu votre rappel et contestons cette facture."),
    ],
)
def test_a_subject_that_a_person_might_choose_makes_no_program_of_who_says_more(subject: str, text: str) -> None:
    assert kind(subject, text) is MailKind.PERSON


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Out of office", "I am on annual leave until 5 June. Please contact Tom."),
        ("Abwesend: Mahnung", "Ich bin bis zum 5. Juni im Urlaub."),
        ("Absent Re: rappel", "Je suis en congés jusqu'au 5 juin."),
        ("Automatic reply: Reminder", "We pay suppliers on the 30th. I am away until then."),
        ("Abwesenheitsnotiz", "Zahlungen macht Frau Ried."),
    ],
)
def test_who_says_no_more_than_that_he_is_away_stops_nothing(subject: str, text: str) -> None:
    assert kind(subject, text) is MailKind.AUTO_REPLY


@pytest.mark.parametrize(
    "text",
    [
        "We dispute this invoice: the price agreed was 450.",
        "This was paid on 28 May, please check your bank.",
        "Hi, the goods came back to you in April. Regards, Tomasz, AP helpdesk",
    ],
)
def test_what_a_clerk_answers_through_a_ticket_system_is_a_persons(text: str) -> None:
    """Ticket systems mark what they send as generated (RFC 3834), also what a person wrote in them."""
    assert kind("[#4521] Reminder", text, headers=GENERATED + ANSWERS) is MailKind.PERSON
    assert kind("[#4521] Reminder", text, headers=ANSWERS, sender="noreply@tickets.example") is MailKind.PERSON


@pytest.mark.parametrize(
    "text",
    [
        "Your request has been received and our team will respond shortly. Your ticket number is 4521.",
        "Vielen Dank für Ihre Nachricht. Wir haben sie erhalten und melden uns schnellstmöglich.",
        "Votre message a bien été reçu et sera traité dans les meilleurs délais.",
    ],
)
def test_what_a_ticket_system_answers_by_itself_stops_nothing(text: str) -> None:
    assert kind("[#4521] Reminder", text, headers=GENERATED + ANSWERS) is MailKind.AUTO_REPLY


def test_what_a_program_says_to_nobody_in_particular_stops_nothing() -> None:
    """It answers no mail of ours and was not sent to an address of a message."""
    assert kind("News", "Our prices rise on Monday.", headers=GENERATED) is MailKind.AUTO_REPLY
    assert kind("News", "Our prices rise on Monday.", sender="noreply@news.example") is MailKind.AUTO_REPLY


def test_an_automatic_answer_says_so_whatever_its_words() -> None:
    headers = "Auto-Submitted: auto-replied\n" + ANSWERS
    assert kind("Re: Reminder", "Payments are made on the 30th.", headers=headers) is MailKind.AUTO_REPLY
