"""English words that are also names: a text would be shredded if each of them were taken for a person."""

from __future__ import annotations

__all__ = ["NAMES_TOO", "SAID_OF_PERSONS", "TITLES", "WORDS_FIRST"]


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


NAMES_TOO = _set(
    """
    angel art ash banks bay bell berry bill bishop black bloom blue bond booth bow branch brand brook brown buck bush
    case cash chance chase chip church clay cliff cook crystal dawn day destiny drew duke early east ever fair faith
    field fields fish fisher flowers ford forest fox frank friend frost gates ginger glass gold golden good grace grant
    gray green grey guy hall harmony hart heart heaven hill hills holiday holly hope house hunt hunter iris iron ivory
    ivy jack jade jewel joy judge justice king kit knight lake lance lane law lily little long lord love low lucky major
    mark marks marsh may mercy miles mills misty moon more morning nick noble north oak olive page park parks patience
    pearl penny pike pope porter potter power powers price pride prince queen rain ray read red reed rice rich ridge
    river rivers rob rock rose ruby rush sage salt savage self shade sharp short silver singer sky small smart snow
    south spring star steel stern stone storm street strong sue summer summers sunny swan swift temple tiger town
    trinity turner vale victory violet walker wall walls ward ware waters way wells west white wild will wills win
    winter wise wolf wood woods worth wright young
    """
)
"""Taken for a name when capitalised inside a sentence, or beside another known name."""

WORDS_FIRST = _set(
    """
    about account address admin after all also always and any april are ask august autumn because been before best
    billing but call can check click client company contact could customer dear december den der department desk die
    did director does don done down each email every february for free friday from gave get give gmbh had has have head
    hello help her here herr his home how inc info information into its january july june just know las last left let
    like llc look los ltd made madame make man manager many march may miss monday monsieur month mrs much must name
    need new next not note november now number october off office old one only open order other our out over owner
    password people person phone please prof product question reply request said sales same saturday say see send
    senior senor september service she should signor sir some staff still subject such sunday support system take team
    test than thank thanks that the their them then there these they thing this those thursday ticket time today
    tomorrow tuesday two und under unknown until update use user van very view von was wednesday week welcome well went
    were what when where which while who why with work would year yes yesterday yet you your
    """
)
"""Taken for a name only beside another known name: months, days, titles and the commonest words."""

SAID_OF_PERSONS = _set(
    """
    added agreed answered arrived asked asks booked bought called calls came cancelled closed complained confirmed
    cried described does emailed explained felt forwarded found gave got had has heard helped insisted is joined knew
    knows left likes lives looked lost loves mentioned met moved never noted opened ordered paid phoned placed
    promised received refused remembers replied reported requested returned s said says sent signed spoke started
    suggested talked tells thinks thought told took tried wanted wants was went wonders worked works writes wrote
    """
)
"""What follows a name at the beginning of a sentence, and hardly ever a word: 'Mark said', 'Grace is', 'Will's'."""

TITLES = _set("mr mrs ms mx miss dr prof sir dame rev hon herr frau mme mlle sr sra jr ii iii iv md phd dds dvm esq")
"""What stands with a name and names nobody."""
