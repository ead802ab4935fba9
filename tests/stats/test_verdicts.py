from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.paired import Difference, difference
from harness.stats.verdicts import required_cases, verdict


def table(both: int, fixed: int, broken: int, neither: int, repeats: int = 1) -> Difference:
    a = [1] * both + [0] * fixed + [1] * broken + [0] * neither
    b = [1] * both + [1] * fixed + [0] * broken + [0] * neither
    return difference([[x] * repeats for x in a], [[x] * repeats for x in b])


@pytest.mark.parametrize(
    ("counts", "margin", "kind"),
    [
        ((120, 38, 16, 26), 0.05, "better"),
        ((120, 16, 38, 26), 0.05, "worse"),
        ((1500, 30, 30, 440), 0.05, "equivalent"),
        ((400, 43, 27, 100), 0.05, "not_worse"),
        ((500, 120, 130, 250), 0.05, "equivalent"),
        ((100, 150, 130, 480), 0.05, "not_worse"),
        ((400, 60, 90, 400), 0.05, "worse"),
        ((20, 6, 4, 10), 0.05, "not_enough_data"),
        ((40, 0, 0, 0), 0.05, "not_enough_data"),
    ],
)
def test_first_matching_rule(counts: tuple[int, int, int, int], margin: float, kind: str) -> None:
    assert verdict(table(*counts), margin=margin).kind == kind


def test_no_evidence_although_the_cases_would_have_sufficed() -> None:
    found = verdict(table(200, 22, 33, 170), margin=0.05)
    assert found.kind == "no_evidence"
    assert found.required <= 425 and found.needed is None


def test_a_gain_below_the_margin_is_said_to_be_one() -> None:
    assert verdict(table(800, 60, 20, 120), margin=0.10).within_margin
    assert not verdict(table(800, 60, 20, 120), margin=0.03).within_margin
    assert verdict(table(800, 20, 60, 120), margin=0.10).within_margin


def test_required_cases_of_the_planning_table() -> None:
    # discordant share .15, 5 pp; .20, 10 pp
    assert required_cases((0.15 - 0.05**2) ** 0.5, 0.05) == pytest.approx(463, abs=1)
    assert required_cases((0.20 - 0.10**2) ** 0.5, 0.10) == pytest.approx(149, abs=1)
    # Miller 2024: omega^2 + sigma^2/K_A + sigma^2/K_B
    assert required_cases((1 / 9) ** 0.5, 0.03) == pytest.approx(968.998, abs=1e-3)
    assert required_cases((1 / 9 + 2 / 6) ** 0.5, 0.03) == pytest.approx(3875.99, abs=1e-2)
    assert required_cases((1 / 9 + 2 / 60) ** 0.5, 0.03) == pytest.approx(1259.70, abs=1e-2)


def test_missing_cases_come_from_the_spread_and_never_from_the_observed_difference() -> None:
    found = table(20, 6, 4, 10)
    said = verdict(found, margin=0.05)
    assert said.needed == said.required - 40
    assert said.required == pytest.approx(required_cases(found.sd, 0.05), abs=1)
    assert said.detectable == pytest.approx(0.05 * (said.required / 40) ** 0.5, rel=0.01)


def test_repeats_have_a_floor() -> None:
    assert verdict(table(20, 6, 4, 10), margin=0.05).floor is None
    repeated = verdict(table(20, 6, 4, 10, repeats=3), margin=0.05)
    assert repeated.floor is not None and 0 < repeated.floor <= repeated.detectable * 1.1


def test_one_repeated_case_is_not_enough_data_whatever_the_margin() -> None:
    said = verdict(difference([[1, 1, 1]], [[1, 1, 1]]), margin=0.9)
    assert said.kind == "not_enough_data" and said.needed is not None and said.needed >= 1


def test_a_margin_must_be_positive() -> None:
    with pytest.raises(ValueError, match="positive"):
        verdict(table(5, 1, 1, 5), margin=0)


@given(
    st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(1, 30), st.integers(1, 3),
    st.floats(0.01, 0.3),
)  # fmt: skip
def test_better_and_worse_change_places_with_the_arms(
    both: int, fixed: int, broken: int, neither: int, repeats: int, margin: float
) -> None:
    there = verdict(table(both, fixed, broken, neither, repeats), margin=margin)
    back = verdict(table(both, broken, fixed, neither, repeats), margin=margin)
    mirror = {"better": "worse", "worse": "better", "equivalent": "equivalent"}
    if there.kind in mirror:
        assert back.kind == mirror[there.kind]
    assert (there.needed is not None) == (there.kind == "not_enough_data")
    assert there.needed is None or there.needed >= 1
