#!/usr/bin/env python3
"""The sample wallet: what a partner of rewardd looks like, and every way one can misbehave.

As a module it is the partner of the integration tests; as a program (./dev demo) it is
    python3 wallet.py --port 0 --secret S [--secret-next S2] [--port-file F]

    POST /payouts    the delivery of the contract; 200 {"payout_id": "..."}; same id, same payout
    GET  /control    counts and balances
    POST /control    {"next": [behaviour, ...], "always": behaviour or null,
                      "users": {user id: behaviour or null}}

A behaviour is {"do": name, ...}; "pay": true books the payout before misbehaving, which is what
makes retries dangerous. Names: ok; status (status, retry_after); redirect (location); hang; drip;
flood (size); reset; garbage; text (body, status); new_payout_id.
"""

import argparse
import base64
import collections
import hashlib
import hmac
import http.server
import json
import os
import re
import signal
import socket
import struct
import threading
import time
import urllib.parse
from decimal import Decimal

TIMESTAMP_SLACK_S = 300
OK = {"do": "ok"}


def key_of(secret):
    """Standard Webhooks writes keys as whsec_<base64>; any other secret is its own bytes."""
    if secret.startswith("whsec_"):
        return base64.b64decode(secret[6:])
    return secret.encode()


def signature_faults(headers, body, secrets, now):
    """All that is wrong with the signatures of a request, as text; both families when present."""
    keys = [key_of(secret) for secret in secrets if secret]
    faults, families = [], 0
    if "webhook-signature" in headers:
        families += 1
        name, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        signed = f"{name}.{stamp}.".encode() + body
        wanted = {"v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
                  for key in keys}
        if not wanted & set(headers["webhook-signature"].split()):
            faults.append("webhook-signature does not match")
        if not stamp.isdigit() or abs(now - int(stamp)) > TIMESTAMP_SLACK_S:
            faults.append(f"webhook-timestamp {stamp!r} is not now")
    if "x-signature" in headers:
        families += 1
        stamp = headers.get("x-timestamp", "")
        wanted = {"sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest() for key in keys}
        if not wanted & set(re.split(r"[ ,]+", headers["x-signature"])):
            faults.append("X-Signature does not match")
        if not stamp.isdigit() or abs(now - int(stamp)) > TIMESTAMP_SLACK_S:
            faults.append(f"X-Timestamp {stamp!r} is not now")
    if families == 0:
        faults.append("not signed at all")
    return faults


class Request:
    """One request as it came, and what was done with it."""

    def __init__(self, path, headers, body, behaviour):
        self.path, self.headers, self.body = path, headers, body
        self.behaviour, self.at, self.sent_size = behaviour, time.monotonic(), 0
        try:
            self.json = json.loads(body)
        except ValueError:
            self.json = None

    @property
    def id(self):
        return (self.json or {}).get("request_id")


class Wallet:
    """Threads: every method may be called from any thread. start/stop, or use it with `with`."""

    def __init__(self, secrets, port=0, host="127.0.0.1", keep_requests=True):
        self.secrets = list(secrets)
        self.changed = threading.Condition()
        self.stopping, self.released = threading.Event(), threading.Event()
        self.requests, self.conflicts, self.bad_signatures = [], [], []
        self.keep_requests, self.request_count = keep_requests, 0
        self.balances = collections.defaultdict(Decimal)  # (user, kind, currency) -> amount
        self._payouts, self._serial = {}, 0
        self._next, self._always, self._users = collections.deque(), OK, {}
        wallet = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60
            # Headers and body leave in two writes; Nagle would hold the second for 40 ms.
            disable_nagle_algorithm = True

            def do_POST(self):
                wallet._post(self)

            def do_GET(self):
                wallet._get(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                """A broken connection is what half of these behaviours are for."""

        self._server = Server((host, port), Handler)
        self.host, self.port = self._server.server_address[:2]
        self.url = f"http://{self.host}:{self.port}/payouts"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,),
                                        daemon=True)

    # -------- life

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self.stopping.set()
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    __enter__ = start

    def __exit__(self, *_):
        self.stop()

    # -------- being told what to do

    def next(self, *behaviours):
        """The next requests, one behaviour each; then it is as before."""
        with self.changed:
            self._next.extend(behaviours)

    def always(self, do=None, **more):
        """All requests from now on; always() heals. Clears what was queued."""
        with self.changed:
            self._next.clear()
            self._always = {"do": do, **more} if do else OK

    def for_user(self, user, do=None, **more):
        with self.changed:
            if do:
                self._users[user] = {"do": do, **more}
            else:
                self._users.pop(user, None)

    def release(self):
        """Lets go of everything that hangs."""
        self.released.set()

    # -------- being asked what happened

    def payouts(self):
        """request_id -> {"payout_id", "user_id", "reward"}: what left the wallet, each once."""
        with self.changed:
            return dict(self._payouts)

    def attempts(self, request_id):
        with self.changed:
            return [request for request in self.requests if request.id == request_id]

    def wait_for(self, predicate, timeout=15.0, what=None):
        """Waits for predicate(wallet) to be true after some request."""
        with self.changed:
            if not self.changed.wait_for(lambda: predicate(self), timeout):
                raise AssertionError(f"the wallet did not see in {timeout} s: {what or predicate}")

    def total(self, kind, user=None):
        with self.changed:
            return sum((amount for (who, what, _), amount in self.balances.items()
                        if what == kind and user in (None, who)), Decimal(0))

    # -------- the server's side

    def _pay(self, body, fresh=False):
        """Books the payout once for a request id; the same answer for ever after."""
        request_id, user, reward = body["request_id"], body["user_id"], body["reward"]
        known = self._payouts.get(request_id)
        if known is None:
            self._serial += 1
            known = self._payouts[request_id] = {
                "payout_id": f"po_{self._serial}", "user_id": user, "reward": reward}
            kind, currency = reward.get("type"), reward.get("currency")
            amount = Decimal(str(reward.get("amount", reward.get("count", 1))))
            self.balances[user, kind, currency] += amount
        elif known["user_id"] != user or known["reward"] != reward:
            self.conflicts.append((request_id, known, body))
        if fresh:
            self._serial += 1
            return f"po_{self._serial}"
        return known["payout_id"]

    def _post(self, handler):
        size = int(handler.headers.get("Content-Length", 0))
        body = handler.rfile.read(size)
        if handler.path == "/control":
            return self._control(handler, json.loads(body))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self.changed:
            faults = signature_faults(headers, body, self.secrets, time.time())
            request = Request(handler.path, headers, body, None)
            shaped = request.json is not None and all(
                key in request.json for key in ("request_id", "user_id", "reward"))
            behaviour = self._always
            if shaped and request.json["user_id"] in self._users:
                behaviour = self._users[request.json["user_id"]]
            elif self._next:
                behaviour = self._next.popleft()
            request.behaviour = behaviour
            self.request_count += 1
            if self.keep_requests:
                self.requests.append(request)
            payout_id = None
            if faults:
                self.bad_signatures.append((faults, headers, body))
            elif shaped and behaviour.get("pay", behaviour["do"] in ("ok", "new_payout_id")):
                payout_id = self._pay(request.json, behaviour["do"] == "new_payout_id")
            self.changed.notify_all()
        if faults:
            return self._answer(handler, 401, {"error": faults})
        if not shaped:
            return self._answer(handler, 400, {"error": "not a delivery"})
        try:
            self._behave(handler, request, behaviour, payout_id)
        except OSError:
            handler.close_connection = True
        finally:
            with self.changed:
                self.changed.notify_all()

    def _behave(self, handler, request, behaviour, payout_id):
        do = behaviour["do"]
        if do in ("ok", "new_payout_id"):
            self._answer(handler, 200, {"payout_id": payout_id})
        elif do == "status":
            more = {}
            if behaviour.get("retry_after") is not None:
                more["Retry-After"] = str(behaviour["retry_after"])
            self._answer(handler, behaviour["status"], {"error": "as told"}, more)
        elif do == "redirect":
            self._answer(handler, behaviour.get("status", 302), {},
                         {"Location": behaviour.get("location", self.url + "/elsewhere")})
        elif do == "text":
            self._raw(handler, behaviour.get("status", 200), behaviour["body"].encode())
        elif do == "hang":
            handler.close_connection = True
            self.released.wait(behaviour.get("seconds", 60))
        elif do == "drip":
            handler.close_connection = True
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not self.stopping.wait(behaviour.get("every", 1.0)):
                handler.wfile.write(b" ")
                request.sent_size += 1
        elif do == "flood":
            handler.close_connection = True
            left = behaviour.get("size", 1 << 30)
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
            block = b" " * 65536
            while left > 0 and not self.stopping.is_set():
                handler.wfile.write(block)
                request.sent_size += len(block)
                left -= len(block)
        elif do == "reset":
            # A linger time of zero turns close into a TCP reset.
            handler.close_connection = True
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          struct.pack("ii", 1, 0))
            handler.connection.close()
        elif do == "garbage":
            handler.close_connection = True
            handler.wfile.write(b"\x00\xff\x16\x03 not http at all\r\n\r\n")
        else:
            raise ValueError(f"no behaviour {do!r}")

    def _answer(self, handler, status, value, more=None):
        self._raw(handler, status, json.dumps(value).encode(), more)

    def _raw(self, handler, status, body, more=None):
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        for name, value in (more or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def _control(self, handler, order):
        if "always" in order:
            self.always(**(order["always"] or {}))
        for user, behaviour in order.get("users", {}).items():
            self.for_user(user, **(behaviour or {}))
        self.next(*order.get("next", []))
        self._answer(handler, 200, {})

    def _get(self, handler):
        if urllib.parse.urlsplit(handler.path).path != "/control":
            return self._answer(handler, 404, {"error": "see /control"})
        with self.changed:
            totals = collections.defaultdict(Decimal)
            for (_, kind, currency), amount in self.balances.items():
                totals[f"{kind} {currency}" if currency else kind] += amount
            report = {"requests": self.request_count, "payouts": len(self._payouts),
                      "players": len({user for user, _, _ in self.balances}),
                      "bad_signatures": len(self.bad_signatures),
                      "conflicts": len(self.conflicts),
                      "totals": {name: str(amount) for name, amount in sorted(totals.items())}}
        self._answer(handler, 200, report)


def main():
    parser = argparse.ArgumentParser(description="the sample wallet of rewardd")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--secret", required=True)
    parser.add_argument("--secret-next", default="")
    parser.add_argument("--port-file", help="gets one line host:port when the wallet listens")
    options = parser.parse_args()
    wallet = Wallet([options.secret, options.secret_next], options.port, options.host,
                    keep_requests=False).start()
    print(f"wallet: {wallet.url} (state: GET /control)", flush=True)
    if options.port_file:
        with open(options.port_file + ".new", "w", encoding="ascii") as file:
            file.write(f"{wallet.host}:{wallet.port}\n")
        os.replace(options.port_file + ".new", options.port_file)
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    signal.sigwait(signals)
    wallet.stop()


if __name__ == "__main__":
    main()
