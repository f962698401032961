"""What a person wrote besides the answer itself is not lost to who reads it; what programs and signatures add is."""

from __future__ import annotations

import pytest

from arsync.inbox.quoting import left_out, new_text

WROTE = "On Mon, 1 Jun 2026 at 09:00, Billing <billing@example.com> wrote:"


@pytest.mark.parametrize(
    ("text", "besides"),
    [
        ("Ok.\n\nKind regards\nTom\n\nPS: only if the rest comes first.", "PS: only if the rest comes first."),
        ("Ok.\n\n-- \nTom\nPS: only if the rest comes first.", "PS: only if the rest comes first."),
        ("Bien.\n\nCordialement\nTom\nP.S. La deuxième est fausse.", "P.S. La deuxième est fausse."),
        ("Gut.\n\nMit freundlichen Grüßen\nTom\n\nNachtrag: die zweite nicht.", "Nachtrag: die zweite nicht."),
        ("Ok.\n\nBest regards,\nTom\n\nBut the second invoice is wrong.", "But the second invoice is wrong."),
        ("Hallo\n\nGesendet von uns am 3. Mai.", "Gesendet von uns am 3. Mai."),
        ("-- \nWe dispute the invoice, it is wrong.", "--\nWe dispute the invoice, it is wrong."),
        (f"Ok.\n\n{WROTE}\n> Invoice 1\nthis one never came\n> Invoice 2\nok", "this one never came\nok"),
    ],
)
def test_a_postscript_and_what_is_said_below_or_between_is_kept(text: str, besides: str) -> None:
    assert left_out(text) == besides


@pytest.mark.parametrize(
    "text",
    [
        "Ok.",
        "Ok.\n\nKind regards\nTom Reed\nReed Ltd\n+44 20 7946 0000",
        "Ok.\n\nSent from my iPhone",
        "Ok.\n\nKind regards\nTom\n\nConfidential. If you are not the intended recipient contact the sender.",
        f"Ok.\n\n{WROTE}\n> We have not received your payment.\n> If you dispute it, tell us.",
        "Ok.\n\nLe lun. 1 juin 2026 à 09:00, Facturation <f@a.example> a écrit :\n> Votre facture est échue.",
        "",
    ],
)
def test_a_signature_a_footer_and_what_is_quoted_are_not(text: str) -> None:
    assert left_out(text) == ""
    assert new_text(text) == ("Ok." if text else "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Best regards, but the invoice is wrong.", "Best regards, but the invoice is wrong."),
        ("Gesendet von uns am 3. Mai.", "Gesendet von uns am 3. Mai."),
        (f"{WROTE}\n> Invoice 1\n\nWe dispute it.", "We dispute it."),
        (f"{WROTE}\n> Invoice 1\nnever came\n> Invoice 2\npaid", "never came\npaid"),
    ],
)
def test_what_is_the_answer_itself_is_not_said_twice(text: str, said: str) -> None:
    assert new_text(text) == said
    assert left_out(text) == ""
