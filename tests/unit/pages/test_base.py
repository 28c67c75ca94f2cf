"""What pages share: text that is only text, and a policy that lets nothing in."""

from __future__ import annotations

import base64
import hashlib
import re

from envclone.pages.base import document, fold, plain, table


def test_text_is_only_text() -> None:
    assert plain("<b>&\"'") == "&lt;b&gt;&amp;&quot;&#x27;"
    assert plain("a\u202eb\x1b[31m\x00\u2066") == "a\\u202eb\\x1b[31m\\x00\\u2066"
    assert plain("\ud800") == "\\ud800"
    assert plain("مرحبا 中文 é") == "مرحبا 中文 é"
    assert plain("e" + "\u0301" * 90) == "e" + "\u0301" * 4
    assert plain("x" * 50, 10) == "x" * 9 + "…"
    assert plain("<" * 50, 10).count("&lt;") == 9


def test_the_policy_names_the_style_alone() -> None:
    page = document("t", "<main></main>", style="main { color: red }")
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def test_tables_and_folds_escape_what_they_show() -> None:
    shown = table(("a<", "b"), [("<i>", ""), ("x", "y")], caption="<c>")
    assert "<i>" not in shown and "<c>" not in shown and '<th scope="col">a&lt;</th>' in shown
    assert '<td data-of="b" class="none"></td>' in shown
    assert "<thead>" not in table(("", ""), [("x", "y")])
    assert fold("<s>", "<p>", note="<n>") == "<details><summary>&lt;s&gt; <span>&lt;n&gt;</span></summary><p></details>"
