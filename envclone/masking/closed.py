"""The closed classes of words that tell the tagger what stands beside them, in the languages of most texts."""

from __future__ import annotations

from envclone.masking.words import TITLES

__all__ = ["CLOSED", "OF_PLACES"]


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


CLOSED = (
    _set(
        "madame monsieur señor señora señorita sig signor signora signore mevrouw meneer herrn fräulein pan pani doña "
        "senhor senhora senhorita dott dottor dottoressa lord lady captain capt lt sgt col judge professor doctor "
        "doktor mme mlle mrs mr ms sra sr dr prof frau herr hr fr"
    )
    | (TITLES - {"ii", "iii", "iv", "md", "phd", "dds", "dvm", "jr"}),
    _set("van von de der den di da del della do dos das la le bin ibn al el ter ten du des af zu"),
    _set(
        "hi hello hey dear hallo liebe lieber bonjour salut cher chère hola querido querida estimado estimada ciao "
        "buongiorno caro cara gentile beste hoi olá prezado prezada hej drogi droga cześć geehrte geehrter welcome "
        "greetings goodbye bye thanks thank sorry danke merci gracias grazie obrigado"
    ),
    _set(
        "regards sincerely cheers yours love grüßen grüße gruß cordialement salutations saludos atentamente saluti "
        "groet groeten abraços atenciosamente hälsningar pozdrawiam best wishes"
    ),
    _set("in at near nach aus à en bei dans a w i na vid to into towards across via"),
    _set(
        "by with from for about without than like unlike against between per mit für ohne gegen avec pour chez sans "
        "contre selon entre con para por sin contra segun según com pelo per voor met zonder door dla od med för"
    ),
    _set(
        "the an this that these those every each any some no another der die das ein eine einen einem einer dem "
        "les un une l lo gli il uno una los las el o os as um uma het een both all our"
    )
    - _set("der das die el la le lo")
    | _set("die das lo"),
    _set(
        "my his her their your its mein meine meiner meinen sein seine ihr ihre unser unsere mon ma mes son sa ses "
        "votre notre mi mis su sus tu il mio mia suo sua mijn zijn haar meu minha seu whose"
    )
    - _set("il"),
    _set(
        "is was has had will can could would should are were be been does did do may might must isn wasn ist war hat "
        "hatte wird kann wurde est était a avait sera es era está fue ha è sta aveva heeft werd är har jest był "
        "hasn won doesn didn never always also just really still now then"
    )
    - _set("a"),
    _set("and or & und oder et ou y e ed of och i en nor versus vs plus") - _set("en i"),
    _set(
        "name named called names am m heiße heißt hieß appelle appelé llamo llama nombre chiamo nome naam heet "
        "nazywam nazwisko customer user client contact patient author recipient sender signed attn cc owner holder "
        "beneficiary passenger driver agent assignee employee applicant tenant guest kunde kundin nutzer "
        "ansprechpartner patientin cliente utilisateur usuario from bot me onderwerp absender empfänger signatory "
        "guardian witness nom prénom vorname nachname surname reporter assigned account-holder bcc by-line"
    )
    - _set("from"),
    _set(
        "inc ltd llc gmbh ag corp corporation company co plc limited group holding holdings bank university "
        "institute foundation partners associates international solutions technologies technology systems services "
        "industries media software labs agency airlines hotel restaurant hospital school college club team "
        "department council ministry court association society union press magazine times post news radio tv "
        "store shop market museum church kg sarl sas sa spa bv nv ab oy as"
    )
    - _set("as"),
    _set(
        "street road avenue lane drive boulevard square court place park bridge station airport river lake mountain "
        "island islands valley beach bay city county town village district state province straße strasse platz weg "
        "allee gasse rue place boulevard calle avenida plaza via piazza straat plein north south east west suite apt "
        "rua viale corso travessa vicolo largo carrer avinguda ul ulica ulice utca út gata gatan vägen vegen katu laan "
        "dreef chemin impasse quai paseo camino praça praceta rodovia estrada saint st san santa santo são sri los las "
        "rio porto port puerto fort mount villa castel uss usns princess prince king queen royal duke ship "
        "terrace flat crescent grove hill close row mews highway apartment unit box postcode address"
    )
    - _set("court place park"),
    _set(
        "monday tuesday wednesday thursday friday saturday sunday january february march april june july august "
        "september october november december montag dienstag mittwoch donnerstag freitag samstag sonntag januar "
        "februar märz juni juli oktober dezember lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes "
        "miércoles jueves viernes sábado domingo enero febrero marzo abril mayo junio julio agosto septiembre "
        "octubre noviembre diciembre english french german spanish italian dutch polish russian chinese japanese "
        "american british european african asian indian canadian australian portuguese swedish turkish christmas "
        "easter latin arabic greek jewish muslim christian korean vietnamese mexican brazilian irish scottish welsh "
        "thai kenyan nigerian egyptian russian swiss austrian belgian danish norwegian finnish hungarian czech slovak "
        "romanian bulgarian croatian serbian ukrainian persian iranian iraqi israeli pakistani indonesian malaysian "
        "filipino argentine chilean colombian peruvian cuban moroccan algerian tunisian ethiopian ghanaian deutsch "
        "englisch französisch anglais français allemand español inglés alemán italiano"
    ),
    _set(
        "wife husband brother sister son daughter mother father mom mum dad uncle aunt cousin friend colleague boss "
        "neighbour neighbor manager partner roommate teacher assistant secretary nurse frau mann bruder schwester "
        "tochter sohn mutter vater freund freundin kollege kollegin chef techniker femme mari frère soeur sœur fils "
        "fille ami amie collègue mujer marido hermano hermana hijo hija madre padre amigo amiga moglie marito "
        "fratello sorella figlio figlia amico amica vrouw broer zus zoon dochter girlfriend boyfriend fiancé "
        "grandmother grandfather niece nephew"
    )
    - _set("frau son"),
    _set(
        "said says asked asks told tells wrote writes called calls replied replies answered thinks thought wants "
        "wanted needs needed likes loves knows knew lives lived works worked came comes went goes left moved met "
        "ordered paid sent signed booked bought got gave given took takes forgot lost found reported opened closed "
        "scored teaches taught studied plays played shouted spent became listed agreed explained sagt sagte schrieb "
        "möchte will kommt wohnt arbeitet dit demande demandé habite travaille veut dice dijo llamó vive trabaja "
        "quiere ha dice vuole vive lavora ringde belde zegt ligou disse who whom talking speaking visited"
    )
    - _set("will ha called"),
    _set(
        "ask tell call contact thank thanked met meet invite invited visited email phone inform remind add remove "
        "told asked gave give sent send show help helped saw see spoke speak talked talk talking to frag fragen "
        "kontaktieren contacter demander parlé avertir avisar contactar hablé pregunta chiedi contattare saying "
        "starring directed written reported assigned married meeting"
    )
    - _set("to told asked"),
    _set("he she i you we they it who ich er sie wir je il elle nous vous tu yo él ella io lui lei ik hij zij"),
    _set(
        "why where when what how whom does did is can could do warum wann wo wie pourquoi quand où comment cuándo dónde"
    )
    - _set("is can could does did do"),
    _set(
        "concert novel song album book film movie fan family account case report office house team version record "
        "address show story poem painting letter painting fund konto familie buch fall cuenta compte famille famiglia"
    ),
)
"""What class n plus one has: titles, particles, greetings, closings, prepositions of place, others, articles, whose it
is, auxiliaries, conjunctions, labels, what firms end in, what places end in, calendar and nations, kin and trades, what
persons do, what is done to them, pronouns, questions, things that have a person's name."""

OF_PLACES = _set(
    "traße trasse gatan vägen vegen straat laan gasse platz katu gata weg allee stadt dorf hausen ville polis grad "
    "shire plein utca steeg kade"
)
"""Endings of streets and towns, six letters at most."""
