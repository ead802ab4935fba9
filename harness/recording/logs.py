"""Secrets out of what the HTTP stack and the SDK log of requests and answers while a run's clients are open."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

#: Whose loggers see requests, headers and bodies.
_FAMILIES = ("openai", "httpx2", "httpcore2", "httpx", "httpcore", "vcr")


class QuietLogs(logging.Filter):
    """Takes secrets out of every record of these loggers; nothing else of them changes."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__()
        self._redact = redact
        self._loggers: list[logging.Logger] = []

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            said = record.getMessage()
        except Exception:  # noqa: BLE001 (a record that cannot be formatted is for logging itself to complain of)
            return True
        record.msg, record.args = self._redact(said), None
        if record.exc_info and record.exc_info[0] is not None and not record.exc_text:
            # Formatters show this text and do not make their own.
            record.exc_text = self._redact(logging.Formatter().formatException(record.exc_info))
        return True

    def install(self) -> None:
        """Listen to the loggers that there are by now; to be called again once a client is there."""
        for logger in _of_families():
            # A filter holds for its own logger, not for those below it.
            if self not in logger.filters:
                logger.addFilter(self)
                self._loggers.append(logger)

    def remove(self) -> None:
        """Leave the loggers as they were."""
        while self._loggers:
            self._loggers.pop().removeFilter(self)


def _of_families() -> Iterator[logging.Logger]:
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in _FAMILIES:
            yield logging.getLogger(name)
