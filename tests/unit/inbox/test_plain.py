"""What a playbook acts on says one thing; whatever turns it or adds to it is a person's to read."""

from __future__ import annotations

import pytest

from arsync.domain.replies import Meaning
from arsync.inbox.plain import says_only


@pytest.mark.parametrize(
    ("meaning", "text"),
    [
        (Meaning.SAYS_PAID, "This was paid on 28 May, reference 88213, invoice no. 42."),
        (Meaning.SAYS_PAID, "Already settled last Tuesday. Please check your account."),
        (Meaning.SAYS_PAID, "Die Rechnung Nr. 42 wurde am 28. Mai überwiesen."),
        (Meaning.SAYS_PAID, "La facture n° 42 a été réglée par virement le 28 mai."),
        (Meaning.PAYMENT_RUN, "It is in our payment run of 12 June."),
        (Meaning.PAYMENT_RUN, "Die Rechnung ist im Zahlungslauf am 12. Juni dabei."),
        (Meaning.PAYMENT_RUN, "Elle est dans la campagne de règlement du 12 juin."),
    ],
)
def test_one_plain_thing_is_plain(meaning: Meaning, text: str) -> None:
    assert says_only(text, meaning)


@pytest.mark.parametrize(
    ("meaning", "text"),
    [
        (Meaning.SAYS_PAID, "Has this been paid already?"),
        (Meaning.SAYS_PAID, "Nothing has been paid and nothing will be paid."),
        (Meaning.SAYS_PAID, "Hasn't been paid, it isn't approved."),
        (Meaning.SAYS_PAID, "It was paid by mistake, we want a refund."),
        (Meaning.SAYS_PAID, "We paid the first half."),
        (Meaning.SAYS_PAID, "We paid for the goods that arrived; the missing ones are yours."),
        (Meaning.SAYS_PAID, "Wurde das nicht schon bezahlt?"),
        (Meaning.SAYS_PAID, "Bezahlt, abzüglich Skonto."),
        (Meaning.SAYS_PAID, "Wurde doppelt bezahlt, bitte erstatten."),
        (Meaning.SAYS_PAID, "N'a pas été payée."),
        (Meaning.SAYS_PAID, "Réglée moins l'acompte."),
        (Meaning.PAYMENT_RUN, "It is not in the payment run of 12 June."),
        (Meaning.PAYMENT_RUN, "It goes into the payment run once we have the credit note."),
        (Meaning.PAYMENT_RUN, "Kommt in den Zahlungslauf, sobald die Gutschrift da ist."),
        (Meaning.PAYMENT_RUN, "Elle ne passera pas dans la campagne de règlement du 12 juin."),
        (Meaning.PAYMENT_RUN, "Our next payment run is on 12 June, the price on it is wrong."),
    ],
)
def test_what_turns_it_asks_or_leaves_a_part_out_is_a_persons(meaning: Meaning, text: str) -> None:
    assert not says_only(text, meaning)
