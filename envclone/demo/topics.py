"""What the desk writes about: everyday topics, and the products that each have an article of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

__all__ = ["SECTIONS", "TOPICS", "Article", "articles"]

_TOPICS = {
    "billing": "invoice charge statement amount billing cycle prorated balance ledger receipt overdue tax",
    "refunds": "refund return credit reimbursement cancelled purchase warranty exchange policy approve",
    "shipping": "parcel courier delivery tracking warehouse customs delayed shipment dispatch depot label",
    "login": "password login locked reset two-factor authenticator session expired verification sign-in",
    "email": "mailbox inbox spam forwarding bounce newsletter signature attachment sender unsubscribe",
    "mobile": "app phone android iphone notification update crash tablet screen battery install",
    "network": "router wifi connection latency outage firewall vpn bandwidth disconnects signal",
    "accounts": "profile account username merge duplicate close deactivate ownership transfer settings",
    "reports": "report dashboard export spreadsheet chart filter column totals monthly figures",
    "integrations": "webhook api token integration sync connector endpoint payload retry mapping",
    "payments": "card payment declined bank transfer sepa mandate instalment checkout wallet",
    "subscriptions": "plan subscription upgrade downgrade seats renewal trial licence annual quota",
    "privacy": "consent data privacy deletion request retention export cookies disclosure record",
    "scheduling": "appointment calendar booking reschedule slot reminder timezone visit technician",
    "documents": "document contract template upload scan signature version folder archive page",
    "inventory": "stock item supplier order backorder shelf quantity catalogue barcode count",
    "training": "course lesson webinar certificate onboarding tutorial workshop trainer materials",
    "hardware": "keyboard monitor docking charger cable adapter printer scanner headset replacement",
    "chat": "chat message conversation transcript bot agent reply queue typing handover",
    "feedback": "survey rating complaint suggestion experience service response compliment review",
}
TOPICS: dict[str, tuple[str, ...]] = {topic: tuple(words.split()) for topic, words in _TOPICS.items()}

_DEVICES = (
    "label-printer barcode-scanner payment-terminal cash-drawer receipt-printer badge-reader "
    "conveyor forklift thermostat door-lock time-clock weighing-scale router-box signage-display "
    "pallet-sensor cold-store-probe"
)
SYMPTOMS: tuple[tuple[str, str], ...] = (
    ("stops responding", "heartbeat watchdog timeout"),
    ("drifts out of calibration", "calibration offset drift"),
    ("overheats under load", "thermal fan temperature"),
    ("loses its pairing", "bluetooth pairing handshake"),
    ("restarts on its own", "reboot brownout voltage"),
    ("shows a blank display", "backlight panel ribbon"),
    ("jams at the feeder", "roller feeder jam"),
    ("rejects its firmware", "firmware checksum rollback"),
    ("reports a full memory", "flash memory log"),
    ("prints garbled characters", "encoding codepage glyph"),
    ("double-counts events", "debounce duplicate counter"),
    ("fails its self-test", "self-test diagnostics relay"),
)
SECTIONS: tuple[tuple[str, str], ...] = (
    ("symptoms", "The fault appears without warning and the status lamp blinks twice."),
    ("cause", "The usual cause is a worn part together with an old release."),
    ("quick fix", "Hold the power key for ten seconds and wait for the tone."),
    ("full fix", "Replace the part, then run the service menu to its end."),
    ("safety", "Unplug the unit before opening its cover."),
    ("spare parts", "Order the kit from the spare parts list and quote the code."),
    ("older models", "Older units need the bridge connector in addition."),
    ("remote sites", "Remote sites send the unit in with the prepaid box."),
    ("verification", "The fault is gone when the lamp stays green for an hour."),
    ("escalation", "Escalate to the second line when it comes back within a week."),
    ("warranty", "The repair is covered for units younger than three years."),
    ("checklist", "Tick off each step and attach the list to the ticket."),
    ("history", "First seen after the spring release and fixed in autumn."),
    ("related codes", "Neighbouring codes point at the same board."),
)
_SYLLABLES = "bal cor den fal gar hel ith jor kes lun mar nor orb pel quo ras sel tor ulm var wex yar zen dro fen gol"


@dataclass(frozen=True, slots=True)
class Article:
    """A knowledge-base article on one fault of one product; few people ever ask for it."""

    number: int
    model: str
    device: str
    symptom: str
    terms: str
    code: str

    @property
    def question(self) -> str:
        """What a customer with that fault asks."""
        return f"Our {self.model} {self.device} {self.symptom} and shows {self.code}, what can we do?"

    @property
    def tags(self) -> list[str]:
        """The tags of its chunks."""
        return [self.device, self.code.lower()]

    def chunks(self, random: Random, count: int) -> Iterator[tuple[str, str]]:
        """Title and body of `count` of its chunks."""
        for section, advice in random.sample(SECTIONS, min(count, len(SECTIONS))):
            title = f"{self.model} {self.device} {self.code}: {section}"
            body = (
                f"{self.code} on the {self.model} {self.device}. The {self.model} {self.symptom}"
                f" ({self.terms}). {advice} See {self.code} in the {self.model} manual."
            )
            yield title, body


def articles(random: Random, count: int) -> list[Article]:
    """Make `count` articles, each about a model of its own."""
    devices, syllables = _DEVICES.split(), _SYLLABLES.split()
    models: dict[str, None] = {}
    while len(models) < count:
        name = "".join(random.choices(syllables, k=random.choice((2, 3))))
        models.setdefault(name.capitalize())
    made = []
    for number, model in enumerate(models, start=1):
        symptom, terms = random.choice(SYMPTOMS)
        code = f"NW-{''.join(random.choices('ABCDEFGHKLMNPRSTUVWXYZ', k=2))}{number:04}"
        made.append(Article(number, model, random.choice(devices), symptom, terms, code))
    return made
