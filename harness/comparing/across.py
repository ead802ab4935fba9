"""The working tree against a commit: both replayed now, both by the working tree's checks, as one run with its reports."""

from __future__ import annotations

import asyncio
import filecmp
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.comparing.replaying import Base, BaseSuite, replay
from harness.comparing.said import mocked_in, said_in
from harness.comparing.trees import Tree, unpack
from harness.errors import UsageError, did_you_mean
from harness.plan import Plan, cassette_path
from harness.project.project import Project, find_suites, load, plan
from harness.records import CassetteRef, Outcome, Result
from harness.repository import Repository
from harness.runs.judging import Judge
from harness.suites.suite import Against, Suite, Variant
from harness.summary import phrases

if TYPE_CHECKING:
    from harness.runs.job import Job

#: Cases and trials that are named.
_NAMED = 10
_SHORT = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Across:
    """A comparison with another tree: what is left to do is to run the working tree's trials."""

    job: Job
    tree: Tree
    #: What a reader should know, one line each.
    notes: tuple[str, ...] = ()


def compare_tree(
    project: Project,
    ref: str,
    *,
    suites: Sequence[str] = (),
    code: bool = True,
    html: bool = True,
    argv: Sequence[str] = (),
) -> Across:
    """Set the project's suites against what they were in a commit; that tree is replayed before this returns.

    Args:
        project: The project.
        ref: What git resolves to a commit; `main` is `origin/main` where there is no such branch here.
        suites: Names or paths of suites; none: all.
        code: Whether Python code of that tree may be run.
        html: Whether to write report.html.
        argv: The command line, for the manifest.

    Raises:
        ConfigError: The ref names no commit, there is no repository, or a suite of the working tree is wrong.
        UsageError: There is no such suite, or that tree needs code that may not be run.
        StorageError: The tree cannot be unpacked.
    """
    from harness.runs.job import Job

    project = project.with_mode("none")
    root = project.settings.root
    repository = Repository(root, word=ref)
    # That there is such a commit is looked at before anything takes time.
    tree = unpack(root, repository, ref)
    head = chosen(project, suites)
    base = replay(project, tree, names={one.name for one in head}, paths={one.shown for one in head}, code=code)
    code_files = _python(project, repository, tree)
    joined = [_Joining(project, tree, one, base.suites.get(one.name), code_files) for one in head]
    laid_out = plan(project, head)
    given = [result for one in joined for result in asyncio.run(one.results())]
    both = [one.suite for one in joined]
    counts = {
        (suite.name, name): sum(result.suite == suite.name and result.variant == name for result in given)
        for suite in both
        for name in (suite.against.others if suite.against else ())
    }
    notes = [*_standing(repository, tree), *tree.notes, *_missing(base, tree, head)]
    notes += [note for one in joined for note in one.notes()]
    notes += _unrecorded(given, tree)
    job = Job(
        project=project,
        plan=Plan(suites=tuple(both), trials=laid_out.trials, planned={**laid_out.planned, **counts}),
        given=given,
        html=html,
        argv=argv,
        facts={"comparison": {"ref": tree.ref, "commit": tree.commit, "notes": list(notes)}},
    )
    return Across(job=job, tree=tree, notes=tuple(notes))


def compare_now(
    project: Project, suite: Suite, a: Variant, b: Variant, *, html: bool = True, argv: Sequence[str] = ()
) -> Job:
    """Return a run of two variants of a suite, replayed now, in which `b` is compared with `a`."""
    from harness.runs.job import Job

    project = project.with_mode("none")
    both = replace(suite, variants=(a, b), baseline=None)
    laid_out = plan(project, [both])
    against = Against(source=suite.name, pairs={b.name: a.name}, others=(a.name,))
    return Job(
        project=project,
        plan=replace(laid_out, suites=(replace(both, against=against),)),
        html=html,
        argv=argv,
        facts={"comparison": {"suite": suite.name, "a": a.name, "b": b.name}},
    )


def chosen(project: Project, words: Sequence[str]) -> list[Suite]:
    """Return suites by name or path; no words: all of them.

    Raises:
        UsageError: There is no such suite.
        ConfigError: One that is asked for is wrong.
        NothingSelected: There are none.
    """
    if not words:
        return load(project, find_suites(project, []))
    if all(Path(word).exists() for word in words):
        return load(project, find_suites(project, [Path(word) for word in words]))
    known = {suite.name: suite for suite in load(project, find_suites(project, []))}
    for word in words:
        if word not in known:
            hint = did_you_mean(word, list(known)) or f"There are: {', '.join(known)}."
            raise UsageError(f"--suite: no suite is called '{word}'. {hint}")
    return [known[word] for word in dict.fromkeys(words)]


class _Joining:
    """A suite, and what it was in another tree, made into one suite with the variants of both."""

    def __init__(self, project: Project, tree: Tree, head: Suite, base: BaseSuite | None, code: Sequence[str]) -> None:
        self._project = project
        self._tree = tree
        self._head = head
        self._base = base
        self._pairs = _paired(head, base.suite) if base is not None else {}
        self._base_results = base.results if base is not None else ()
        #: Labels of the variants from there, by their own names.
        self._labels = {name: self._label(name) for name in dict.fromkeys(self._pairs.values())}
        self._excluded = self._excluding()
        self.suite = self._joined(code)

    def _label(self, name: str) -> str:
        label = f"{name} ({self._tree.ref})"
        while label in self._head.by_name:
            label += "'"
        return label

    def _excluding(self) -> dict[str, tuple[str, ...]]:
        if self._base is None:
            return {}
        renderer = self._project.renderer()
        now = {case.id: said_in(self._head, case, renderer) for case in self._head.cases}
        then = self._base.said
        return {
            "with another text": tuple(case for case in now if case in then and now[case] != then[case]),
            f"not in {self._tree.ref}": tuple(case for case in now if case not in then),
            f"only in {self._tree.ref}": tuple(case for case in then if case not in now),
        }

    def _joined(self, code: Sequence[str]) -> Suite:
        head, base = self._head, self._base
        if base is None:
            return replace(head, against=Against(source=self._tree.ref))
        others = tuple(
            Variant(
                name=label,
                prompt=base.suite.by_name[name].prompt,
                assistant=replace(head.variants[0].assistant, model=base.suite.by_name[name].assistant.model, tools=()),
                definition=base.suite.by_name[name].definition,
                where=head.variants[0].where,
            )
            for name, label in self._labels.items()
        )
        mocks = tuple(
            case.id for case in head.cases if case.id in base.mocks and mocked_in(case) != base.mocks[case.id]
        )
        against = Against(
            source=self._tree.ref,
            pairs={mine: self._labels[theirs] for mine, theirs in self._pairs.items()},
            others=tuple(self._labels.values()),
            excluded={why: cases for why, cases in self._excluded.items() if cases},
            mocks=mocks,
            code=tuple(code),
            same=tuple(self._same()),
        )
        return replace(head, variants=(*others, *head.variants), against=against)

    def _same(self) -> Iterator[str]:
        """The variants of which every trial that is compared has the recording that it had there, byte for byte."""
        left = {case for cases in self._excluded.values() for case in cases}
        for mine, theirs in self._pairs.items():
            own = [one for one in self._base_results if one.variant == theirs and one.case not in left]
            if own and all(self._recorded_alike(one, mine) for one in own):
                yield mine

    def _recorded_alike(self, result: Result, mine: str) -> bool:
        settings = self._project.settings
        if result.cassette is not None:
            there = self._tree.root / result.cassette.path
            here = cassette_path(
                settings.cassettes, suite=self._head.name, variant=mine, case=result.case, repeat=result.repeat
            )
        elif isinstance(outputs := result.extra.get("outputs"), str):
            there, here = self._tree.root / outputs, settings.root / outputs
        else:
            return False
        try:
            return filecmp.cmp(there, here, shallow=False)
        except OSError:
            return False

    async def results(self) -> list[Result]:
        """Return the other tree's trials as the working tree's checks decide them, without those of excluded cases."""
        if self._base is None:
            return []
        project, head = self._project, self._head
        judge = Judge(root=project.settings.root, registry=project.registry, renderer=project.renderer())
        left = {case for cases in self._excluded.values() for case in cases}
        cases = {case.id: case for case in head.cases}
        found = []
        for result in self._base.results:
            label = self._labels.get(result.variant)
            if label is None or result.case in left:
                continue
            mine = head.by_name.get(result.variant) or head.by_name[head.baseline or head.variants[0].name]
            judged = await judge.again(result, head, cases[result.case], mine)
            found.append(replace(judged, variant=label, cassette=self._placed(judged)))
        return found

    def _placed(self, result: Result) -> CassetteRef | None:
        return result.cassette and replace(result.cassette, path=f"{self._tree.ref}:{result.cassette.path}")

    def notes(self) -> Iterator[str]:
        """Say what is not compared."""
        name, ref = self._head.name, self._tree.ref
        if self._base is None:
            return
        for why, cases in self._excluded.items():
            if cases:
                yield f"{name}: not compared, {phrases.count(len(cases), 'case')} {why}: {phrases.names(cases, most=_NAMED)}"
        new = [mine for mine, theirs in self._pairs.items() if mine != theirs]
        if new:
            theirs = self._labels[self._pairs[new[0]]]
            yield f"{name}: not in {ref}, and compared with its baseline {theirs}: {phrases.names(new, most=_NAMED)}"
        gone = [one.name for one in self._base.suite.variants if one.name not in self._head.by_name]
        if gone:
            noun = "variants" if len(gone) > 1 else "variant"
            yield f"{name}: gone since {ref}: {noun} {phrases.names(gone, most=_NAMED)}"


def _paired(head: Suite, base: Suite) -> dict[str, str]:
    """Pair variants by name; one that is new is compared with the baseline that there was."""
    baseline = base.baseline or base.variants[0].name
    return {one.name: one.name if one.name in base.by_name else baseline for one in head.variants}


def _missing(base: Base, tree: Tree, head: Sequence[Suite]) -> Iterator[str]:
    for suite in head:
        if suite.shown in base.broken and suite.name not in base.suites:
            said = base.broken[suite.shown].splitlines()
            more = f" (and {len(said) - 1} more lines)" if len(said) > 1 else ""
            yield f"{suite.name}: broken in {tree.ref}, so nothing is compared: {tree.ref}:{said[0]}{more}"
        elif suite.name not in base.suites:
            yield f"{suite.name}: not in {tree.ref}: all of it is new, and there is nothing to compare it with"


def _standing(repository: Repository, tree: Tree) -> Iterator[str]:
    """Say which commit it is, and that it has gone on, where it has: then more differs than this branch changed."""
    told = f"{tree.ref} is {tree.commit[:_SHORT]}"
    head = repository.known("HEAD")
    counts = repository.apart(head, tree.commit) if head is not None else None
    if counts is not None and counts[1]:
        ahead = phrases.count(counts[1], "commit")
        told += f", {ahead} ahead of what this branch began with: what those changed differs, too"
    yield told


def _unrecorded(given: Sequence[Result], tree: Tree) -> Iterator[str]:
    errors: dict[str, list[Result]] = {}
    for result in given:
        if result.outcome is Outcome.ERROR:
            errors.setdefault(result.suite, []).append(result)
    for suite, found in errors.items():
        misses = sum(one.error is not None and one.error.kind.startswith("cassette") for one in found)
        has, stays = ("has", "stays") if len(found) == 1 else ("have", "stay")
        why = f"{has} no recording there that matches" if misses == len(found) else "ended in error there"
        yield f"{suite}: {phrases.count(len(found), 'trial')} of {tree.ref} {why}, and {stays} without a counterpart"


def _python(project: Project, repository: Repository, tree: Tree) -> list[str]:
    """Python files below the folder of suites that differ from that tree."""
    folder = project.shown(project.settings.suites)
    return [path for path in repository.changed(tree.commit) if path.endswith(".py") and path.startswith(f"{folder}/")]
