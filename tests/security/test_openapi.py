"""The HTTP interface keeps to its description (docs/openapi.yml), whatever is sent."""

from __future__ import annotations

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bot import __version__
from bot.evaluation.live import LiveBot
from bot.metrics import FAILURE, KINDS
from bot.train import ROOT

pytestmark = [pytest.mark.server, pytest.mark.model]
DESCRIPTION = yaml.safe_load((ROOT / "docs" / "openapi.yml").read_text())
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
schema = schemathesis.openapi.from_dict(DESCRIPTION)


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_answers_keep_to_the_description(case, bot: LiveBot):
    answer = case.call(base_url=bot.url)
    case.validate_response(answer, checks=CHECKS)


def test_the_description_names_the_version_and_kinds():
    assert DESCRIPTION["info"]["version"] == __version__
    kinds = DESCRIPTION["components"]["schemas"]["Custom"]["properties"]["kind"]["enum"]
    assert set(kinds) == KINDS - {FAILURE}
