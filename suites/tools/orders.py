"""What the assistant of `migration.yaml` can look up: the orders of a garden shop, and what a parcel costs."""

from __future__ import annotations

import re

_ORDERS: dict[str, dict[str, object]] = {
    "FW-10234": {"status": "shipped", "carrier": "UPS", "arrives": "November 24", "weight_kg": 2.5},
    "FW-20571": {"status": "delivered", "carrier": "FedEx", "arrives": "November 17", "weight_kg": 0.8},
    "FW-31418": {"status": "packed", "carrier": "USPS", "arrives": "November 27", "weight_kg": 6.0},
    "FW-16180": {"status": "cancelled", "carrier": None, "arrives": None, "weight_kg": 1.2},
    "FW-27182": {"status": "delayed", "carrier": "UPS", "arrives": "December 3", "weight_kg": 4.0},
}
#: US dollars for the parcel and for each kilogram, and business days.
_RATES = {"united states": (4.0, 0.5, "3-5"), "canada": (12.0, 2.0, "7-10"), "mexico": (14.0, 3.0, "8-12")}
_ALSO = {"us": "united states", "usa": "united states", "u.s.": "united states", "ca": "canada", "mx": "mexico"}


def order_status(order_id: str) -> dict[str, object]:
    """Look up an order: its status, carrier, day of arrival and weight.

    Args:
        order_id: FW- and five digits, such as FW-12345.
    """
    wanted = order_id.strip().upper()
    if re.fullmatch(r"FW-\d{5}", wanted) is None:
        return {"error": f"{order_id!r} is no order number: one has FW- and five digits"}
    if wanted not in _ORDERS:
        return {"error": f"there is no order {wanted}"}
    return {"order_id": wanted, **_ORDERS[wanted]}


def shipping_cost(country: str, weight_kg: float) -> dict[str, object]:
    """Work out what sending a parcel costs and how long it takes.

    Args:
        country: The country it goes to, in English.
        weight_kg: Its weight in kilograms.
    """
    wanted = country.strip().lower().removeprefix("the ")
    rate = _RATES.get(_ALSO.get(wanted, wanted))
    if rate is None:
        return {"error": f"we do not ship to {country}"}
    if not 0 < weight_kg <= 30:
        return {"error": "a parcel weighs more than 0 and at most 30 kg"}
    parcel, each, days = rate
    return {"country": country, "weight_kg": weight_kg, "cost_usd": round(parcel + each * weight_kg, 2), "days": days}
