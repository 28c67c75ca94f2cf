"""Addresses of the network: IP, MAC, URL."""

from __future__ import annotations

import random
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envclone.masking import network
from envclone.masking.email import EmailMask
from envclone.masking.network import IpMask, MacMask
from envclone.masking.tokens import NameTokens
from envclone.masking.url import UrlMask
from tests.unit.masking.conftest import KEY

IP, MAC = IpMask(KEY), MacMask(KEY)
NAMES = NameTokens(KEY)
EMAIL = EmailMask(NAMES)
URL = UrlMask(NAMES, EMAIL)


def shared(a: str, b: str) -> int:
    x, y = ip_address(a), ip_address(b)
    return x.max_prefixlen - (int(x) ^ int(y)).bit_length()


@given(st.ip_addresses(v=4), st.integers(0, 2**32 - 1))
def test_prefixes_are_kept_together(one: object, other: int) -> None:
    a, b = str(one), str(ip_address(int(one) ^ other >> other % 32))  # type: ignore[call-overload]
    assert shared(*IP.mask([a, b])) == shared(a, b)


@given(st.ip_addresses(v=6), st.integers(0, 127))
def test_prefixes_are_kept_together_in_version_6(one: object, bit: int) -> None:
    a, b = str(one), str(ip_address(int(one) ^ 1 << bit).exploded)  # type: ignore[call-overload]
    if all(int(ip_address(text)) >> 48 for text in (a, b)):  # apart from IPv4 in IPv6
        assert shared(*IP.mask([a, b])) == shared(a, b)


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_an_address_stays_in_its_class(one: object) -> None:
    before, after = ip_address(str(one)), ip_address(IP.mask([str(one)])[0])
    for trait in ("is_loopback", "is_link_local", "is_multicast", "is_unspecified"):
        assert getattr(before, trait) == getattr(after, trait)
    for private in map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fd00::/8")):
        assert (before in private) == (after in private)


@given(st.ip_addresses(v=4), st.integers(9, 31))
def test_a_network_holds_its_hosts(host: object, length: int) -> None:
    network = ip_network(f"{host}/{length}", strict=False)
    masked, *hosts = IP.mask([str(network), f"{host}/{length}", str(host)])
    assert ip_network(masked).prefixlen == length  # still a network: nothing behind its prefix
    assert ip_address(hosts[0].partition("/")[0]) in ip_network(masked)
    assert (str(network) == f"{host}/{length}") == (masked == hosts[0])


def test_loops_and_python_mask_addresses_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(3)
    values = ["", "x", "1.2.3.4, 5.6.7.8", "01.2.3.4", "1.2.3.4/33", "::ffff:1.2.3.4", "0.0.0.0", " 1.2.3.4", "1.2.3/8"]
    for _ in range(300):
        octets = [draw.choice((0, 1, 10, 127, 192, 168, 172, 16, 255, draw.randrange(256))) for _ in range(4)]
        values.append(".".join(map(str, octets)) + (f"/{draw.randrange(33)}" if draw.random() < 0.4 else ""))
        groups = [draw.choice((0, 0x2001, 0xDB8, 0xFE80, draw.randrange(1 << 16))) for _ in range(8)]
        values.append(":".join(f"{g:x}" for g in groups) + (f"/{draw.randrange(129)}" if draw.random() < 0.4 else ""))
    fast = IpMask(KEY).mask(values)
    monkeypatch.setattr(network, "available", lambda: False)
    alone = IpMask(KEY)
    assert fast == [alone._value(value) for value in values]


def test_a_whole_network_is_permuted() -> None:
    hosts = [f"93.184.{i}.{j}" for i in (7, 8) for j in range(256)]
    masked = IP.mask(hosts)
    assert len(set(masked)) == len(hosts)
    assert len({text.rpartition(".")[0] for text in masked}) == 2
    assert not any(a == b for a, b in zip(hosts, masked, strict=True))


def test_spellings() -> None:
    v4 = IP.mask(["93.184.216.34"])[0]
    assert IP.mask(["93.184.216.34:443", "93.184.216.34, 10.0.0.1", "::ffff:93.184.216.34"])[0] == f"{v4}:443"
    assert IP.mask(["93.184.216.34, 10.0.0.1"])[0].startswith(f"{v4}, 10.")
    assert IP.mask(["::ffff:93.184.216.34"])[0] == f"::ffff:{v4}"
    long, short = IP.mask(["2a00:1450:4001:0830:0000:0000:0000:200e", "2a00:1450:4001:830::200e"])
    assert ip_address(long) == ip_address(short)
    assert len(long) == 39
    assert IP.mask(["2A00:1450:4001:830::200E"])[0] == short.upper()
    assert IP.mask(["jane's router"])[0] != "jane's router"


@given(st.binary(min_size=6, max_size=6))
def test_mac_addresses_in_every_notation(data: bytes) -> None:
    masked = MAC.mask([data.hex(":")])[0]
    assert bytes.fromhex(masked.replace(":", ""))[0] & 3 == data[0] & 3
    plain = masked.replace(":", "")
    spellings = [data.hex("-"), data.hex(), f"{data.hex()[:4]}.{data.hex()[4:8]}.{data.hex()[8:]}"]
    assert [text.replace("-", "").replace(".", "") for text in MAC.mask(spellings)] == [plain] * 3


@pytest.mark.parametrize(
    ("url", "start"),
    [
        ("https://jane.doe.example.com:8443/users/jane.doe?mail=jane.doe%40corp.com#top", "https://"),
        ("mailto:jane.doe@corp.com", "mailto:"),
        ("//cdn.example.org/a.png", "//"),
        ("http://jane:doe@10.0.0.1/x", "http://"),
        ("ftp://[2001:db8::1]/a", "ftp://["),
        ("no url, just Jane", ""),
    ],
)
def test_urls_keep_their_form(url: str, start: str) -> None:
    masked = URL.mask([url])[0]
    assert len(masked) == len(url)
    assert masked.startswith(start)
    assert [c for c in masked if not c.isalnum()] == [c for c in url if not c.isalnum()]
    assert "jane" not in masked.lower()


def test_a_url_names_persons_as_their_columns_do() -> None:
    jane, doe = NAMES.mask(["jane", "doe"])
    masked = URL.mask(["https://corp.com/users/jane.doe?mail=jane.doe%40corp.com&n=J%C3%BCrgen&m=%6Aane"])[0]
    assert f"/{NAMES.text('users')}/{jane}.{doe}?" in masked
    assert f"={EMAIL.mask(['jane.doe@corp.com'])[0].partition('@')[0]}%40" in masked
    assert NAMES.text("Jürgen").encode().hex()[2:6].upper() in masked.replace("%", "")
    assert masked.startswith(f"https://{EMAIL.mask(['x@corp.com'])[0].partition('@')[2]}/")
    assert f"=%{ord(jane[0]):02X}{jane[1:]}" in masked
