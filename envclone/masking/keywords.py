"""Words that the keys of documents are made of in any schema: none of them names a person."""

from __future__ import annotations

import re

__all__ = ["KEY_WORDS"]

_TEXT = """
a about accepted access account accounts action actions active activity actor added additional address addresses
admin agent agents aggregate album all allowed amount amounts and annotation answer answers api app application
approved archived area array article articles asset assigned assignee at attachment attachments attempt attempts
attendee attendees attribute attributes audience audio author authors auto available avatar average b back balance bank
base batch bcc begin billing bio birth birthday blob block body bool branch brand browser bucket budget bytes calendar
call
callback campaign card cards cart case catalog categories category cc cell change changed changes channel channels
chapter charge chat check checksum child children choice choices city class client clients close closed code codes
collection color colour column columns comment comments company complete completed condition conditions config
confirmed contact contacts contains content contents context conversation cookie copy correlation cost count country
coupon cover created creator credit criteria currency current custom customer customers cvv data database date dates
day days deal debug default deleted delivery department depth description destination detail details device devices
diff dimension dimensions direction disabled discount display distance district document documents domain done down
draft due duration e edited editor education email emails embedding embeddings employee employees employer enabled
end ended engine entities entity entries entry enum environment error errors event events exception expected expires
expiry export ext extension extra facet failed family fax feature features feed feedback field fields file filename
files filter filters first flag flags folder followers following for format forwarded frequency from full function
gender generated geo given goal group groups guest handle hash header headers height hidden history holder home host
hour hours house html http iban icon id ident identifier identity ids image images import in index info inner input
instance int integration interest internal invoice invoices ip is issue item items iteration job jobs key keys kind
label labels lang language last lat latency latitude layout lead length level levels lifecycle like likes limit line
lines link links list lists lng load local locale location locations lock log login logs lon long longitude mail
main manager map master max mean measure media member members message messages meta metadata method metric metrics
middle min minute minutes misc mobile mode model models modified module month months msg multi n name names nested
network new next nick nickname node nodes note notes notification number numbers object objects of offset old on
open operation organizer option optional options order orders org organisation organization origin original os other out
output owner p page pages parameters params parent part participants partner parts passport password past path paths
patient pattern payload payment payments pending people percent period permission permissions person persons phone
phones photo picture place plan platform point points policy position post postal postcode posts preference
preferences prefix premium preview previous price prices primary priority private process product products profile
profiles program progress project prompt properties property provider public published quantity query question
questions quota rank rate rating ratio raw reason received recipient recipients record records ref reference
references referrer refund region registered rejected related relation relations release remark remote replies reply
report reported reporter request requests required resolved resource response responses result results retries
revision role roles room root route row rows rule rules run salary sample scale schedule schema scope score scores
scroll search second seconds section sections segment selected selection sender sent sentiment sequence server
service session sessions set setting settings severity sex shape share shares shipping short signature site size
skill skills sku slug snapshot social sort source sources span spans speaker ssn stage standard start started state
statement states statistics stats status step steps stock stop store street string student sub subject subscription
subtitle subtotal subtype success suffix summary support surname system table tag tags target task tasks tax team
teams tel telephone template tenant term test text thread threads threshold thumbnail ticket tickets time timeline
times timestamp timezone title to token tokens tool tools topic topics total totals town trace track transaction
transactions transcript translation tree trial turn turns type types ui unit units unread up update updated upload
uri url urls usage user username users utc uuid valid value values variable variant vat vector vectors vendor
verified version versions via video view viewed views visible visit visits w website week weight widget width word
words work worker workflow workspace x y year years z zip zone
"""

KEY_WORDS = frozenset(re.findall(r"[a-z]+", _TEXT))
