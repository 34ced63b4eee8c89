"""The sample wallet itself: a partner that cannot be trusted must at least fail as told."""

import base64
import hashlib
import hmac
import http.client
import json
import socket
import subprocess
import sys
import time
import urllib.parse
from decimal import Decimal

import pytest

import rewardd
from wallet import Wallet, key_of

SECRET = rewardd.SECRET


def delivery(request_id, user="u1", amount="5.00"):
    return {"request_id": request_id, "user_id": user, "reason": "pays:10", "kyc_level": 2,
            "reward": {"type": "cash", "amount": amount, "currency": "EUR"}, "constraints": {}}


def signed(body, request_id, secret=SECRET, families="both"):
    stamp, key = str(int(time.time())), key_of(secret)
    headers = {"Content-Type": "application/json"}
    if families in ("both", "standard"):
        mac = hmac.digest(key, f"{request_id}.{stamp}.".encode() + body, "sha256")
        headers.update({"webhook-id": request_id, "webhook-timestamp": stamp,
                        "webhook-signature": "v1,bm9wZQ== v1," + base64.b64encode(mac).decode()})
    if families in ("both", "x"):
        headers.update({"X-Request-Id": request_id, "X-Timestamp": stamp, "X-Signature":
                        "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()})
    return headers


def send(wallet, request_id, timeout=5, headers=None, **more):
    body = json.dumps(delivery(request_id, **more)).encode()
    link = http.client.HTTPConnection(wallet.host, wallet.port, timeout=timeout)
    try:
        link.request("POST", "/payouts", body,
                     signed(body, request_id) if headers is None else headers(body))
        answer = link.getresponse()
        return answer, answer.read()
    finally:
        link.close()


def payout(answer):
    assert answer[0].status == 200, answer[1]
    return json.loads(answer[1])["payout_id"]


def test_pays_once_and_remembers(wallet):
    first = payout(send(wallet, "r1"))
    assert payout(send(wallet, "r1")) == first
    assert payout(send(wallet, "r2", amount="0.10")) != first
    assert wallet.total("cash", "u1") == Decimal("5.10")
    assert set(wallet.payouts()) == {"r1", "r2"} and len(wallet.attempts("r1")) == 2
    assert not wallet.conflicts
    send(wallet, "r1", amount="7.00")
    assert len(wallet.conflicts) == 1 and wallet.total("cash", "u1") == Decimal("5.10")


@pytest.mark.parametrize("families", ["both", "standard", "x"])
def test_each_signature_family_alone(wallet, families):
    payout(send(wallet, "r", headers=lambda body: signed(body, "r", families=families)))


def test_bad_signatures_are_refused_and_noted(wallet):
    def foreign(body):
        return signed(body, "r", secret="another")

    def half(body):
        return {**signed(body, "r"), "X-Signature": "sha256=00"}

    def stale(body):
        return {**signed(body, "r", families="x"), "X-Timestamp": "1000000000"}

    for headers in (foreign, half, stale, lambda body: {}):
        assert send(wallet, "r", headers=headers)[0].status == 401
    assert len(wallet.bad_signatures) == 4 and wallet.payouts() == {}


def test_two_secrets_during_a_rotation():
    with Wallet(["old", "new"]) as wallet:
        for secret in ("old", "new"):
            payout(send(wallet, secret,
                        headers=lambda body, s=secret: signed(body, s, secret=s)))


def test_queue_then_heal(wallet):
    wallet.next(*[{"do": "status", "status": 500}] * 3)
    assert [send(wallet, "r")[0].status for _ in range(4)] == [500, 500, 500, 200]
    wallet.always("status", status=429, retry_after=7)
    answer, _ = send(wallet, "s")
    assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
    assert "s" not in wallet.payouts()
    wallet.always("redirect")
    answer, _ = send(wallet, "s")
    assert answer.status == 302 and answer.headers["Location"].endswith("/elsewhere")
    wallet.for_user("u1", "status", status=404)
    wallet.always()
    assert send(wallet, "s")[0].status == 404
    wallet.for_user("u1")
    payout(send(wallet, "s"))


def test_pays_and_then_says_no(wallet):
    wallet.next({"do": "status", "status": 500, "pay": True})
    assert send(wallet, "r")[0].status == 500
    assert wallet.total("cash") == 5
    payout(send(wallet, "r"))
    assert wallet.total("cash") == 5


def test_another_payout_id(wallet):
    first = payout(send(wallet, "r"))
    wallet.next({"do": "new_payout_id"})
    assert payout(send(wallet, "r")) != first
    assert wallet.total("cash") == 5


def test_hangs_until_released(wallet):
    wallet.next({"do": "hang", "pay": True})
    with pytest.raises(TimeoutError):
        send(wallet, "r", timeout=0.2)
    wallet.wait_for(lambda one: one.request_count == 1)
    assert "r" in wallet.payouts()
    wallet.release()


def test_reset_garbage_drip_and_flood(wallet):
    wallet.next({"do": "reset"}, {"do": "garbage"}, {"do": "drip", "every": 0.01},
                {"do": "flood", "size": 1 << 22})
    with pytest.raises(ConnectionError):
        send(wallet, "r")
    with pytest.raises(http.client.BadStatusLine):
        send(wallet, "r")
    body = json.dumps(delivery("r")).encode()
    link = http.client.HTTPConnection(wallet.host, wallet.port, timeout=5)
    link.request("POST", "/payouts", body, signed(body, "r"))
    answer = link.getresponse()
    assert answer.status == 200 and answer.read(5) == b"     "
    link.close()
    assert len(send(wallet, "r")[1]) == 1 << 22


def test_control_over_http_and_as_a_program(tmp_path):
    port_file = tmp_path / "wallet.port"
    source = rewardd.REPOSITORY / "tests" / "integration" / "wallet.py"
    program = subprocess.Popen([sys.executable, str(source), "--port", "0", "--secret", SECRET,
                                "--port-file", str(port_file)], stdout=subprocess.PIPE, text=True)
    try:
        assert urllib.parse.urlsplit(program.stdout.readline().split()[1]).path == "/payouts"
        rewardd.wait_until(port_file.exists)
        host, port = port_file.read_text().strip().split(":")
        link = http.client.HTTPConnection(host, int(port), timeout=5)
        link.request("POST", "/control", json.dumps({"next": [{"do": "status", "status": 503}]}))
        assert link.getresponse().read() == b"{}"
        body = json.dumps(delivery("r")).encode()
        for expected in (503, 200):
            link.request("POST", "/payouts", body, signed(body, "r"))
            answer = link.getresponse()
            answer.read()
            assert answer.status == expected
        link.request("GET", "/control")
        report = json.loads(link.getresponse().read())
        assert (report["requests"], report["payouts"]) == (2, 1)
        assert report["totals"] == {"cash EUR": "5.00"}
        link.close()
    finally:
        program.terminate()
        assert program.wait(10) == 0
        program.stdout.close()


def test_many_at_once(wallet):
    """The demo's partner must keep up with a burst, and the order of the answers be kept."""
    link = socket.create_connection((wallet.host, wallet.port), 5)
    requests = []
    for number in range(50):
        body = json.dumps(delivery(f"r{number}", amount="0.01")).encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in signed(body, f"r{number}").items())
        requests.append(f"POST /payouts HTTP/1.1\r\nHost: w\r\nContent-Length: {len(body)}\r\n"
                        f"{head}\r\n".encode() + body)
    link.sendall(b"".join(requests))
    wallet.wait_for(lambda one: one.request_count == 50)
    link.close()
    assert wallet.total("cash") == Decimal("0.50")
