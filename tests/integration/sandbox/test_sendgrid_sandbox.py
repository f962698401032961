"""SendGrid as the sandbox plays it: strict on bodies, and every exchange as its OpenAPI document has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import yaml
from openapi_core import Config, OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse
from tests.conftest import material

from arsync.sandbox.launch import SandboxControl

Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> OpenAPI:
    text = (material() / "sendgrid" / "sg_strict.yaml").read_text()
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return OpenAPI.from_dict(yaml.load(text, Loader=loader), config=Config(spec_validator_cls=None))


@pytest.fixture
def session(sandbox: SandboxControl) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer SG.sandbox"
        yield session
    sandbox.clear_faults()
    sandbox.limits("sendgrid", second=600, minute=None)
    sandbox.switches({"sendgrid.activity": False})


def mail(**changes: Any) -> Json:
    body: Json = {
        "personalizations": [{"to": [{"email": "ann@customer.example"}], "custom_args": {"message": "m1"}}],
        "from": {"email": "billing@seller.example", "name": "Seller, Inc."},
        "subject": "Invoice 1001",
        "content": [{"type": "text/plain", "value": "Hello"}, {"type": "text/html", "value": "<p>Hello</p>"}],
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


def send(sandbox: SandboxControl, session: requests.Session, body: Json) -> requests.Response:
    return session.post(f"{sandbox.sendgrid_host}/v3/mail/send", json=body, timeout=10)


def as_the_vendors(answer: requests.Response) -> tuple[RequestsOpenAPIRequest, RequestsOpenAPIResponse]:
    """The exchange as if it had gone to the vendor's own host."""
    request = answer.request.copy()
    request.url = "https://api.sendgrid.com/v3/mail/send"
    return RequestsOpenAPIRequest(request), RequestsOpenAPIResponse(answer)


def test_a_mail_is_accepted_with_an_id_and_kept(
    sandbox: SandboxControl, session: requests.Session, document: OpenAPI
) -> None:
    answer = send(
        sandbox, session, mail(headers={"List-Unsubscribe": "<https://seller.example>"}, categories=["dunning"])
    )
    request, response = as_the_vendors(answer)
    document.validate_request(request)
    document.validate_response(request, response)
    assert (answer.status_code, answer.content) == (202, b"")
    kept = sandbox.messages()[-1]
    assert kept["id"] == answer.headers["X-Message-Id"]
    assert (kept["to"], kept["subject"]) == (["ann@customer.example"], "Invoice 1001")
    assert (kept["custom_args"], kept["text"]) == ({"message": "m1"}, "Hello")


TO = [{"email": "ann@customer.example"}]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"subjct": "misspelt"}, "subjct"),
        ({"subject": None}, "subject"),
        ({"subject": 5}, "subject"),
        ({"content": None}, "content"),
        ({"content": [{"type": "text/plain", "value": ""}]}, "content.0.value"),
        ({"content": [{"type": "text/html", "value": "x"}, {"type": "text/plain", "value": "x"}]}, "content"),
        ({"from": None}, "from"),
        ({"from": {"email": "nobody"}}, "from.email"),
        ({"from": {"email": "bücher@seller.example"}}, "from.email"),
        ({"personalizations": []}, "personalizations"),
        ({"personalizations": [{}]}, "personalizations.0.to"),
        ({"personalizations": [{"to": []}]}, "personalizations.0.to"),
        ({"personalizations": [{"to": [{"email": "a@b.example", "name": "A; B"}]}]}, "personalizations.0.to.0.name"),
        ({"personalizations": [{"to": TO, "custom_args": {"id": 5}}]}, "personalizations.0.custom_args.id"),
        ({"personalizations": [{"to": TO, "custom_args": {"id": "x" * 10_000}}]}, "personalizations.0.custom_args"),
        ({"personalizations": [{"to": TO, "cc": [{"email": "ANN@customer.example"}]}]}, "personalizations.0.cc"),
        ({"personalizations": [{"to": TO}, {"to": TO}]}, "personalizations.1.to"),
        ({"headers": {"Subject": "x"}}, "headers.Subject"),
        ({"headers": {"X-Count": 1}}, "headers.X-Count"),
        ({"categories": [str(number) for number in range(11)]}, "categories"),
        ({"attachments": [{"content": "not base64!", "filename": "a.pdf"}]}, "attachments.0.content"),
        ({"send_at": "soon"}, "send_at"),
        ({"tracking_settings": {"click_tracking": {"enable": "no"}}}, "tracking_settings.click_tracking.enable"),
    ],
)
def test_a_wrong_body_is_refused_by_field_and_nothing_is_sent(
    sandbox: SandboxControl, session: requests.Session, document: OpenAPI, changes: Json, field: str
) -> None:
    before = len(sandbox.messages())
    answer = send(sandbox, session, mail(**changes))
    document.validate_response(*as_the_vendors(answer))
    assert answer.status_code == 400
    assert field in [error["field"] for error in answer.json()["errors"]]
    assert len(sandbox.messages()) == before


def test_a_wrong_key_is_refused_and_a_registered_one_opens(
    sandbox: SandboxControl, session: requests.Session, document: OpenAPI
) -> None:
    session.headers["Authorization"] = "Bearer SG.other"
    refused = send(sandbox, session, mail())
    document.validate_response(*as_the_vendors(refused))
    assert refused.status_code == 401
    sandbox.call("POST", "keys", {"sendgrid": "SG.other"})
    assert send(sandbox, session, mail()).status_code == 202


def test_a_full_window_is_a_429_that_says_when_it_opens(
    sandbox: SandboxControl, session: requests.Session, document: OpenAPI
) -> None:
    sandbox.advance(61)
    sandbox.limits("sendgrid", second=None, minute=2)
    answers = [send(sandbox, session, mail()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[0].headers["X-RateLimit-Remaining"] == "1"
    document.validate_response(*as_the_vendors(answers[2]))
    opens = int(answers[2].headers["X-RateLimit-Reset"]) - sandbox.now().timestamp()
    assert 0 < opens <= 60
    sandbox.advance(61)
    assert send(sandbox, session, mail()).status_code == 202


def test_sandbox_mode_only_checks(sandbox: SandboxControl, session: requests.Session) -> None:
    before = len(sandbox.messages())
    assert send(sandbox, session, mail(mail_settings={"sandbox_mode": {"enable": True}})).status_code == 200
    assert len(sandbox.messages()) == before


def test_activity_is_looked_up_by_unique_argument_where_it_was_bought(
    sandbox: SandboxControl, session: requests.Session
) -> None:
    block = {"to": [{"email": "bob@customer.example"}], "custom_args": {"message": "m-77"}}
    send(sandbox, session, mail(personalizations=[block]))
    url, query = f"{sandbox.sendgrid_host}/v3/messages", {"query": "unique_args['message']=\"m-77\"", "limit": "10"}
    assert session.get(url, params=query, timeout=10).status_code == 403
    sandbox.switches({"sendgrid.activity": True})
    found = session.get(url, params=query, timeout=10).json()["messages"]
    assert [message["to_email"] for message in found] == ["bob@customer.example"]


def test_a_time_out_after_the_effect_leaves_the_mail_sent(sandbox: SandboxControl, session: requests.Session) -> None:
    before = len(sandbox.messages())
    sandbox.fault("disconnect_after", {"provider": "sendgrid"})
    with pytest.raises(requests.ConnectionError):
        send(sandbox, session, mail())
    assert len(sandbox.messages()) == before + 1
