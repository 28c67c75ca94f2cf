"""English words that are also names: a text would be shredded if each of them were taken for a person."""

from __future__ import annotations

__all__ = ["NAMES_TOO", "WORDS_FIRST"]

NAMES_TOO = frozenset(
    """
    abbey alma amber angel archer art ash aspen autumn bailey baker banks barber bay bell berry bill bishop
    black blair blake bloom blue bond booker booth bow branch brand brandy brook brooks brown buck bush butler carol
    carpenter carter case cash chance chandler charity chase chip christian church clay cliff cole constant cook cooper
    coral crystal curt daisy dale dallas dawn day dean destiny dick dixon dot drake drew duke earl east ernest eve ever
    faith fern field fields finch fisher flint flora floyd ford forest foster fox frank franklin friend frost gale gay
    gene ginger glass glen gold golden good grace grant gray green grey guy hall harmony harper harry hart hazel heath
    heather heaven henry hill holiday holly hope house hunt hunter iris iron ivory ivy jack jade jasmine jay jean jenny
    jersey jewel jordan joy judge justice kay ken kent king kit knight lake lance lane laurel law lee lily little
    long lord love low lucky luna lynn major marina mark marks marsh marshall martin mason mayor mercy miles miller
    mills misty moon moore more morning nash nick nix noble north oak olive page paige park parker parks pat patience
    pearl penny perry pike pierce piper pope porter potter power powers price pride prince queen rain ray read red reed
    reid rice rich ridge river rivers rob robin rock rod roman rose rosemary rowan ruby rush rusty sage salt sandy
    savage scarlet self shade sharp shaw shepherd short silver singer sky skinner small smart snow south spring star
    stark steel steele stern stone storm street strong sue summer summers swan swift sunny taylor teddy temple terry
    tiger tim tony town trinity tucker turner tyler van vale victor victory viola violet walker wall walls ward ware
    warren waters watts way webb weaver wells west wheeler white wilde will wills win winter wise wolf wood woods
    worth wright yates york young
    """.split()
)
"""Taken for a name when capitalised inside a sentence, or beside another known name."""

WORDS_FIRST = frozenset(
    """
    a about april august may june account address admin after all also always an and any are as ask at be because been before best billing but
    by call can check click client company contact could customer dear december department desk did director do dr email
    every february feb for free friday from get give has have he head hello help her here hi his home how i if in info
    into is it january jan jr july just know like ltd llc inc gmbh lead look make man manager many march me monday
    month mr mrs ms miss my name need new next no not note november now number october of office ok old on one only
    open or order other our out over password people person phone please prof product request sales saturday see send
    senior september service she should sir so some sr staff sunday support system team test than thank thanks that the
    their them then there these they thing this those thursday ticket time to today tomorrow tuesday unknown up update us
    use user very view was we wednesday week welcome well were what when where which who why with work would year yes
    yesterday you your monsieur madame herr frau signor senor dona don und der die das von van de la le el los las del
    """.split()
)
"""Taken for a name only beside another known name: months, days, titles and the commonest words."""
