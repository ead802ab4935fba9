"""What the words after `harness compare` mean: runs, variants, prompts, APIs, or a commit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from harness.compare import Compared, compare, read_arms
from harness.comparing.across import chosen
from harness.comparing.trees import resolve
from harness.errors import ConfigError, UsageError, did_you_mean
from harness.project.project import Project
from harness.repository import Repository
from harness.runs.loaded import suites_of
from harness.store import find_run, latest_run, list_runs
from harness.suites.suite import Suite, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeAsked:
    """The working tree against a commit."""

    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantsAsked:
    """Two variants of one suite, replayed now."""

    suite: Suite
    a: Variant
    b: Variant


#: `Compared`: what is stored, compared already.
Asked: TypeAlias = TreeAsked | VariantsAsked | Compared


def asked(project: Project, a: str | None, b: str | None, *, suites: Sequence[str] = ()) -> Asked:
    """Return what two words mean.

    A word with `@` is a prompt; others are a variant (`SUITE:VARIANT`, or its name alone), a run, or, alone, a commit.
    With a suite, variants are looked for there, by name, by prompt and by API, and replayed now; without, in the last run.

    Args:
        project: The project.
        a: Nothing: the last run.
        b: The other side; nothing: a baseline, the last run, or the working tree.
        suites: Names or paths of suites.

    Raises:
        UsageError: A word means nothing, or several things, or the two do not go together.
        ConfigError: A suite is wrong.
        StorageError: A run is damaged.
    """
    reports = project.settings.reports
    if a is None:
        found = compare(reports, suites=lambda run: suites_of(project, run))
        return _only(found, suites)
    words = [word for word in (a, b) if word is not None]
    if any(_is_prompt(word) for word in words) or (suites and not _runs(project, words)):
        if b is None and not _is_prompt(a) and _is_commit(project, a):
            _unambiguous(project, a, [f"a variant of {one.name}" for one in chosen(project, suites) if _found(one, a)])
            return TreeAsked(ref=a)
        return _variants(project, a, b, suites)
    if b is None and _is_commit(project, a):
        _unambiguous(project, a, list(_stored(project, a)))
        return TreeAsked(ref=a)
    try:
        found = compare(reports, a, b, suites=lambda run: suites_of(project, run))
    except UsageError as error:
        raise _hinted(project, words, error) from None
    return _only(found, suites)


def _is_prompt(word: str) -> bool:
    # main@{1} is what git calls a branch some time ago.
    return "@" in word and "@{" not in word


def _runs(project: Project, words: Sequence[str]) -> bool:
    """Whether every word is a run."""
    for word in words:
        try:
            find_run(project.settings.reports, word)
        except UsageError:
            return False
    return True


def _is_commit(project: Project, word: str) -> bool:
    repository = Repository(project.settings.root, word=word)
    try:
        return any(repository.known(one) is not None for one in (word, f"origin/{word}"))
    except ConfigError:
        # There is no git, which matters only where nothing else is meant.
        return False


def _stored(project: Project, word: str) -> Iterator[str]:
    """What else a word is: a variant of the last run, a run."""
    last = latest_run(project.settings.reports)
    for arm in read_arms(last) if last else ():
        if word in (arm.name, arm.variant):
            yield f"the variant {arm.name} of the last run"
    try:
        run = find_run(project.settings.reports, word)
    except UsageError:
        return
    yield f"the run {run.path}"


def _unambiguous(project: Project, word: str, others: Sequence[str]) -> None:
    """Refuse a word that is a commit and something else.

    Raises:
        UsageError: It is.
    """
    if others:
        raise UsageError(
            f"'{word}' could be {', '.join(others)}, or a commit: write SUITE:VARIANT or the run's path for what is "
            f"stored, and refs/heads/{word}, refs/tags/{word} or a longer hash for the commit"
        )


def _variants(project: Project, a: str, b: str | None, suites: Sequence[str]) -> VariantsAsked:
    """Two variants of one suite by name, prompt or API; without `b`, `a` is compared with the suite's baseline."""
    known = chosen(project, suites)
    words = [word for word in (a, b) if word is not None]
    fitting = [suite for suite in known if all(_found(suite, word) for word in words)]
    if len(fitting) > 1:
        names = ", ".join(suite.name for suite in fitting)
        raise UsageError(f"{' and '.join(words)} could be of any of {names}: name one with --suite")
    if not fitting:
        raise UsageError(_nowhere(words, known))
    suite = fitting[0]
    one = _single(suite, a)
    if b is not None:
        other = _single(suite, b)
    else:
        if suite.baseline is None:
            raise UsageError(f"suite '{suite.name}' has one variant only: there is nothing to compare it with")
        one, other = suite.by_name[suite.baseline], one
    if one == other:
        raise UsageError(f"both sides are {suite.name}:{one.name}: name another variant to compare it with")
    return VariantsAsked(suite=suite, a=one, b=other)


def _found(suite: Suite, word: str) -> list[Variant]:
    """The variants of a suite that a word may mean: by name, else by prompt, else by API."""
    named = [one for one in suite.variants if word in (one.name, f"{suite.name}:{one.name}")]
    ref = [one for one in suite.variants if word == one.prompt or (one.definition and word == one.definition.prompt)]
    return named or ref or [one for one in suite.variants if one.assistant.api == word]


def _single(suite: Suite, word: str) -> Variant:
    found = _found(suite, word)
    if len(found) > 1:
        names = ", ".join(f"{suite.name}:{one.name}" for one in found)
        raise UsageError(f"'{word}' could be any of {names}: name the variant")
    return found[0]


def _nowhere(words: Sequence[str], suites: Sequence[Suite]) -> str:
    there = list(dict.fromkeys(word for suite in suites for one in suite.variants for word in _words(one)))
    missing = next((word for word in words if not any(_found(suite, word) for suite in suites)), None)
    names = ", ".join(suite.name for suite in suites)
    if missing is None:
        return f"no suite has both {' and '.join(words)} ({names})"
    hint = did_you_mean(missing, there) or f"There are: {', '.join(there)}."
    return f"no variant of {names} is called '{missing}', or has that prompt or API. {hint}"


def _words(variant: Variant) -> list[str]:
    prompt = variant.definition.prompt if variant.definition is not None else variant.prompt
    return [word for word in (variant.name, prompt, variant.assistant.api) if word]


def _hinted(project: Project, words: Sequence[str], error: UsageError) -> UsageError:
    """Name a commit that may have been meant."""
    text = str(error)
    if "Did you mean" in text or "could be" in text or not any(f"'{word}'" in text for word in words):
        return error
    repository = Repository(project.settings.root, word=words[0])
    try:
        if len(words) == 1 and repository.shallow:
            # Says what a clone lacks that was cut off.
            resolve(repository, words[0])
        refs = repository.refs()
    except ConfigError as missing:
        # There is no git, or what it knows was cut off.
        return UsageError(f"{text.rstrip('.')}. {missing}")
    missed = [word for word in words if f"'{word}'" in text]
    commit = next((word for word in missed if _is_commit(project, word)), None)
    if commit is not None:
        return UsageError(f"'{commit}' is a commit, which is compared with the working tree: leave the other word out")
    known = [*refs, *list_runs(project.settings.reports)]
    hint = next(filter(None, (did_you_mean(word, known) for word in missed)), None)
    told = "It is no variant of the last run and no commit either."
    return UsageError(f"{text} {hint or told}")


def _only(found: Compared, suites: Sequence[str]) -> Compared:
    """Those comparisons that are of the suites asked for."""
    if not suites:
        return found
    pairs = tuple(one for one in found.pairs if one.b.suite in suites)
    if not pairs:
        there = list(dict.fromkeys(one.b.suite for one in found.pairs))
        hint = did_you_mean(suites[0], there) or f"There are: {', '.join(there) or 'none'}."
        raise UsageError(f"--suite: nothing of '{suites[0]}' can be compared. {hint}")
    return Compared(pairs=pairs, unmatched=found.unmatched)
