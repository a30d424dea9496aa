"""What no client of ours sends: everything that schemathesis makes of the document, and 1,000 broken requests."""

import random
from contextlib import nullcontext

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from serving import SETUP, png, wait_for
from starlette.testclient import TestClient

from karyofast.serve.app import create_app
from karyofast.serve.options import ServeOptions

BROKEN = 1000

OPERATIONS = 9
"""Routes of the document."""

TOKEN = "0123456789abcdef"
LET_IN = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "tokens").write_text(TOKEN)
    app = create_app(SETUP, ServeOptions(state=folder / "state", token_file=folder / "tokens", megapixels=0.1))
    with TestClient(app) as client:
        wait_for(lambda: client.get("/ready").status_code == 200)
        # schemathesis would start and stop what runs already
        app.router.lifespan_context = lambda app: nullcontext()
        yield client


def test_the_service_answers_as_its_document_says_whatever_is_sent(client):
    schema = schemathesis.openapi.from_asgi("/openapi.json", client.app)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) == OPERATIONS
    for operation in operations:

        @given(case=operation.as_strategy())
        @settings(max_examples=15, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
        def holds(case):
            # bytes at random are a valid upload by the document, and no picture
            case.call_and_validate(headers=LET_IN, excluded_checks=[positive_data_acceptance])

        holds()


def broken(good, rng):
    """A request with something wrong in it: method, path, headers, body."""
    boundary = "x" * rng.randint(1, 20)
    field = rng.choice(["image", "image", "", "image\0"])
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="a.png"\r\n\r\n'.encode()
    part = rng.choice([good, b"no picture"])
    body = bytearray(head + part[: rng.randint(0, len(part) - 1)] + f"\r\n--{boundary}--\r\n".encode())
    for _ in range(rng.randint(0, 4)):
        body[rng.randrange(len(body))] = rng.randrange(256)
    del body[rng.choice([len(body), rng.randrange(len(body))]) :]
    kinds = [f"multipart/form-data; boundary={boundary}"] * 4 + ["multipart/form-data", "application/json", "", b"\xff"]
    paths = ["/v1/karyotypes"] * 4 + ["/v1/jobs", "/v1/jobs/%00", "/v1/jobs/x/images/-1", "/v1/../etc/passwd", "//"]
    path = rng.choice(paths) + rng.choice(["", "", "?pictures=maybe", "?pictures", "?%ff=%00"])
    method = rng.choice(["POST"] * 4 + ["PUT", "GET", "DELETE", "BREW"])
    return method, path, {**LET_IN, "Content-Type": rng.choice(kinds)}, bytes(body)


# Starlette leaves a part whose end never comes to the garbage collector
@pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")
def test_broken_requests_get_only_4xx(client, tmp_path):
    good, rng = png(tmp_path, 7), random.Random(0)
    requests = [broken(good, rng) for _ in range(BROKEN)]
    statuses = {client.request(how, path, content=body, headers=head).status_code for how, path, head, body in requests}
    assert {status // 100 for status in statuses} == {4}
    assert statuses >= {400, 404, 405, 415, 422}
