"""What UBL 2.1 asks of the structure of a document, as far as the exchange writes it.

Facts of the schemas that OASIS publishes with the standard (UBL-Order-2.1.xsd, UBL-Invoice-2.1.xsd,
UBL-CreditNote-2.1.xsd, UBL-CommonAggregateComponents-2.1.xsd, UBL-CommonBasicComponents-2.1.xsd, version os-UBL-2.1 of
4 November 2013): which elements a type has, in which order, how often.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
AGGREGATE, BASIC = f"{UBL}CommonAggregateComponents-2", f"{UBL}CommonBasicComponents-2"
DAY = r"\d{4}-\d\d-\d\d"
NUMBER = r"-?\d+(\.\d+)?"

# "?": at most once, "*": any number, "+": at least once, nothing: exactly once.
SEQUENCES = {
    "Order": (
        "UBLExtensions? UBLVersionID? CustomizationID? ProfileID? ProfileExecutionID? ID SalesOrderID? "
        "CopyIndicator? UUID? IssueDate IssueTime? OrderTypeCode? Note* RequestedInvoiceCurrencyCode? "
        "DocumentCurrencyCode? PricingCurrencyCode? TaxCurrencyCode? CustomerReference? AccountingCostCode? "
        "AccountingCost? LineCountNumeric? ValidityPeriod* QuotationDocumentReference? "
        "OrderDocumentReference* OriginatorDocumentReference? CatalogueReference? "
        "AdditionalDocumentReference* Contract* ProjectReference* Signature* BuyerCustomerParty "
        "SellerSupplierParty OriginatorCustomerParty? FreightForwarderParty? AccountingCustomerParty? "
        "Delivery* DeliveryTerms* PaymentMeans* PaymentTerms* TransactionConditions? AllowanceCharge* "
        "TaxExchangeRate? PricingExchangeRate? PaymentExchangeRate? DestinationCountry? TaxTotal* "
        "AnticipatedMonetaryTotal? OrderLine+"
    ),
    "Invoice": (
        "UBLExtensions? UBLVersionID? CustomizationID? ProfileID? ProfileExecutionID? ID CopyIndicator? UUID? "
        "IssueDate IssueTime? DueDate? InvoiceTypeCode? Note* TaxPointDate? DocumentCurrencyCode? "
        "TaxCurrencyCode? PricingCurrencyCode? PaymentCurrencyCode? PaymentAlternativeCurrencyCode? "
        "AccountingCostCode? AccountingCost? LineCountNumeric? BuyerReference? InvoicePeriod* OrderReference? "
        "BillingReference* DespatchDocumentReference* ReceiptDocumentReference* StatementDocumentReference* "
        "OriginatorDocumentReference* ContractDocumentReference* AdditionalDocumentReference* "
        "ProjectReference* Signature* AccountingSupplierParty AccountingCustomerParty PayeeParty? "
        "BuyerCustomerParty? SellerSupplierParty? TaxRepresentativeParty? Delivery* DeliveryTerms? "
        "PaymentMeans* PaymentTerms* PrepaidPayment* AllowanceCharge* TaxExchangeRate? PricingExchangeRate? "
        "PaymentExchangeRate? PaymentAlternativeExchangeRate? TaxTotal* WithholdingTaxTotal* "
        "LegalMonetaryTotal InvoiceLine+"
    ),
    "CreditNote": (
        "UBLExtensions? UBLVersionID? CustomizationID? ProfileID? ProfileExecutionID? ID CopyIndicator? UUID? "
        "IssueDate IssueTime? TaxPointDate? CreditNoteTypeCode? Note* DocumentCurrencyCode? TaxCurrencyCode? "
        "PricingCurrencyCode? PaymentCurrencyCode? PaymentAlternativeCurrencyCode? AccountingCostCode? "
        "AccountingCost? LineCountNumeric? BuyerReference? InvoicePeriod* DiscrepancyResponse* "
        "OrderReference? BillingReference* DespatchDocumentReference* ReceiptDocumentReference* "
        "ContractDocumentReference* AdditionalDocumentReference* StatementDocumentReference* "
        "OriginatorDocumentReference* Signature* AccountingSupplierParty AccountingCustomerParty PayeeParty? "
        "BuyerCustomerParty? SellerSupplierParty? TaxRepresentativeParty? Delivery* DeliveryTerms* "
        "PaymentMeans* PaymentTerms* TaxExchangeRate? PricingExchangeRate? PaymentExchangeRate? "
        "PaymentAlternativeExchangeRate? AllowanceCharge* TaxTotal* LegalMonetaryTotal CreditNoteLine+"
    ),
    "Party": (
        "MarkCareIndicator? MarkAttentionIndicator? WebsiteURI? LogoReferenceID? EndpointID? "
        "IndustryClassificationCode? PartyIdentification* PartyName* Language? PostalAddress? "
        "PhysicalLocation? PartyTaxScheme* PartyLegalEntity* Contact? Person* AgentParty? "
        "ServiceProviderParty* PowerOfAttorney* FinancialAccount?"
    ),
    "CustomerParty": (
        "CustomerAssignedAccountID? SupplierAssignedAccountID? AdditionalAccountID* Party? DeliveryContact? "
        "AccountingContact? BuyerContact?"
    ),
    "SupplierParty": (
        "CustomerAssignedAccountID? AdditionalAccountID* DataSendingCapability? Party? DespatchContact? "
        "AccountingContact? SellerContact?"
    ),
    "PartyIdentification": "ID",
    "PartyName": "Name",
    "PartyLegalEntity": (
        "RegistrationName? CompanyID? RegistrationDate? RegistrationExpirationDate? CompanyLegalFormCode? "
        "CompanyLegalForm? SoleProprietorshipIndicator? CompanyLiquidationStatusCode? CorporateStockAmount? "
        "FullyPaidSharesIndicator? RegistrationAddress? CorporateRegistrationScheme? HeadOfficeParty? "
        "ShareholderParty*"
    ),
    "Period": "StartDate? StartTime? EndDate? EndTime? DurationMeasure? DescriptionCode* Description*",
    "Contract": (
        "ID? IssueDate? IssueTime? NominationDate? NominationTime? ContractTypeCode? ContractType? Note* "
        "VersionID? Description* ValidityPeriod? ContractDocumentReference* NominationPeriod? "
        "ContractualDelivery?"
    ),
    "DocumentReference": (
        "ID CopyIndicator? UUID? IssueDate? IssueTime? DocumentTypeCode? DocumentType? XPath* LanguageID? "
        "LocaleCode? VersionID? DocumentStatusCode? DocumentDescription* Attachment? ValidityPeriod? "
        "IssuerParty? ResultOfVerification?"
    ),
    "Attachment": "EmbeddedDocumentBinaryObject? ExternalReference?",
    "ExternalReference": (
        "URI? DocumentHash? HashAlgorithmMethod? ExpiryDate? ExpiryTime? MimeCode? FormatCode? EncodingCode? "
        "CharacterSetCode? FileName? Description*"
    ),
    "DeliveryTerms": (
        "ID? SpecialTerms* LossRiskResponsibilityCode? LossRisk* Amount? DeliveryLocation? AllowanceCharge?"
    ),
    "Location": (
        "ID? Description* Conditions* CountrySubentity? CountrySubentityCode? LocationTypeCode? "
        "InformationURI? Name? ValidityPeriod* Address? SubsidiaryLocation* LocationCoordinate*"
    ),
    "PaymentTerms": (
        "ID? PaymentMeansID* PrepaidPaymentReferenceID? Note* ReferenceEventCode? SettlementDiscountPercent? "
        "PenaltySurchargePercent? PaymentPercent? Amount? SettlementDiscountAmount? PenaltyAmount? "
        "PaymentTermsDetailsURI? PaymentDueDate? InstallmentDueDate? InvoicingPartyReference? "
        "SettlementPeriod? PenaltyPeriod? ExchangeRate? ValidityPeriod?"
    ),
    "TaxTotal": "TaxAmount RoundingAmount? TaxEvidenceIndicator? TaxIncludedIndicator? TaxSubtotal*",
    "TaxSubtotal": (
        "TaxableAmount? TaxAmount CalculationSequenceNumeric? TransactionCurrencyTaxAmount? Percent? "
        "BaseUnitMeasure? PerUnitAmount? TierRange? TierRatePercent? TaxCategory"
    ),
    "TaxCategory": (
        "ID? Name? Percent? BaseUnitMeasure? PerUnitAmount? TaxExemptionReasonCode? TaxExemptionReason* "
        "TierRange? TierRatePercent? TaxScheme"
    ),
    "TaxScheme": "ID? Name? TaxTypeCode? CurrencyCode? JurisdictionRegionAddress*",
    "MonetaryTotal": (
        "LineExtensionAmount? TaxExclusiveAmount? TaxInclusiveAmount? AllowanceTotalAmount? "
        "ChargeTotalAmount? PrepaidAmount? PayableRoundingAmount? PayableAmount PayableAlternativeAmount?"
    ),
    "OrderLine": (
        "SubstitutionStatusCode? Note* LineItem SellerProposedSubstituteLineItem* SellerSubstitutedLineItem* "
        "BuyerProposedSubstituteLineItem* CatalogueLineReference? QuotationLineReference? OrderLineReference* "
        "DocumentReference*"
    ),
    "LineItem": (
        "ID SalesOrderID? UUID? Note* LineStatusCode? Quantity? LineExtensionAmount? TotalTaxAmount? "
        "MinimumQuantity? MaximumQuantity? MinimumBackorderQuantity? MaximumBackorderQuantity? "
        "InspectionMethodCode? PartialDeliveryIndicator? BackOrderAllowedIndicator? AccountingCostCode? "
        "AccountingCost? WarrantyInformation* Delivery* DeliveryTerms? OriginatorParty? OrderedShipment* "
        "PricingReference? AllowanceCharge* Price? Item SubLineItem* WarrantyValidityPeriod? WarrantyParty? "
        "TaxTotal* ItemPriceExtension? LineReference*"
    ),
    "Delivery": (
        "ID? Quantity? MinimumQuantity? MaximumQuantity? ActualDeliveryDate? ActualDeliveryTime? "
        "LatestDeliveryDate? LatestDeliveryTime? ReleaseID? TrackingID? DeliveryAddress? DeliveryLocation? "
        "AlternativeDeliveryLocation? RequestedDeliveryPeriod? PromisedDeliveryPeriod? "
        "EstimatedDeliveryPeriod? CarrierParty? DeliveryParty? NotifyParty* Despatch? DeliveryTerms* "
        "MinimumDeliveryUnit? MaximumDeliveryUnit? Shipment?"
    ),
    "AllowanceCharge": (
        "ID? ChargeIndicator AllowanceChargeReasonCode? AllowanceChargeReason* MultiplierFactorNumeric? "
        "PrepaidIndicator? SequenceNumeric? Amount BaseAmount? AccountingCostCode? AccountingCost? "
        "PerUnitAmount? TaxCategory* TaxTotal? PaymentMeans*"
    ),
    "Price": (
        "PriceAmount BaseQuantity? PriceChangeReason* PriceTypeCode? PriceType? OrderableUnitFactorRate? "
        "ValidityPeriod* PriceList? AllowanceCharge* PricingExchangeRate?"
    ),
    "Item": (
        "Description* PackQuantity? PackSizeNumeric? CatalogueIndicator? Name? HazardousRiskIndicator? "
        "AdditionalInformation* Keyword* BrandName* ModelName* BuyersItemIdentification? "
        "SellersItemIdentification? ManufacturersItemIdentification* StandardItemIdentification? "
        "CatalogueItemIdentification? AdditionalItemIdentification* CatalogueDocumentReference? "
        "ItemSpecificationDocumentReference* OriginCountry? CommodityClassification* TransactionConditions* "
        "HazardousItem* ClassifiedTaxCategory* AdditionalItemProperty* ManufacturerParty* "
        "InformationContentProviderParty? OriginAddress* ItemInstance* Certificate* Dimension*"
    ),
    "ItemIdentification": "ID ExtendedID? BarcodeSymbologyID? PhysicalAttribute* MeasurementDimension* IssuerParty?",
    "ItemProperty": (
        "ID? Name NameCode? TestMethod? Value? ValueQuantity? ValueQualifier* ImportanceCode? ListValue* "
        "UsabilityPeriod? ItemPropertyGroup* RangeDimension? ItemPropertyRange?"
    ),
    "OrderReference": (
        "ID SalesOrderID? CopyIndicator? UUID? IssueDate? IssueTime? CustomerReference? OrderTypeCode? "
        "DocumentReference?"
    ),
    "BillingReference": (
        "InvoiceDocumentReference? SelfBilledInvoiceDocumentReference? CreditNoteDocumentReference? "
        "SelfBilledCreditNoteDocumentReference? DebitNoteDocumentReference? ReminderDocumentReference? "
        "AdditionalDocumentReference? BillingReferenceLine*"
    ),
    "InvoiceLine": (
        "ID UUID? Note* InvoicedQuantity? LineExtensionAmount TaxPointDate? AccountingCostCode? "
        "AccountingCost? PaymentPurposeCode? FreeOfChargeIndicator? InvoicePeriod* OrderLineReference* "
        "DespatchLineReference* ReceiptLineReference* BillingReference* DocumentReference* PricingReference? "
        "OriginatorParty? Delivery* PaymentTerms* AllowanceCharge* TaxTotal* WithholdingTaxTotal* Item Price? "
        "DeliveryTerms? SubInvoiceLine* ItemPriceExtension?"
    ),
    "CreditNoteLine": (
        "ID UUID? Note* CreditedQuantity? LineExtensionAmount? TaxPointDate? AccountingCostCode? "
        "AccountingCost? PaymentPurposeCode? FreeOfChargeIndicator? InvoicePeriod* OrderLineReference* "
        "DiscrepancyResponse* DespatchLineReference* ReceiptLineReference* BillingReference* "
        "DocumentReference* PricingReference? OriginatorParty? Delivery* PaymentTerms* TaxTotal* "
        "AllowanceCharge* Item? Price? DeliveryTerms* SubCreditNoteLine* ItemPriceExtension?"
    ),
}

# Elements whose type is not called as they are.
TYPES = {
    "BuyerCustomerParty": "CustomerParty",
    "AccountingCustomerParty": "CustomerParty",
    "SellerSupplierParty": "SupplierParty",
    "AccountingSupplierParty": "SupplierParty",
    "ValidityPeriod": "Period",
    "InvoicePeriod": "Period",
    "RequestedDeliveryPeriod": "Period",
    "ContractDocumentReference": "DocumentReference",
    "InvoiceDocumentReference": "DocumentReference",
    "DeliveryLocation": "Location",
    "AnticipatedMonetaryTotal": "MonetaryTotal",
    "LegalMonetaryTotal": "MonetaryTotal",
    "SellersItemIdentification": "ItemIdentification",
    "AdditionalItemProperty": "ItemProperty",
}

# Ends of the names of basic elements: what their text must be, and the attribute that must be there.
VALUES = (
    ("Date", DAY, None),
    ("Indicator", "true|false", None),
    ("Amount", NUMBER, "currencyID"),
    ("Quantity", NUMBER, None),
    ("Numeric", NUMBER, None),
    ("Percent", NUMBER, None),
)
ATTRIBUTES = {"currencyID", "unitCode", "schemeID", "listID", "languageID"}


def faults(document: str) -> list[str]:
    """What is wrong with a document, each with its place; none when its structure is that of the schemas."""
    root = ET.fromstring(document.encode())  # noqa: S314 - our own document
    name = _name(root)
    if name not in {"Order", "Invoice", "CreditNote"} or root.tag != f"{{{UBL}{name}-2}}{name}":
        return [f"{root.tag} is no document of UBL"]
    return list(_of_branch(root, name, f"/{name}"))


def _of_branch(element: ET.Element, kind: str, place: str) -> Iterator[str]:
    if kind not in SEQUENCES:
        yield f"{place} is of a type that the exchange does not write"
        return
    names = [_name(child) for child in element]
    words = SEQUENCES[kind].split()
    pattern = "".join(f"(?:{re.escape(word.rstrip('?*+'))} ){word[len(word.rstrip('?*+')) :]}" for word in words)
    if not re.fullmatch(pattern, "".join(f"{name} " for name in names)):
        yield f"{place} holds {', '.join(names)}; expected the order of {SEQUENCES[kind]}"
    if (element.text or "").strip() or element.attrib:
        yield f"{place} has text or attributes of its own"
    for child in element:
        below = f"{place}/{_name(child)}"
        if child.tag == f"{{{AGGREGATE}}}{_name(child)}":
            yield from _of_branch(child, TYPES.get(_name(child), _name(child)), below)
        elif child.tag == f"{{{BASIC}}}{_name(child)}":
            yield from _of_leaf(child, below)
        else:
            yield f"{below} is of an unknown namespace"


def _of_leaf(element: ET.Element, place: str) -> Iterator[str]:
    text = element.text or ""
    if not text or len(element):
        yield f"{place} is empty, or holds elements"
    if beyond := set(element.attrib) - ATTRIBUTES:
        yield f"{place} has the attributes {', '.join(sorted(beyond))}"
    for ending, pattern, attribute in VALUES:
        if _name(element).endswith(ending):
            if not re.fullmatch(pattern, text):
                yield f"{place} is {text!r}; expected {pattern}"
            if attribute and attribute not in element.attrib:
                yield f"{place} lacks {attribute}"


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
