import asyncio
import base64
import sys
import threading

import cv2
import numpy as np
import pytest
from serving import DEATH, ERROR, SETUP, SLEEP, png, wait_for
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from karyofast.batch_image import Setup
from karyofast.cli.serve import serve
from karyofast.config import Options, SegmentOptions
from karyofast.errors import NotBuiltError, OptionError
from karyofast.serve.app import create_app
from karyofast.serve.guard import Guard
from karyofast.serve.metrics import Metrics
from karyofast.serve.options import ServeOptions, check_host, read_tokens
from karyofast.serve.service import plain_name

ONE, JOBS = "/v1/karyotypes", "/v1/jobs"


def is_ready(client):
    return client.get("/ready").status_code == 200


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def client(state):
    options = ServeOptions(
        state=state, queue=1, backlog=3, job_images=3, seconds=8.0, max_mib=0.01, job_mib=0.02, megapixels=0.01
    )
    with TestClient(create_app(SETUP, options)) as client:
        wait_for(lambda: is_ready(client))
        yield client


def send(client, data, name="cell.png", **query):
    return client.post(ONE, files={"image": (name, data)}, params=query)


def decoded(text):
    return cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)


def test_a_picture_comes_back_as_karyotype_and_pictures(client, tmp_path):
    answer = send(client, png(tmp_path, 7), "slide 3/cell.07.png")
    assert answer.status_code == 200
    told = answer.json()
    assert (told["name"], told["count"], told["draft"]) == ("cell.07.png", 7, True)
    assert told["karyotype"]["image"] == "cell.07"
    assert len(told["karyotype"]["chromosomes"]) == 7
    assert min(decoded(told["karyogram_png"]).shape[:2]) > 100
    assert decoded(told["overlay_png"]) is not None


def test_pictures_are_left_out_on_request(client, tmp_path):
    told = send(client, png(tmp_path, 7), pictures=False).json()
    assert told["karyogram_png"] is None
    assert told["count"] == 7


def test_nothing_of_a_picture_stays(client, state, tmp_path):
    send(client, png(tmp_path, 7))
    assert list((state / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        (b"GIF89a....", 415, "must be a TIFF, PNG, JPEG or BMP"),
        (b"", 415, "must be a TIFF, PNG, JPEG or BMP"),
        (b"\x89PNG\r\n\x1a\nbroken", 422, "read: is no picture that can be decoded"),
        (b"II*\0broken", 422, "read: is a broken TIFF file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(2**14), 413, "must have 10485 bytes or less"),
    ],
)
def test_what_is_no_picture_or_too_large_is_told_why(client, state, data, status, reason):
    answer = send(client, data)
    assert answer.status_code == status
    assert reason in answer.json()["detail"]
    assert str(state) not in answer.text


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(client):
    flat = cv2.imencode(".png", np.zeros((101, 100), np.uint8))[1].tobytes()
    answer = send(client, flat)
    assert answer.status_code == 422
    assert "has 100 x 101 pixels, more than the 0.01 million" in answer.json()["detail"]


def test_a_body_that_does_not_tell_its_length_is_cut_off(client):
    def body():
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        for _ in range(20):
            yield bytes(1024)

    answer = client.post(ONE, content=body(), headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 413


def test_a_request_that_does_not_arrive_in_time_is_given_up():
    async def app(scope, receive, send):
        await receive()

    async def nothing_comes():
        await asyncio.sleep(3600)

    guard = Guard(app, ServeOptions(upload_seconds=0.05), (), Metrics())
    scope = {"type": "http", "method": "POST", "path": ONE, "headers": []}
    with pytest.raises(HTTPException, match="must arrive within") as raised:
        asyncio.run(guard(scope, nothing_comes, None))
    assert raised.value.status_code == 408


def test_what_fails_in_a_worker_is_told_with_its_stage_and_the_next_picture_is_done(client, tmp_path):
    answer = send(client, png(tmp_path, ERROR))
    assert (answer.status_code, answer.json()["detail"]) == (
        500, "analyse: unexpected ZeroDivisionError: thirteen",
    )  # fmt: skip
    answer = send(client, png(tmp_path, DEATH))
    assert (answer.status_code, answer.json()["detail"]) == (500, "a worker ended with code -9 in the stage analyse.")
    assert send(client, png(tmp_path, 7)).status_code == 200


def test_a_picture_that_takes_too_long_is_ended_and_what_finds_no_place_meanwhile_is_429(client, tmp_path):
    answers = []
    slow = threading.Thread(target=lambda: answers.append(send(client, png(tmp_path, SLEEP))))
    slow.start()
    wait_for(lambda: "karyofast_admitted_requests 1.0" in client.get("/metrics").text)
    second = threading.Thread(target=lambda: answers.append(send(client, png(tmp_path, 7))))
    second.start()
    wait_for(lambda: "karyofast_waiting_images 1.0" in client.get("/metrics").text)
    refused = send(client, png(tmp_path, 7))
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    slow.join()
    second.join()
    assert [answer.status_code for answer in answers] == [422, 200]
    assert "took longer than 8 s, in the stage analyse" in answers[0].json()["detail"]


def test_a_picture_that_waits_too_long_is_429(tmp_path):
    options = ServeOptions(seconds=2.0, queue_seconds=1e-6)
    with TestClient(create_app(SETUP, options)) as client:
        assert send(client, png(tmp_path, 7)).status_code == 429


def post_job(client, *pictures):
    return client.post(JOBS, files=[("images", (f"{number}.png", data)) for number, data in enumerate(pictures)])


def finished(client, job):
    return wait_for(lambda: (told := client.get(f"{JOBS}/{job}").json())["status"] == "done" and told)


def test_a_job_answers_at_once_and_its_pictures_can_be_fetched(client, state, tmp_path):
    answer = post_job(client, png(tmp_path, 7), b"\x89PNG\r\n\x1a\nbroken", png(tmp_path, 9))
    assert answer.status_code == 202
    job = answer.json()["id"]
    told = finished(client, job)
    assert (told["done"], told["failed"]) == (2, 1)
    assert [(one["name"], one["status"], one["count"]) for one in told["images"]] == [
        ("0.png", "done", 7), ("1.png", "failed", None), ("2.png", "done", 9),
    ]  # fmt: skip
    assert told["images"][1]["error"].startswith("is no picture that can be decoded")
    assert client.get(f"{JOBS}/{job}/images/2").json()["count"] == 9
    assert client.get(f"{JOBS}/{job}/images/1").status_code == 409
    assert client.get(f"{JOBS}/{job}/images/3").status_code == 404
    picture = client.get(f"{JOBS}/{job}/images/0/overlay.png")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content == (state / "jobs" / job / "0" / "overlay.png").read_bytes()
    assert not list((state / "jobs").glob("*/*.image"))
    assert client.delete(f"{JOBS}/{job}").status_code == 204
    assert client.get(f"{JOBS}/{job}").status_code == 404
    assert not (state / "jobs" / job).exists()


def test_a_job_with_what_is_no_picture_or_too_many_of_them_leaves_nothing(client, state, tmp_path):
    before = sorted((state / "jobs").iterdir())
    assert post_job(client, png(tmp_path, 7), b"none").status_code == 415
    assert post_job(client, *[png(tmp_path, 7)] * 4).status_code == 413
    assert sorted((state / "jobs").iterdir()) == before


def test_a_job_that_finds_no_place_is_429(client, tmp_path):
    first = post_job(client, *[png(tmp_path, SLEEP)] * 3).json()["id"]
    second = post_job(client, *[png(tmp_path, 7)] * 3)
    assert second.status_code == 429
    assert "3 more would be above 3" in second.json()["detail"]
    assert client.delete(f"{JOBS}/{first}").status_code == 204


def test_paths_of_clients_are_never_opened(client):
    for job in ("../../etc", "..%2f..%2fetc%2fpasswd", "0" * 32):
        assert client.get(f"{JOBS}/{job}").status_code in (404, 422)
    assert plain_name("..\\..\\windows\\system.ini") == "system.ini"
    assert plain_name("a\0b\n.png") == "ab.png"
    assert plain_name("\udce4") == "image"


def test_health_readiness_and_metrics(client):
    assert client.get("/health").json()["status"] == "ok"
    assert wait_for(lambda: client.get("/ready").json()["ready"]) == 1
    text = client.get("/metrics").text
    assert 'karyofast_requests_total{method="POST",route="/v1/karyotypes",status="200"}' in text
    assert "karyofast_image_seconds_count" in text


def test_a_service_without_its_models_is_not_ready_and_says_why(tmp_path):
    setup = Setup(Options(segment=SegmentOptions(model="no-such-model")), "settings")
    with TestClient(create_app(setup)) as client:
        told = wait_for(lambda: (answer := client.get("/ready")).json()["trouble"] and answer)
        assert told.status_code == 503
        assert "no-such-model" in told.json()["trouble"]


def test_without_a_token_only_health_readiness_and_the_document_are_told(tmp_path, monkeypatch):
    tokens = tmp_path / "tokens"
    tokens.write_text("# ward\n0123456789abcdef\n\nfedcba9876543210\n")
    app = create_app(SETUP, ServeOptions(state=tmp_path / "state", token_file=tokens))
    client = TestClient(app)  # no worker is started
    try:
        assert client.get("/health").status_code == client.get("/openapi.json").status_code == 200
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic 0123456789abcdef"}):
            refused = client.get("/metrics", headers=headers)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
            assert client.post(ONE, headers=headers).status_code == 401
        assert client.get("/metrics", headers={"Authorization": "Bearer fedcba9876543210"}).status_code == 200
        assert client.post(ONE, headers={"Authorization": "Bearer 0123456789abcdef"}).status_code == 422
    finally:
        app.state.service.close()


@pytest.mark.parametrize("package", ["python_multipart", "uvicorn"])
def test_a_package_that_is_missing_is_named_with_what_installs_it(monkeypatch, package):
    monkeypatch.delitem(sys.modules, "karyofast.serve.server", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(NotBuiltError, match=rf"serve needs the package {package}.*karyofast\[serve\]"):
        serve()


def test_one_state_folder_belongs_to_one_service(client, state):
    with pytest.raises(OptionError, match="another service uses it"):
        create_app(SETUP, ServeOptions(state=state))


@pytest.mark.parametrize(
    ("text", "reason"), [("", "must hold a token"), ("short", "16 characters or more. Got: one of 5")]
)
def test_a_file_of_tokens_must_hold_good_ones(tmp_path, text, reason):
    (tmp_path / "tokens").write_text(text)
    with pytest.raises(OptionError, match=reason):
        read_tokens(tmp_path / "tokens")


def test_other_networks_are_only_served_with_tokens(tmp_path):
    check_host("127.0.0.1", None)
    check_host("::1", None)
    check_host("0.0.0.0", tmp_path / "tokens")
    with pytest.raises(OptionError, match=r"without a token file\. Got: 0\.0\.0\.0"):
        check_host("0.0.0.0", None)


@pytest.mark.parametrize(
    ("name", "value"), [("workers", 0), ("queue", -1), ("megapixels", 0.0), ("keep_hours", float("nan"))]
)
def test_options_are_checked(name, value):
    with pytest.raises(OptionError, match=name):
        ServeOptions(**{name: value})
