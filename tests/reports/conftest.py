from __future__ import annotations

import pytest
from samples import Sample, make_sample


@pytest.fixture(scope="session")
def sample() -> Sample:
    return make_sample()
