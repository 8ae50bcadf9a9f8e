"""What surrounds the views: the docs page, headers that protect, health, metrics, request ids."""

from __future__ import annotations

import uuid

from flask.testing import FlaskClient


def test_the_docs_page_asks_no_other_host(client: FlaskClient) -> None:
    answer = client.get("/api/docs")
    assert answer.status_code == 200
    assert "http" not in answer.text.replace("http-equiv", "")
    for file in ("swagger-ui.css", "swagger-ui-bundle.js"):
        with client.get(f"/api/docs/files/{file}") as sent:
            assert sent.status_code == 200
    assert client.get("/api/docs/files/../../secret").status_code == 404


def test_every_answer_carries_the_headers_that_protect(client: FlaskClient) -> None:
    for path in ("/sign-in", "/api/v1/api-keys/", "/nothing", "/healthz"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
    nonces = {client.get("/sign-in").headers["Content-Security-Policy"] for _ in range(3)}
    assert len(nonces) == 3


def test_health_and_metrics(client: FlaskClient) -> None:
    assert client.get("/healthz").get_json() == {"database": "ok"}
    assert "changdan_requests_total" in client.get("/metrics").text
    outside = {"REMOTE_ADDR": "203.0.113.7"}
    assert client.get("/metrics", environ_base=outside).status_code == 404
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 404


def test_a_request_keeps_the_id_that_a_proxy_gave_it(client: FlaskClient) -> None:
    given = uuid.uuid4().hex
    assert client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given
    assert client.get("/healthz", headers={"X-Request-ID": "bad id\t"}).headers["X-Request-ID"] != "bad id\t"
