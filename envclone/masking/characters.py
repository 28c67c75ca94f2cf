"""Characters that stand for others: invisible ones, letters and digits of another form, lookalikes, misread bytes."""

from __future__ import annotations

__all__ = [
    "ALIKE",
    "COMPATIBLE",
    "DIGITS",
    "FANCY",
    "INVISIBLE",
    "LEADS",
    "LOOKALIKES",
    "SMALL_NUMBERS",
    "TAILS",
    "TWINS",
]
__all__ += ["ZEROS"]

INVISIBLE = (
    "\u00ad\u034f\u0483-\u0489\u061c\u115f\u1160\u180b-\u180e\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2064\u2066-\u206f\u20d0-\u20f0\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e007f"
)
COMPATIBLE = (
    "\ufe50-\ufe6b\u00aa\u00ba\u02b0-\u02b8\u02e0-\u02e4\u1d2c-\u1d6a\u1d78\u1d9b-\u1dbf\u2070-\u209c\u2100-\u214f"
    "\u2460-\u24ea\u3000\ufb00-\ufb06\uff01-\uff9f\uffe0-\uffe6\U0001d400-\U0001d7ff\U0001f130-\U0001f149"
)
TWINS = {
    **dict(zip("\u1d00\u0299\u1d04\u1d05\u1d07\ua730\u0262\u029c\u026a\u1d0a\u1d0b\u029f\u1d0d\u0274\u1d0f\u1d18"
               "\u0280\ua731\u1d1b\u1d1c\u1d20\u1d21\u028f\u1d22", "abcdefghijklmnoprstuvwyz", strict=True)),
    **{chr(0x249C + i): chr(ord("a") + i) for i in range(26)},
    **{chr(begin + i): chr(ord("A") + i) for begin in (0x1F110, 0x1F150, 0x1F170, 0x1F1E6) for i in range(26)},
}  # fmt: skip
"""Letters in small capitals, brackets, circles, squares and flags."""
FANCY = "".join(TWINS)
LOOKALIKES = dict(
    zip("\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u043a\u0456\u0458\u0455\u0501\u04bb\u04cf\u051b\u051d\u0475"
        "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405"
        "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf\u03bd\u03b9\u03c1"
        "\u03b1", "aeopcyxkijsdhlqwvABEKMHOPCTYXIJSABEZHIKMNOPTYXovipa", strict=True)
)  # fmt: skip
"""Letters of Cyrillic and Greek that look like Latin ones, and are read as such where one stands beside them."""
ALIKE = "".join(LOOKALIKES)
"""The letters that look like others."""
ZEROS = (
    "\u0660\u06f0\u07c0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0de6\u0e50\u0ed0\u0f20\u1040\u1090\u17e0"
    "\u1810\u1946\u19d0\u1a80\u1a90\u1b50\u1bb0\u1c40\u1c50\ua620\ua8d0\ua900\ua9d0\ua9f0\uaa50\uabf0\U000104a0"
    "\U00010d30\U00011066\U000110f0\U00011136\U000111d0\U000112f0\U00011450\U000114d0\U00011650\U000116c0\U00011730"
    "\U000118e0\U00011950\U00011c50\U00011d50\U00011da0\U00016a60\U00016ac0\U00016b50\U0001e140\U0001e2f0\U0001e950"
    "\U0001fbf0"
)
DIGITS = "".join(f"{zero}-{chr(ord(zero) + 9)}" for zero in ZEROS)
TAILS = (
    "\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d\u2018\u2019\u201c"
    "\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178"
)
"""What a byte of UTF-8 behind the first is read as in Windows-1252."""
SMALL_NUMBERS = "\u00b9\u00b2\u00b3"
LEADS = "".join(map(chr, range(0xC2, 0xF5))) + SMALL_NUMBERS
"""Characters that are a sign of a spelling only where one that is not ASCII follows."""
