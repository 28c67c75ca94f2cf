"""The mask of companies' names: legal forms are kept."""

from __future__ import annotations

from envclone.masking.kept import KeptWords
from envclone.masking.memo import Memo
from envclone.masking.tokens import NameTokens

__all__ = ["FORMS", "CompanyMask"]

_LISTED = """
inc incorporated corp corporation co company llc llp lp ltd limited plc pllc gmbh ag kg kgaa ohg gbr ug se mbh ev
sa sas sarl sasu sci eurl srl spa snc sl slu ltda bv nv vof cv ab oy oyj as asa aps sro doo kft zrt
pty pte bhd sdn kk gk group holding holdings partners associates sons and und et y e i
"""
FORMS = frozenset(_LISTED.split())


class CompanyMask:
    """Names of companies; a word has the pseudonym it has in a person's name and in an e-mail's domain."""

    def __init__(self, names: NameTokens) -> None:
        kept = KeptWords(names, FORMS)
        self.mask = Memo(kept.text, batch=lambda: kept.batch)
        self.packed = self.mask.packed
