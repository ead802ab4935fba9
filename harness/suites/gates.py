"""Thresholds on a whole suite. Each metric has one direction, so a gate is a name and a number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from harness.amounts import Duration, Money
from harness.validation import Flag, Number

_PASS_K = re.compile(r"pass\^([1-9][0-9]*)\Z")


class TagGates(BaseModel):
    """Gates on the cases with one tag."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accuracy: Number | None = Field(None, ge=0, le=1, description="Share of trials that pass, at least")
    accuracy_ci: Number | None = Field(
        None, ge=0, le=1, description="Lower end of the accuracy's 95% interval, at least"
    )
    score: Number | None = Field(None, ge=0, le=1, description="Mean score, at least")
    error_rate: Number | None = Field(None, ge=0, le=1, description="Share of trials that end in error, at most")
    latency_p50: Duration | None = Field(None, description="Median latency, at most")
    latency_p95: Duration | None = Field(None, description="95th percentile of the latency, at most")
    ttft_p50: Duration | None = Field(None, description="Median time to first token, at most")
    ttft_p95: Duration | None = Field(None, description="95th percentile of the time to first token, at most")
    cost: Money | None = Field(None, description="Cost of all trials of the variant, at most")
    cost_per_trial: Money | None = Field(None, description="Mean cost of a trial, at most")
    tokens_per_trial: Number | None = Field(None, ge=0, description="Mean tokens of a trial, at most")
    pass_k: Mapping[int, float] = Field(
        default_factory=dict, alias="pass^k", description="Chance that k repeats of a case all pass, at least"
    )

    @model_validator(mode="before")
    @classmethod
    def _collect_pass_k(cls, data: Any) -> Any:
        """Gather `pass^3: 0.75` and the like into one mapping."""
        if not isinstance(data, Mapping):
            return data
        kept = {key: value for key, value in data.items() if not _PASS_K.match(str(key))}
        found = {int(str(key)[5:]): value for key, value in data.items() if _PASS_K.match(str(key))}
        wrong = [
            InitErrorDetails(
                type=PydanticCustomError("value_error", f"pass^{k} is a share from 0 to 1, not {value!r}"),
                loc=(f"pass^{k}",),
                input=value,
            )
            for k, value in found.items()
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1
        ]
        if wrong:
            raise ValidationError.from_exception_data("gates", wrong)
        return {**kept, "pass^k": found} if found else kept


class Gates(TagGates):
    """Gates on every candidate of a suite."""

    not_worse_than_baseline: Flag = Field(
        default=False, description="Shown to be not worse than the baseline by the margin"
    )
    better_than_baseline: Flag = Field(default=False, description="Shown to be better than the baseline")
    tags: Mapping[str, TagGates] = Field(default_factory=dict, description="Gates on the cases with a tag")
