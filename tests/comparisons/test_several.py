"""Several candidates and several tags: what is said of one allows for how many there are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.multiplicity import holm
from harness.summary.comparing import step_levels
from harness.summary.facets import TagContrast
from tests.comparisons.arms import case, compared, comparisons, suite, summed, table, trials

#: 13 fixed and 3 broken of 100: alone it would be better (McNemar z: p = 0.0124); among five it is not.
SLIGHT = table(60, 13, 3, 24)
STRONG = table(60, 24, 2, 14)["v2"]


def test_a_candidate_is_better_only_if_its_adjusted_p_value_allows_that() -> None:
    assert compared(SLIGHT).headline == "v2 is better"
    nothing = dict.fromkeys(("v3", "v4", "v5", "v6"), SLIGHT["v1"])
    of = suite(100, ("v1", "v2", *nothing), gates={"better_than_baseline": True})
    summary = summed(of, trials(of, {**SLIGHT, **nothing}))
    one = summary.suites[0].comparisons[0]
    assert one.difference is not None and one.verdict is not None
    assert (one.adjusted, one.verdict.kind == "better", one.headline.endswith("is better")) == (
        "5 candidates",
        False,
        False,
    )
    assert one.difference.interval.level == pytest.approx(0.99) and one.difference.interval.low < 0
    assert "+10.0 pp (99% CI -" in one.text and "adjusted for 5 candidates" in one.text
    gate = next(gate for gate in summary.suites[0].gates if gate.variant == "v2")
    assert gate.passed is False and "99% CI -" in gate.text


def test_no_number_of_variants_makes_an_interval_certain() -> None:
    names = [f"v{number}" for number in range(1, 151)]
    found = comparisons(suite(3, names), dict.fromkeys(names, "ppp"))
    assert {one.text.partition(" CI ")[0].rpartition("(")[2] for one in found.values()} == {"99.97%"}


def test_the_strongest_candidate_makes_room_for_the_next() -> None:
    found = comparisons(suite(100, ("v1", "v2", "v3")), {**SLIGHT, "v3": STRONG})
    levels = {name: one.difference.interval.level for name, one in found.items() if one.difference}
    assert levels == {"v2": pytest.approx(0.95), "v3": pytest.approx(0.975)}
    assert {one.headline for one in found.values()} == {"v2 is better", "v3 is better"}
    assert all("adjusted for 2 candidates" in one.text for one in found.values())


def test_variants_that_are_only_reported_leave_candidates_alone() -> None:
    names = ("v1", "v2", "nano", "pico", "milli", "micro")
    of = suite(100, names, report_only=names[2:])
    found = comparisons(of, {**SLIGHT, **dict.fromkeys(names[2:], SLIGHT["v2"])})
    assert (found["v2"].headline, found["v2"].adjusted) == ("v2 is better", "")
    assert "adjusted for 5 variants" in found["nano"].text


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_an_interval_leaves_0_out_exactly_where_the_adjusted_p_value_is_below_5_percent(ps: list[float]) -> None:
    levels = step_levels(ps)
    assert [p < 1 - level for p, level in zip(ps, levels, strict=True)] == pytest.approx([p < 0.05 for p in holm(ps)])
    assert all(level + 1e-12 >= 0.95 and level <= 1 - 0.05 / len(ps) + 1e-12 for level in levels)


def tagged(blocks: dict[str, tuple[int, int, int, int]]) -> dict[str, TagContrast]:
    """Contrasts of tags, each over its own cases: both pass, fixed, broken, neither."""
    letters = {"v1": "", "v2": ""}
    cases = []
    for tag, counts in blocks.items():
        for arm, word in table(*counts).items():
            letters[arm] += word
        cases += [case(f"{tag}{number}", tags=(tag,)) for number in range(sum(counts))]
    (one,) = comparisons(suite(cases, ("v1", "v2")), letters).values()
    return {found.tag: found for found in one.tags}


def test_a_word_over_a_tag_is_adjusted_for_their_number_and_few_cases_have_none() -> None:
    found = tagged(
        {
            "billing": (20, 12, 1, 7),  # p = 0.0023
            "slight": (30, 9, 1, 10),  # p = 0.0114, not below 0.05 / 5
            "even": (30, 3, 3, 4),
            "few": (5, 3, 0, 2),
            "lost": (3, 0, 20, 1),  # fewer than 25 cases, and clear
        }
    )
    assert {tag: one.word for tag, one in found.items()} == {
        "billing": "better", "slight": "better", "even": "none", "few": "few", "lost": "worse",
    }  # fmt: skip
    crowd = tagged({"slight": (30, 9, 1, 10), **{f"even{n}": (30, 3, 3, 4) for n in range(4)}})
    assert crowd["slight"].word == "none" and crowd["slight"].p is not None and crowd["slight"].p > 0.05
    billing = found["billing"]
    assert (billing.cases, billing.fixed, billing.unchanged, billing.broken) == (40, 12, 27, 1)
    assert billing.interval is not None and billing.interval.level == pytest.approx(0.99)


def test_a_worse_candidate_names_the_tag_that_it_broke_most() -> None:
    cases = [case(f"a{n}", tags=("refunds",)) for n in range(40)] + [case(f"b{n}", tags=("other",)) for n in range(40)]
    letters = {"v1": "p" * 80, "v2": "p" * 20 + "f" * 20 + "p" * 40}
    (one,) = comparisons(suite(cases, ("v1", "v2")), letters).values()
    assert one.text.endswith("0 fixed, 20 broken of 80. Broken most: refunds (-50.0 pp, adjusted for 2 tags).")
    even = {"v1": "p" * 80, "v2": ("p" * 7 + "f") * 10}
    (plain,) = comparisons(suite([case(f"c{n}", tags=(f"t{n % 16}",)) for n in range(80)], ("v1", "v2")), even).values()
    assert plain.headline == "v2 is worse" and "Broken most" not in plain.text


def test_cases_that_changed_sides_stand_broken_first_and_by_size() -> None:
    one = compared({"v1": "pp pp pf ff ff", "v2": "pp pf ff pf pp"}, repeats=2)
    assert [(flip.case, flip.broken, flip.a, flip.b) for flip in one.flips] == [
        ("c001", True, (2, 2), (1, 2)),
        ("c002", True, (1, 2), (0, 2)),
        ("c004", False, (0, 2), (2, 2)),
        ("c003", False, (0, 2), (1, 2)),
    ]
    assert one.flips[0].trials == ("faq/c001/v1/1", "faq/c001/v1/2", "faq/c001/v2/1", "faq/c001/v2/2")
