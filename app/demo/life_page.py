"""One contract's life as one HTML file that opens without a network: both languages, every invoice with its working."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from html import escape

from app.demo.biography import Biography
from app.demo.life_told import amount, formula_in_words
from app.demo.plot import DEMONSTRATION
from app.demo.replay import MONTHS_LATER
from app.demo.terminal import number
from contracts.price_formula import PriceFormula
from contracts.wording import Text
from contracts.working import shown

PAGE = """<!doctype html>
<html lang="zh">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>长单 Changdan · {number}</title>
<style>
body{{margin:0;background:#eef1f4;color:#1d2733;font:15px/1.5 "Inter","Segoe UI","Noto Sans","Noto Sans CJK SC",\
"PingFang SC","Microsoft YaHei",sans-serif}}
main{{max-width:1080px;margin:0 auto;padding:28px 32px 60px;background:#fff}}
h1{{font-size:24px;margin:0 0 4px}}
h2{{font-size:17px;margin:34px 0 8px;border-bottom:1px solid #cdd5dd;padding-bottom:4px}}
p.mark{{background:#fff4dc;border:1px solid #e6c877;border-radius:6px;padding:10px 14px}}
table{{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}}
th{{text-align:left;font-weight:600;color:#66717d;border-bottom:1px solid #cdd5dd;padding:4px 8px;font-size:13px}}
td{{padding:4px 8px;border-bottom:1px solid #eef1f4;vertical-align:top}}
th.n,td.n{{text-align:right;white-space:nowrap}}
ol{{margin:4px 0 12px;padding-left:22px;color:#33414f}}
li span{{color:#66717d;display:block;font-size:13px}}
h3{{font-size:15px;margin:18px 0 4px}}
@media print{{body{{background:#fff}}main{{padding:0}}}}
</style>
</head>
<body><main>
{body}
</main></body>
</html>
"""
WORDS = {
    "seller": "卖方",
    "buyer": "买方",
    "staff": "审核员",
    "senior staff": "高级审核员",
    "system": "系统",
    "matcher": "撮合",
    "provisional": "暂付",
    "final": "结算",
    "correction": "更正",
    "claim": "索赔",
    "interest": "利息",
    "take or pay": "照付不议",
    "supply or pay": "照供不误",
    "late damages": "迟交违约金",
    "goods": "货款",
    "freight": "运费",
    "quality": "质量",
}


def page(life: Biography) -> str:
    """The whole file."""
    parts = (_head(life), _moves(life), _deliveries(life), _prices(life), _invoices(life), _ends(life))
    body = "\n".join(line for part in parts for line in part)
    return PAGE.format(number=escape(life.contract.number), body=body)


def _head(life: Biography) -> Iterator[str]:
    contract, terms = life.contract, life.terms
    names = " → ".join(f"{escape(one.name_zh)} {escape(one.name_en)}" for one in (contract.seller, contract.buyer))
    yield f"<h1>{names}</h1>"
    yield f"<p>{escape(contract.number)} · {terms.first_period} – {terms.last_period} · {_tonnes(life)}</p>"
    yield f'<p class="mark">{escape(DEMONSTRATION.zh)}<br>{escape(DEMONSTRATION.en)}</p>'
    if isinstance(terms.price, PriceFormula):
        yield f"<p>价格 Price: {escape(formula_in_words(terms.price))}</p>"
    for document in life.signed:
        yield f"<p>第 {document.number} 版 version {document.number}: <code>{document.terms_hash}</code></p>"


def _tonnes(life: Biography) -> str:
    return f"{number(life.terms.total_lots * life.terms.lot.size)} {life.terms.lot.unit}"


def _moves(life: Biography) -> Iterator[str]:
    yield "<h2>经过 Moves</h2>"
    rows = ((str(one.day or "夜间 the night"), _both(one.who), f"{one.what.zh} {one.what.en}") for one in life.moves)
    yield from _table(("日期 day", "谁 who", "动作 move"), rows)


def _deliveries(life: Biography) -> Iterator[str]:
    yield f"<h2>数量 Quantities, {life.terms.lot.unit}</h2>"
    head = ("月 month", "提名 called", "确认 confirmed", "发运 shipped", "", "收货 received", "", "检验 assay, %")
    rows: list[tuple[str, ...]] = []
    for one in life.deliveries:
        call_off, goods = one.call_off, one.call_off.consignment
        found = "" if one.determination is None else f"{' / '.join(map(shown, one.results))} = "
        assay = "—" if one.determination is None else found + shown(one.determination.value)
        lots = (call_off.nominated_lots, call_off.confirmed_lots, call_off.shipped_lots, call_off.received_lots)
        called, confirmed, shipped, received = (number(count or 0) for count in lots)
        days = (None, None) if goods is None else (goods.shipped_on, goods.received_on)
        rows.append((call_off.month, called, confirmed, shipped, _day(days[0]), received, _day(days[1]), assay))
    for line in life.periods:
        own, excused = line.own, life.excused(line.period)
        note = f"计划 scheduled {number(own.original)}" + (f", 免除 excused {number(excused)}" if excused else "")
        sums = tuple(map(number, (own.nominated, own.confirmed)))
        rows.append((str(line.period), *sums, "", "", number(own.delivered), "", note))
    yield from _table(head, rows, figures={1, 2, 3, 5})


def _prices(life: Biography) -> Iterator[str]:
    yield "<h2>指数与价格 Fixings and prices, CNY/t</h2>"
    held = {"floor": "下限 floor", "ceiling": "上限 ceiling", "": ""}
    head = ("月 month", "真实月份 real month", "报价 fixings", "含税均价 mean with tax", "价格 price ex works", "")
    rows = (
        (
            str(one.month),
            str(one.month + -MONTHS_LATER),
            str(one.fixings),
            amount(one.mean),
            amount(one.working.value),
            held[one.held],
        )
        for one in life.prices
    )
    yield from _table(head, rows, figures={2, 3, 4})
    for one in life.prices:
        yield f"<h3>{one.month}</h3>"
        yield from _steps(one.working.steps)


def _invoices(life: Biography) -> Iterator[str]:
    yield "<h2>发票 Invoices, CNY</h2>"
    for one in life.invoices:
        paid = ", ".join(f"{payment.paid_on} {amount(payment.amount)}" for payment in one.payments) or "未付 open"
        yield f"<h3>{one.number}. {_both(one.kind)}, {one.period}, {_both(one.creditor)}: {amount(one.gross)}</h3>"
        yield f"<p>开票 issued {one.issued_on} · 到期 due {one.due_on} · 付款 paid {paid}</p>"
        for line in one.lines:
            yield f"<p>{_both(line.name)}: {amount(line.net)}</p>"
            yield from _steps(_texts(line.steps))
        if one.vat_step is not None:
            yield from _steps(_texts([one.vat_step]))


def _ends(life: Biography) -> Iterator[str]:
    yield "<h2>索赔、不可抗力、照付不议 Claim, force majeure, take or pay</h2>"
    for notice in life.notices:
        event = notice.event
        yield f"<p>{escape(event.description)} {event.began_on} – {event.ended_on}</p>"
    for claim in life.claims:
        awarded = amount(claim.amount_awarded or Decimal(0))
        yield f"<p>{escape(claim.statement)} {amount(claim.amount_claimed)} → {awarded} CNY ({claim.state})</p>"
        yield f"<p>{escape(claim.defence or '')}</p>"
    if life.position is not None:
        yield from _steps([life.position.step])


def _both(code: str) -> str:
    """A code in Chinese and English."""
    name = code.replace("_", " ")
    return f"{WORDS.get(name, '')} {name}".strip()


def _steps(steps: Iterable[Text]) -> Iterator[str]:
    listed = "".join(f"<li>{escape(step.zh)}<span>{escape(step.en)}</span></li>" for step in steps)
    yield f"<ol>{listed}</ol>"


def _texts(steps: Iterable[Mapping[str, str]]) -> Iterator[Text]:
    return (Text(step["zh"], step["en"]) for step in steps)


def _day(day: dt.date | None) -> str:
    return "" if day is None else day.isoformat()


def _table(
    head: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, figures: Iterable[int] = frozenset()
) -> Iterator[str]:
    """Columns named in `figures` are set to the right."""
    right = set(figures)

    def cells(tag: str, row: tuple[str, ...]) -> str:
        kinds = (' class="n"' if at in right else "" for at in range(len(row)))
        return "".join(f"<{tag}{kind}>{escape(text)}</{tag}>" for kind, text in zip(kinds, row, strict=True))

    yield f"<table><thead><tr>{cells('th', head)}</tr></thead><tbody>"
    for row in rows:
        yield f"<tr>{cells('td', row)}</tr>"
    yield "</tbody></table>"
