"""Which requests are to go wrong, and how: rules, tried in order, of which the first that applies decides."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Self

from harness.simulator import fault_form
from harness.simulator.fault_form import FaultError
from harness.simulator.plain import JSON

__all__ = ["Asked", "FaultError", "Faults"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as rules see it."""

    method: str
    #: Without its query.
    path: str
    body: bytes

    @property
    def model(self) -> str | None:
        """The model that is asked for, if the body is JSON and says so."""
        try:
            body = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        found = body.get("model") if isinstance(body, dict) else None
        return found if isinstance(found, str) else None

    @property
    def identity(self) -> bytes:
        """What is the same for equal requests, and for no others."""
        return hashlib.sha256(b"\0".join([self.method.encode(), self.path.encode(), self.body])).digest()


class Faults:
    """Rules that say which requests go wrong.

    ```yaml
    faults:
      - match: {path: /v1/chat/completions, contains: refund}
        times: 2
        fault: {status: 429, headers: {retry-after-ms: "20"}}
      - share: 0.1
        fault: {reset: headers}
    ```

    All of `match` must hold: `path` (`*` stands for anything), `method`, `model` (one of these), `contains` (all of these
    texts are in the body), `nth` (it is the n-th request for which the rest holds). Of those that match, a fault meets
    the first so many (`times`), each n-th (`every`), or a part (`share`, drawn by seed and request, so that the order of
    requests that run side by side does not matter); without any of these, all. With `per: request`, equal requests are
    counted apart from others.

    Args:
        rules: As in a file.
        seed: For `share`.

    Raises:
        FaultError: A rule is wrong.
    """

    def __init__(self, rules: Sequence[Mapping[str, JSON]] = (), *, seed: int = 0) -> None:
        self._rules = fault_form.checked(rules)
        self._seed = seed
        #: How often each rule's conditions held, in all or for one request.
        self._met: Counter[tuple[int, bytes]] = Counter()
        #: How often each rule, by its number from 0, has made a request go wrong.
        self.used: Counter[int] = Counter()

    @classmethod
    def load(cls, path: Path | str, *, seed: int = 0) -> Self:
        """Read rules from a YAML file.

        Raises:
            FaultError: It cannot be read, or is wrong: file, line and what.
        """
        return cls(fault_form.read(Path(path)), seed=seed)

    def choose(self, asked: Asked) -> Mapping[str, JSON] | None:
        """Return the fault that meets a request, or None. The request is counted."""
        for number, rule in enumerate(self._rules):
            if not _matches(rule.get("match", {}), asked):
                continue
            self._met[number, b""] += 1
            self._met[number, asked.identity] += 1
            if self._applies(number, rule, asked.identity):
                self.used[number] += 1
                fault: Mapping[str, JSON] = rule["fault"]
                return fault
        return None

    def _applies(self, number: int, rule: Mapping[str, JSON], identity: bytes) -> bool:
        met = self._met[number, identity if rule.get("per") == "request" else b""]
        nth = rule.get("match", {}).get("nth", met)
        if met not in (nth if isinstance(nth, list) else [nth]):
            return False
        if "times" in rule:
            return bool(met <= rule["times"])
        if "every" in rule:
            return bool(met % rule["every"] == 0)
        if "share" in rule:
            return bool(self._drawn(number, identity) < rule["share"])
        return True

    def _drawn(self, number: int, identity: bytes) -> float:
        """A number from 0 to 1, the same for the n-th of equal requests whatever comes between."""
        again = self._met[number, identity]
        draw = hashlib.sha256(f"{self._seed}/{number}/{again}/".encode() + identity).digest()
        return int.from_bytes(draw[:6]) / (1 << 48)


def _matches(match: Mapping[str, JSON], asked: Asked) -> bool:
    body = asked.body.decode("utf-8", errors="replace") if "contains" in match else ""
    return (
        ("path" not in match or any(fnmatchcase(asked.path, path) for path in _many(match["path"])))
        and ("method" not in match or asked.method in _many(match["method"]))
        and ("model" not in match or asked.model in _many(match["model"]))
        and all(text in body for text in _many(match.get("contains", ())))
    )


def _many(given: JSON) -> Sequence[str]:
    return [given] if isinstance(given, str) else list(given)
