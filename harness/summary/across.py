"""The variants of a suite against those from elsewhere that stand beside them: a commit's, another run's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.records import Result
from harness.suites.suite import Suite
from harness.summary.changes import ArmFacts, Rate, answering, apart, arm_facts, changes, with_changes
from harness.summary.comparing import Ground, compare_pairs, replayed_alike
from harness.summary.measuring import role
from harness.summary.view import Comparison


def compare_across(
    suite: Suite, arms: Mapping[str, Sequence[Result]], *, rate: Rate | None = None
) -> Iterator[Comparison]:
    """Yield the comparison of each own variant with its counterpart from elsewhere, with what differs between them.

    Where both replay the same recordings with the same outcomes there is no verdict, and the others are adjusted for
    their own number alone.

    Args:
        suite: A suite that stands against something.
        arms: Trials of each variant that has any, by name.
        rate: As in `changes`.
    """
    against = suite.against
    if against is None:
        return
    pairs = {name: other for name in arms if (other := against.pairs.get(name)) is not None and other in arms}
    alike = {name: one for name in against.same if name in pairs and (one := _alike(suite, arms, pairs[name], name))}
    tested = {name: other for name, other in pairs.items() if name not in alike}
    candidates = [name for name in tested if role(suite, name) == "candidate"]
    told = {one.candidate: one for one in compare_pairs(Ground.of(suite), tested, arms, deciding=candidates)}
    for name, other in pairs.items():
        facts = facts_of(suite, other, arms), facts_of(suite, name, arms)
        yield with_changes(alike.get(name) or told[name], *facts, rate=rate, more=apart(against))


def facts_of(suite: Suite, name: str, arms: Mapping[str, Sequence[Result]]) -> ArmFacts:
    """Return what is known of a variant as an arm of a comparison."""
    against = suite.against
    known = against.checks if against is not None else {}
    checks = known if against is None or name in against.others else suite.checked
    return arm_facts(suite.by_name[name].definition, arms[name], checks=checks if known else None)


def _alike(suite: Suite, arms: Mapping[str, Sequence[Result]], a: str, b: str) -> Comparison | None:
    """What is said of two variants with the same recordings, where nothing else could have changed an answer."""
    differing = changes(facts_of(suite, a, arms), facts_of(suite, b, arms))
    if answering((*differing, *apart(suite.against))):
        return None
    return replayed_alike(Ground.of(suite), arms[a], arms[b], names=(a, b))
