"""The chain's picture as one HTML file that opens without a network, in both languages."""

from __future__ import annotations

from app.demo.chain import Chain
from app.demo.drawing import draw

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>长单 Changdan · flows of the chain</title>
<style>
body{margin:0;background:#eef1f4}
main{max-width:1760px;margin:0 auto;padding:14px 20px 28px}
main svg{display:block;width:100%;height:auto;border-radius:8px;box-shadow:0 1px 5px #1d273326}
nav{display:flex;gap:4px;justify-content:flex-end;margin-bottom:10px;font:14px system-ui,sans-serif}
input{position:absolute;opacity:0}
label{padding:4px 12px;border-radius:14px;cursor:pointer;color:#4a5661}
input:checked+label{background:#1d2733;color:#fff}
input:focus-visible+label{outline:2px solid #2f7fb5;outline-offset:2px}
main:has(#zh:checked) svg[lang=en],main:has(#en:checked) svg[lang=zh]{display:none}
svg.lit .l path{fill-opacity:.1}
svg.lit .l path.lit{fill-opacity:.75}
</style>
</head>
<body>
<main>
<nav>
<input type="radio" name="language" id="zh" checked><label for="zh" lang="zh">中文</label>
<input type="radio" name="language" id="en"><label for="en">English</label>
</nav>
{pictures}
</main>
<script>
for (const svg of document.querySelectorAll("svg")) {
  const light = (box) => {
    svg.classList.toggle("lit", Boolean(box));
    for (const path of svg.querySelectorAll(".l path"))
      path.classList.toggle("lit", Boolean(box) && path.dataset.ends.split(" ").includes(box.dataset.box));
  };
  svg.addEventListener("mouseover", (event) => light(event.target.closest("rect[data-box]")));
  svg.addEventListener("mouseleave", () => light(null));
}
</script>
</body>
</html>
"""


def page(chain: Chain, *, periods: str) -> str:
    """The page of a chain's picture; `periods` is the horizon as people write it."""
    pictures = (draw(chain, language=language, periods=periods) for language in ("zh", "en"))
    return PAGE.replace("{pictures}", "\n".join(pictures))
