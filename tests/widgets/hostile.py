"""Twenty-five ways to be something else than text, and what of each is left to be read."""

HOSTILE = {
    "<script>alert(1)</script>": "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>": "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>": "<svg/onload=alert(1)>",
    "<iframe src=//evil.invalid></iframe>": "<iframe src=//evil.invalid></iframe>",
    "<a href=javascript:alert(1)>x</a>": "<a href=javascript:alert(1)>x</a>",
    "<style>*{color:url(//e.invalid)}</style>": "<style>*{color:url(//e.invalid)}</style>",
    "\"' onmouseover='alert(1)": "\"' onmouseover='alert(1)",
    "</code></td></table></section><h1>out": "</code></td></table></section><h1>out",
    "javascript:alert(1)": "javascript:alert(1)",
    "]]><!-- ${alert(1)} {{alert(1)}}": "]]><!-- ${alert(1)} {{alert(1)}}",
    "&lt;b&gt; &amp; &#60;": "&lt;b&gt; &amp; &#60;",
    "\x1b[31mred\x1b[0m": "red",
    "\x1b]8;;https://evil.invalid\x1b\\click\x1b]8;;\x1b\\": "click",
    "\x1b]0;title\x07after": "after",
    "\x1b]52;c;aGk=\x07clip": "clip",
    "\x1bP1$r0m\x1b\\dcs": "dcs",
    "\x1b[8mhidden\x1b[0m \x1b[30;40mblack on black\x1b[0m": "hidden black on black",
    "\x1b[31m\x1b]8;;https://evil.invalid\x07red link\x1b]8;;\x07\x1b[0m": "red link",
    "\x1b[2J\x1b[H\x1b[9999Amoved\x1b[?1049h\x1b[5mblink": "movedblink",
    '\x1b[31\x00m\x1b[<script>m\x1b[1;31" onmouseover=alert(1)m': (
        "31⟨U+0000⟩mcript>mnmouseover=alert(1)m"
    ),
    "\x1b[38;2;1;2;3;url(//evil.invalid)mstyled\x1b[m": "rl(//evil.invalid)mstyled",
    "user\u202etxt.exe": "user⟨U+202E⟩txt.exe",
    "a\u2066b\u2069c": "a⟨U+2066⟩b⟨U+2069⟩c",
    "nul\x00byte": "nul⟨U+0000⟩byte",
    "10 %\r100 %": "100 %",
}
