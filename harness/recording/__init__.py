"""Recording and replay: one cassette per trial, in vcrpy's format, without patching anything."""

from __future__ import annotations

from harness.recording.cassette import (
    Cassette,
    Facts,
    Interaction,
    Request,
)
from harness.recording.current import Tape, current_tape, use_conversation, use_tape
from harness.recording.emit import emit
from harness.recording.logs import QuietLogs
from harness.recording.marks import CALL, DEADLINE, QUERY, RECORDED, SETTLE, STEP, Step
from harness.recording.normalise import Normaliser
from harness.recording.playing import ReplayTape
from harness.recording.read import read_cassette
from harness.recording.redact import Redactor
from harness.recording.seal import sealed
from harness.recording.spans import time_parts
from harness.recording.tape import RecordingTape
from harness.recording.transport import AsyncRecordingTransport, RecordingTransport
from harness.recording.writer import Writer

__all__ = [
    "CALL",
    "DEADLINE",
    "QUERY",
    "RECORDED",
    "SETTLE",
    "STEP",
    "AsyncRecordingTransport",
    "Cassette",
    "Facts",
    "Interaction",
    "Normaliser",
    "QuietLogs",
    "RecordingTape",
    "RecordingTransport",
    "Redactor",
    "ReplayTape",
    "Request",
    "Step",
    "Tape",
    "Writer",
    "current_tape",
    "emit",
    "read_cassette",
    "sealed",
    "time_parts",
    "use_conversation",
    "use_tape",
]
