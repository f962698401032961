"""Whether an answer says one thing and nothing that a person would have to read: what a playbook may act on by itself.

Phrases that speak for a meaning do not tell a "not" before them, a question or a "but" after them. So whatever might
turn what is said, add to it or leave a part out waits for a person, also where it is harmless.
"""

from __future__ import annotations

import re
from typing import Final

from arsync.domain.replies import Meaning
from arsync.inbox.classify import folded, weighed

#: Whose phrases would be another matter, however little they weigh beside the meaning.
_OTHER_MATTERS: Final = frozenset({
    Meaning.DISPUTE, Meaning.COPY_REQUEST, Meaning.NOT_RECEIVED, Meaning.PO_MISSING, Meaning.WRONG_CONTACT,
    Meaning.QUESTION,
})  # fmt: skip
_SAYS_SO: Final = 2.0
_NEGATIONS: Final = (
    "not|never|nor|none|neither|nothing|nobody|cannot|without|t|nicht|nie|niemals|kein*|nichts|niemand|ohne|weder"
    "|net|ned|ne|pas|jamais|aucun*|rien|sans"
)
_CONDITIONS: Final = (
    "if|unless|until|till|once|when|after|before|provided|but|however|although|though|except|apart|only|would|could"
    "|wenn|falls|sofern|sobald|nachdem|bevor|solange|aber|jedoch|allerdings|obwohl|ausser|nur|sondern|erst"
    "|si|mais|sauf|toutefois|cependant|lorsque|des|tant|quand|apres|avant|seulement|uniquement"
)
_OTHER_PARTS: Final = (
    "twice|double|duplicate|refund*|mistake|error|wrong*|incorrect*|overpaid|credit*|return*|back|damaged|missing|part"
    "|partly|partial*|half|rest|remain*|other*|old|blocked|instead|cancel*|copy|resend|send|less|deduct*"
    "|doppelt|zweimal|erstatt*|zuruck*|irrtum*|versehen*|falsch*|fehl*|gutschrift*|teil*|halfte|rest*|ander*|alte*|gesperrt"
    "|storn*|kopie|schick*|send*|abzug|abzuglich|gekurzt|stattdessen"
    "|deux|rembours*|erreur*|tort|faux|fausse|avoir|retour*|manqu*|partie*|moitie|acompte|reste|autre*|ancien*|bloque*"
    "|annul*|copie|envoy*|renvoy*|deduit*|deduction*"
)
_TURNS: Final = re.compile(
    rf" (?:\?|(?:no|n)(?! [0-9])|{'|'.join((_NEGATIONS, _CONDITIONS, _OTHER_PARTS)).replace('*', '[^ ]*')})(?= )"
)


def says_only(text: str, meaning: Meaning) -> bool:
    """Whether nothing in the text turns that meaning, asks, makes a condition or speaks of another matter."""
    others = {other: weight for other, weight in weighed(text).items() if other in _OTHER_MATTERS - {meaning}}
    return all(weight < _SAYS_SO for weight in others.values()) and not _TURNS.search(folded(text))
