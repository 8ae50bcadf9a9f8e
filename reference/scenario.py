"""The reference scenario: real volumes of the lithium-ion battery chain with synthetic prices and terms.

Nothing here is an offer of any real firm. Volumes come from the reference tables by the rule of volumes.py; reserve
prices, terms, certificates, exclusions and quotas are drawn from the seed and mean nothing about the firms named.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from market.periods import Horizon

from . import prices, terms
from . import rows as r
from .freight import GATEWAY, Tariff, freight_table
from .offers import ConversionInput, CorridorQuota, Exclusion, Scenario, ScenarioFirm, ScenarioGrade, ScenarioOffer
from .tables import Tables, load
from .volumes import KWH_PER_GWH, Chain, OpenVolume

HORIZON = Horizon.parse([f"{year}-Q{quarter}" for year in (2027, 2028) for quarter in (1, 2, 3, 4)])
EXCLUSIONS = 5
# Two examples of a quota set by staff; synthetic.
CORRIDORS = (
    CorridorQuota(product="lithium_carbonate", from_region="CL", to_region="CN-HN", limit=6000),
    CorridorQuota(product="spodumene_concentrate", from_region="AU", to_region="CN-JX", limit=60000),
)
LETTER = {"sell": "S", "buy": "B", "conversion": "C"}


def derive(seed: int = 2027, tables: Tables | None = None) -> Scenario:
    """Derive the scenario from the tables of facts. The same seed and facts give the same scenario.

    :raises market.errors.BadInput: a table is faulty.
    """
    facts = tables or load()
    maker = _Maker(seed, facts)
    offers = sorted((offer for volume in maker.chain.volumes() for offer in maker.offers(volume)), key=_by_code)
    tiers = _tiers(facts, offers)
    return Scenario(
        seed=seed,
        horizon=HORIZON,
        firms=tuple(_firm(seed, row, tiers[row.firm]) for row in facts.firms if row.firm in tiers),
        grades=tuple(
            ScenarioGrade(product=row.product, grade=row.grade, rank=row.rank, lot=row.lot, unit=row.unit)
            for row in facts.grades
        ),
        offers=tuple(offers),
        freight=freight_table(facts, offers),
        corridors=CORRIDORS,
        exclusions=_exclusions(seed, offers),
    )


class _Maker:
    """Turns open volumes into offers."""

    def __init__(self, seed: int, facts: Tables) -> None:
        self.seed, self.facts, self.chain = seed, facts, Chain(facts)
        self.products = {row.product: row for row in facts.products}
        self.grades = {(row.product, row.grade): row for row in facts.grades}
        self.regions = {row.site: row.region for row in facts.sites}
        self.countries = {row.region: row.country for row in facts.regions}
        self.spreads = {row.product: row for row in facts.spreads}
        self.reference, self.fees = prices.reference_prices(facts), prices.fees(facts)
        self.tariff = Tariff(facts)
        self.gwh: dict[str, Decimal] = defaultdict(Decimal)
        for (firm, _), kwh in self.chain.cells().items():
            self.gwh[firm] += kwh / KWH_PER_GWH
        self.limits: dict[tuple[str, str], list[r.Attribute]] = defaultdict(list)
        for row in facts.attributes:
            self.limits[row.product, row.grade].append(row)

    def offers(self, volume: OpenVolume) -> list[ScenarioOffer]:
        """One or two offers of a volume: large ones in a long-term and a flexible tranche."""
        value = volume.per_year * self.reference[volume.product]
        term_share = self.facts.assumption("term_share")
        parts = [("term", Decimal(1))]
        if volume.side != "conversion" and value >= self.facts.assumption("split_from"):
            parts = [("term", term_share), ("flex", 1 - term_share)]
        elif value < self.facts.assumption("split_from") / 10:
            parts = [("flex", Decimal(1))]
        made = (self._offer(volume, tranche, share) for tranche, share in parts)
        return [offer for offer in made if offer is not None]

    def _offer(self, volume: OpenVolume, tranche: str, share: Decimal) -> ScenarioOffer | None:
        """The offer of one tranche, or None where a quarter's part is less than a lot."""
        code = f"{LETTER[volume.side]}-{volume.site}-{volume.product}-{volume.grade}-{tranche}"
        lot = self.grades[volume.product, volume.grade].lot
        first, last = terms.window(self.seed, code)
        ramp = terms.ramp(self.seed, code, volume.side)[first : last + 1]
        quantity = tuple(int(volume.per_year * share / 4 * part / lot) * lot for part in ramp)
        if min(quantity) == 0:
            return None
        region = self.regions[volume.site]
        least, greatest = terms.lengths(self.seed, code, tranche, len(quantity))
        labels = HORIZON.labels()
        is_buy = volume.side == "buy"
        return ScenarioOffer(
            offer=code,
            side=volume.side,
            firm=volume.firm,
            site=volume.site,
            region=region,
            product=volume.product,
            grade=volume.grade,
            first_period=labels[first],
            last_period=labels[last],
            quantity=quantity,
            price=self._prices(code, volume, region, first, last),
            min_term=least,
            max_term=greatest,
            max_share=terms.largest_share(self.seed, code, volume.product, self.gwh[volume.firm])
            if is_buy
            else terms.FULL_SHARE,
            specification=terms.specification(self.seed, code, volume.side, self.limits[volume.product, volume.grade]),
            certificates=terms.required(
                self.seed, code, volume.product, self.products[volume.product].tier, self.countries[region]
            )
            if is_buy
            else (),
            inputs=self._inputs(volume, min(quantity)),
            basis=volume.basis,
        )

    def _prices(self, code: str, volume: OpenVolume, region: str, first: int, last: int) -> tuple[Decimal, ...]:
        """Reserve price or fee per period of the window, CNY per unit, tax excluded.

        The reference holds in China. A seller abroad nets the freight to the gateway off it, a buyer abroad adds it.
        """
        product, spread = volume.product, self.spreads[volume.product]
        factor = terms.price_factor(self.seed, code, volume.side, spread, self.spreads["fee"])
        step = terms.yearly_step(self.seed, code, product)
        if volume.side == "conversion":
            base, step = self._fee(volume) * factor, Decimal(1)
        else:
            base = self.reference[product] * self.grades[product, volume.grade].price_factor * factor
            if self.countries[region] != "CN":
                way = self.tariff.per_unit(product, region, GATEWAY)
                base += way if volume.side == "buy" else -min(way, base / 2)
        unit = self.products[product].unit
        return tuple(prices.to_step(base * (step if position >= 4 else 1), unit) for position in range(first, last + 1))

    def _fee(self, volume: OpenVolume) -> Decimal:
        """Reference fee; hydroxide from carbonate has its own, and a better grade's premium is its processor's."""
        if volume.product == "lithium_hydroxide" and volume.inputs[0].product == "lithium_carbonate":
            return self.fees["causticising"]
        premium = self.reference[volume.product] * (self.grades[volume.product, volume.grade].price_factor - 1)
        return self.fees[volume.product] + premium

    def _inputs(self, volume: OpenVolume, capacity: int) -> tuple[ConversionInput, ...]:
        found = []
        for needed in volume.inputs:
            lot = self.grades[needed.product, needed.grade].lot
            stock = int(capacity * needed.quantity_per_output * needed.own_share / lot) * lot
            found.append(
                ConversionInput(
                    product=needed.product,
                    grade=needed.grade,
                    quantity_per_output=needed.quantity_per_output,
                    own_stock_per_period=stock,
                )
            )
        return tuple(found)


def _by_code(offer: ScenarioOffer) -> str:
    return offer.offer


def _tiers(facts: Tables, offers: list[ScenarioOffer]) -> dict[str, frozenset[str]]:
    """Tiers of what each firm with an offer sells or converts to."""
    tier = {row.product: row.tier for row in facts.products}
    found: dict[str, set[str]] = {offer.firm: set() for offer in offers}
    for offer in offers:
        if offer.side != "buy":
            found[offer.firm].add(tier[offer.product])
    return {firm: frozenset(tiers) for firm, tiers in found.items()}


def _firm(seed: int, row: r.Firm, tiers: frozenset[str]) -> ScenarioFirm:
    return ScenarioFirm(
        firm=row.firm,
        name_zh=row.name_zh,
        name_en=row.name_en,
        country=row.country,
        group=row.group,
        roles=tuple(row.roles.split()),
        credit_code=row.credit_code,
        registration_number=row.registration_number,
        aggregate=row.aggregate,
        certificates=terms.held(seed, row, tiers, HORIZON.labels()),
    )


def _exclusions(seed: int, offers: list[ScenarioOffer]) -> tuple[Exclusion, ...]:
    """A few pairs of firms that could trade, drawn from the seed; synthetic."""
    buyers: dict[str, set[str]] = defaultdict(set)
    for offer in offers:
        if offer.side == "buy":
            buyers[offer.product].add(offer.firm)
    pairs = {
        (offer.firm, buyer)
        for offer in offers
        if offer.side == "sell"
        for buyer in buyers[offer.product]
        if buyer != offer.firm
    }
    chosen = terms.draw(seed, "exclusions").sample(sorted(pairs), EXCLUSIONS)
    return tuple(Exclusion(firm_a=seller, firm_b=buyer) for seller, buyer in sorted(chosen))
