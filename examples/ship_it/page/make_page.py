"""make_page.py TEMPLATE MODULE PAGE: a page with a WebAssembly module in it, which needs no server."""

import base64
import sys

template, module, page = sys.argv[1:]
with open(template, encoding="utf-8") as file:
    text = file.read()
with open(module, "rb") as file:
    text = text.replace("@MODULE@", base64.b64encode(file.read()).decode())
with open(page, "w", encoding="utf-8") as file:
    file.write(text)
