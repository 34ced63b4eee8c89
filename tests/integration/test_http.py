"""What comes in over HTTP: read strictly, limited everywhere, answered with a reason."""

import gzip
import json
import re
import socket
import urllib.parse

import pytest

import rewardd
from rewardd import bet, expect_problem, new_id, noon

KIB = 1024


def talk(daemon, data, timeout=30):
    """Sends raw bytes and reads until the daemon closes or a whole answer is there."""
    with daemon.connect(timeout) as link:
        link.sendall(data)
        return read_answer(link)


def read_answer(link):
    """(status, headers, body) of one answer, or None when the other side just closed."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            more = link.recv(65536)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in
                   (line.partition(":") for line in lines[1:])}
        while len(body) < int(headers.get("content-length", 0)):
            more = link.recv(65536)
            if not more:
                break
            body += more
        return int(lines[0].split()[1]), headers, body
    except ConnectionError:
        return None


def closed(link):
    try:
        return link.recv(1) == b""
    except ConnectionError:
        return True


def post(body, *lines):
    head = ["POST /v1/events HTTP/1.1", "Host: x", "Content-Type: application/json", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


GOOD = json.dumps(bet("raw", 1, ts=noon())).encode()


def test_health_and_ready(daemon):
    assert daemon.get("/healthz").status == 200
    assert daemon.get("/readyz").status == 200


def test_openapi(daemon):
    document = daemon.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    for path in ("/v1/events", "/v1/players/{id}", "/v1/reward-tasks", "/v1/budgets/{pool}",
                 "/v1/ledger", "/v1/dead-letters", "/v1/rules"):
        assert path in document["paths"], path


def test_metrics(daemon):
    daemon.accept(bet("somebody_private", 1, ts=noon()))
    answer = daemon.get("/metrics")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/plain")
    text = answer.body.decode()
    assert "somebody_private" not in text, "no user ids in metrics"
    names = {line.split("{")[0].split(" ")[0] for line in text.split("\n")
             if line and not line.startswith("#")}
    assert names and all(re.fullmatch(r"(rewardd|process)_[a-z0-9_]+", name) for name in names)
    assert not any(name.endswith(("_ms", "_us", "_kib", "_mib")) for name in names), "base units"
    typed = set(re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram|summary)$", text, re.M))
    for name in names:
        assert name in typed or re.sub(r"_(bucket|sum|count)$", "", name) in typed, name


def test_unknown_path_and_method(daemon):
    expect_problem(daemon.get("/v1/nothing"), 404)
    expect_problem(daemon.request("DELETE", "/v1/events"), 405)


def test_three_ways_to_write_events(daemon):
    assert daemon.post_events(bet("u", 1, ts=noon())).json["accepted"] == 1
    array = json.dumps([bet("u", 1, ts=noon()) for _ in range(3)])
    assert daemon.post_events(array, content_type="application/json").json["accepted"] == 3
    lines = rewardd.ndjson([bet("u", 1, ts=noon()) for _ in range(4)])
    assert daemon.post_events(lines).json["accepted"] == 4
    assert daemon.post_events(lines.rstrip(b"\n")).json["duplicates"] == 4, "no newline at the end"
    assert daemon.points("u", "stakes") == 8


def cloud(one):
    return {"specversion": "1.0", "id": one["event_id"], "source": "/tests",
            "type": one["event_name"], "time": one["ts"], "datacontenttype": "application/json",
            "data": one}


def test_cloudevents(daemon):
    one, two, three = (bet("u", 1, ts=noon()) for _ in range(3))
    answer = daemon.post_events(json.dumps(cloud(one)),
                                content_type="application/cloudevents+json")
    assert answer.status == 200 and answer.json["accepted"] == 1, answer
    answer = daemon.post_events(json.dumps([cloud(two)]),
                                content_type="application/cloudevents-batch+json")
    assert answer.status == 200 and answer.json["accepted"] == 1, answer
    answer = daemon.request("POST", "/v1/events", json.dumps(three).encode(), {
        "Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": three["event_id"],
        "ce-source": "/tests", "ce-type": "bet", "ce-time": three["ts"]})
    assert answer.status == 200 and answer.json["accepted"] == 1, answer
    assert daemon.points("u", "stakes") == 3


def test_cloudevents_whose_data_is_a_payload(daemon):
    """The attributes are the envelope, in all modes alike; in headers they are percent-encoded."""
    one, two = (bet("u/ü 1", 1, ts=noon()) for _ in range(2))
    version = one["version"]
    structured = dict(cloud(one), type="com.example.bet", subject="u/ü 1", data=one["payload"],
                      dataschema=f"https://schemas.example/bet/{version}.json")
    answer = daemon.post_events(json.dumps(structured), content_type="application/cloudevents+json")
    assert answer.json["accepted"] == 1, answer
    headers = {"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": two["event_id"],
               "ce-source": "/tests", "ce-type": "com.example.bet", "ce-time": two["ts"],
               "ce-subject": urllib.parse.quote("u/ü 1"), "ce-eventversion": version}
    answer = daemon.request("POST", "/v1/events", json.dumps(two["payload"]).encode(), headers)
    assert answer.status == 200 and answer.json["accepted"] == 1, answer
    assert daemon.points(urllib.parse.quote("u/ü 1", safe=""), "stakes") == 2
    del headers["ce-subject"]
    answer = daemon.request("POST", "/v1/events", json.dumps(two["payload"]).encode(), headers)
    rewardd.check_problem(answer.json["results"][0]["problem"], ("subject",))
    for body in (b'{"bet":1},"x":{}', b"[", b"5", b'{"bet":1'):
        answer = daemon.request("POST", "/v1/events", body, headers)
        assert answer.status == 400, answer


def test_an_unknown_content_type_is_refused(daemon):
    expect_problem(daemon.post_events(GOOD, content_type="text/csv"), (400, 415))


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip", "GZIP"])
def test_a_packed_body_is_refused_and_told_what_to_do(daemon, coding):
    """Read as if it were plain, it would be somebody else's event or nonsense; neither is guessed.
    """
    bodies = {"/v1/events": rewardd.ndjson([bet("u1", 1, ts=noon())]),
              "/v1/rules": b"return rule {", "/v1/rules/stakes/rollback": b"{}"}
    for path, body in bodies.items():
        answer = daemon.request("POST", path, gzip.compress(body), {
            "Content-Type": "application/json", "Content-Encoding": coding})
        problem = expect_problem(answer, 415, "Content-Encoding", coding, "as it is")
        assert answer.headers["Accept-Encoding"] == "identity", problem
        assert "415" in daemon.get("/openapi.json").json["paths"][
            path.replace("/stakes/", "/{id}/")]["post"]["responses"]
    assert daemon.get("/v1/players/u1").status == 404


@pytest.mark.parametrize("coding", ["identity", "Identity"])
def test_identity_is_no_encoding(daemon, coding):
    answer = daemon.request("POST", "/v1/events", json.dumps(bet("u1", 1, ts=noon())).encode(), {
        "Content-Type": "application/json", "Content-Encoding": coding})
    assert answer.status == 200 and answer.json["accepted"] == 1, answer


def test_results_are_in_input_order(daemon):
    events = [bet(f"u{number}", number % 3, ts=noon()) for number in range(50)]
    events[10]["event_name"] = "no_such_event"
    events[20]["ts"] = rewardd.now(3600)
    events[30] = dict(events[5])
    answer = daemon.post_events(events)
    body = answer.json
    assert [one["event_id"] for one in body["results"]] == [one["event_id"] for one in events]
    statuses = [one["status"] for one in body["results"]]
    assert (statuses[10], statuses[20], statuses[30]) == ("rejected", "rejected", "duplicate")
    assert statuses.count("accepted") == body["accepted"] == 47
    assert (body["duplicates"], body["rejected"]) == (1, 2)
    for one, result in zip(events, body["results"]):
        if result["status"] == "accepted" and one["payload"]["bet"]:
            assert result["points"] == [{"rule_id": "stakes", "version": "1.0.0",
                                         "points": one["payload"]["bet"]}]
        elif result["status"] == "rejected":
            rewardd.check_problem(result["problem"])


def test_prefer_minimal_keeps_counts_and_rejected(daemon):
    bad = bet("u", 1, ts=rewardd.now(3600))
    answer = daemon.post_events([bet("u", 1, ts=noon()), bad], minimal=True)
    body = answer.json
    assert (body["accepted"], body["duplicates"], body["rejected"]) == (1, 0, 1)
    assert [one["event_id"] for one in body.get("results", [])] == [bad["event_id"]]


# ---------------------------------------------------------------- bad events


def broken(change):
    one = bet("u1", 1, ts=noon())
    change(one)
    return one


@pytest.mark.parametrize("change, words", [
    (lambda one: one.pop("event_id"), ["event_id"]),
    (lambda one: one.pop("user"), ["user"]),
    (lambda one: one["user"].pop("id"), ["id"]),
    (lambda one: one.update(event_id=""), ["event_id"]),
    (lambda one: one.update(event_id=17), ["event_id"]),
    (lambda one: one["user"].update(id="x" * 10000), ["id"]),
    (lambda one: one["user"].update(id=["u1"]), ["id"]),
    (lambda one: one.update(ts="yesterday"), ["ts"]),
    (lambda one: one.update(ts="2025-02-30T00:00:00Z"), ["ts"]),
    (lambda one: one.update(ts=1700000000), ["ts"]),
    (lambda one: one.update(ts=rewardd.now(301 + 60)), ["ts_in_future"]),
    (lambda one: one.update(event_name="no_such_event"), ["event_name"]),
    (lambda one: one.update(version="99.0.0"), ["version"]),
    (lambda one: one["payload"].update(bet="much"), ["/payload/bet"]),
    (lambda one: one["payload"].pop("bet"), ["bet"]),
], ids=["no id", "no user", "no user id", "empty id", "number as id", "10 kB user", "list as user",
        "no time", "30 February", "number as time", "future", "unknown name", "unknown version",
        "text as stake", "no stake"])
def test_a_bad_event_is_told_why(daemon, change, words):
    problem = daemon.refuse(broken(change), *words)
    assert problem["status"] in (400, 413, 422)


def test_the_pointer_points(daemon):
    one = bet("u1", 1, ts=noon())
    one["payload"]["win"] = "lots"
    problem = daemon.refuse(one)
    assert [error["pointer"].lstrip("#") for error in problem["errors"]] == ["/payload/win"]


@pytest.mark.parametrize("text", [
    GOOD.replace(b'"raw"', b'"\xff\xfe"'), GOOD.replace(b'"raw"', b'"\xed\xa0\x80"'),
    GOOD.replace(b'"raw"', b'"\xc0\x80"'), GOOD.replace(b'"raw"', b'"\\ud800"'),
    GOOD.replace(b'"bet": 1', b'"bet": NaN'), GOOD.replace(b'"bet": 1', b'"bet": 1e999'),
    GOOD.replace(b'"bet": 1', b'"bet": 01'), GOOD.replace(b'"bet": 1', b'"bet": +1'),
    GOOD.replace(b'"bet": 1', b'"bet": 1, "bet": 2'),
    GOOD.replace(b'"bet": 1', b'"bet": 1, "b\\u0065t": 2'),
    GOOD.replace(b'"bet": 1', b'"bet": 1,'), GOOD[:-1], GOOD + b"x", GOOD.replace(b'"', b"'"),
    GOOD.replace(b'"raw"', b'"a\x00b"'), GOOD.replace(b'"raw"', b'"a\tb"'),
], ids=["latin-1", "surrogate in UTF-8", "overlong", "lone surrogate", "NaN", "1e999", "01", "+1",
        "duplicate key", "escaped duplicate key", "trailing comma", "cut", "tail", "quotes", "NUL",
        "control character"])
def test_bad_json_is_never_guessed(daemon, text):
    """Alone it is a bad request; between good lines it is one rejected line."""
    alone = daemon.post_events(text, content_type="application/json")
    if alone.status == 200:
        assert (alone.json["accepted"], alone.json["rejected"]) == (0, 1), alone
    else:
        expect_problem(alone, (400, 422))
    if b"\n" not in text:
        first, last = bet("u1", 1, ts=noon()), bet("u1", 2, ts=noon())
        answer = daemon.post_events(rewardd.ndjson([first]) + text + b"\n" + rewardd.ndjson([last]))
        assert answer.status == 200, answer
        assert [one["status"] for one in answer.json["results"]] == ["accepted", "rejected",
                                                                     "accepted"]
    assert daemon.points("u1", "stakes") == 3
    assert daemon.dead_letters("events")


@pytest.mark.parametrize("end", [b"", b",", b"] x", b"]]", b"]" + GOOD],
                         ids=["nothing", "comma", "word", "bracket", "event"])
def test_an_array_that_does_not_end_with_the_body(daemon, end):
    """What came whole is taken; that something is missing, or too much, is told."""
    one, two = bet("u1", 1, ts=noon()), bet("u1", 2, ts=noon())
    body = json.dumps([one, two]).encode()[:-1] + end
    answer = daemon.post_events(body, content_type="application/json")
    assert [result["status"] for result in answer.json["results"]] == ["accepted", "accepted",
                                                                       "rejected"], answer
    rewardd.check_problem(answer.json["results"][-1]["problem"], ("array", "invalid_json"))
    assert daemon.points("u1", "stakes") == 3


def test_nothing_to_parse(daemon):
    for body in (b"", b"\n\n", b"[]", b"null", b"hello", b"[", b"[] x", b"{}{}"):
        answer = daemon.post_events(body, content_type="application/json")
        if body == b"[]" and answer.status == 200:
            assert answer.json["accepted"] == 0
        else:
            expect_problem(answer, (400, 422))


def nested(depth):
    """An event whose deepest bracket is at this depth; the envelope itself is 1, payload is 2."""
    one = bet("u1", 1, ts=noon())
    one["payload"]["deep"] = json.loads("[" * (depth - 2) + "]" * (depth - 2))
    return one


def test_depth(daemon):
    daemon.accept(nested(31))
    daemon.refuse(nested(34))
    hostile = json.dumps(bet("u1", 1, ts=noon()))[:-1].encode() + b',"x":' + b"[" * 60000
    expect_problem(daemon.post_events(hostile, content_type="application/json"), (400, 413, 422))


def test_size_of_an_event(daemon):
    fits, over = bet("u1", 1, ts=noon()), bet("u1", 1, ts=noon())
    fits["note"] = "x" * (63 * KIB)
    over["note"] = "x" * (65 * KIB)
    answer = daemon.post_events([fits, over, bet("u1", 1, ts=noon())])
    assert [one["status"] for one in answer.json["results"]] == ["accepted", "rejected", "accepted"]


def test_count_of_events(daemon):
    events = [bet(f"u{number % 50}", 1, ts=noon()) for number in range(10001)]
    expect_problem(daemon.post_events(events, minimal=True), (400, 413))
    assert daemon.get("/v1/players/u1").status in (200, 404)
    answer = daemon.post_events(events[:10000], minimal=True)
    assert answer.status == 200 and answer.json["accepted"] == 10000, answer


def test_size_of_a_body(daemon):
    """Refused by its announced length: nobody has to send a gigabyte to hear no."""
    status, headers, body = talk(daemon, post(b"", f"Content-Length: {1 << 30}"))
    assert status == 413 and headers["content-type"].startswith("application/problem+json")
    rewardd.check_problem(json.loads(body))


# ---------------------------------------------------------------- time and repetition


def test_duplicate_is_told_apart(daemon):
    one = bet("u1", 5, ts=noon())
    daemon.accept(one)
    result, = daemon.post_events([one]).json["results"]
    assert result["status"] == "duplicate"
    daemon.accept(dict(one, user={"id": "u2", "geo": "TR"}))
    assert (daemon.points("u1", "stakes"), daemon.points("u2", "stakes")) == (5, 5)
    daemon.restart()
    assert daemon.post_events([one]).json["duplicates"] == 1
    assert daemon.points("u1", "stakes") == 5


def test_late_is_judged_per_player(daemon):
    daemon.accept(bet("u1", 1, ts=noon(1)))
    daemon.accept(bet("u1", 1, ts=noon(3)))
    late = bet("u1", 1, ts=noon(5))
    daemon.refuse(late, "late")
    daemon.accept(bet("u2", 1, ts=noon(500)))
    letters = [one for one in daemon.dead_letters("events") if late["event_id"] in str(one)]
    assert len(letters) == 1 and letters[0]["reason"] == "late"
    assert daemon.points("u1", "stakes") == 2


def test_a_little_ahead_of_the_clock_is_accepted(daemon):
    daemon.accept(bet("u1", 1, ts=rewardd.now(200)))
    daemon.refuse(bet("u1", 1, ts=rewardd.now(400)), "ts_in_future")


def test_money_is_exact(daemon):
    """A decimal string and a number with the same digits are the same amount."""
    daemon.accept(rewardd.event("deposit", "u1", {"amount": "0.10", "currency": "EUR"}, ts=noon()),
                  rewardd.event("deposit", "u1", {"amount": 0.10, "currency": "EUR"}, ts=noon()))


ODD = ["a b", "a/b?c=d&e", "50%", "%41", "a+b", "#a;b", "'; DROP TABLE player; --", 'a"b\\c', "//",
       "a\r\n", "\t\x01\x7f", "\u0085", "\u00fc" * 20, "\u20ac\U0001f600", "--help", "*", "x" * 128]


def quoted(text):
    """Every byte escaped, which is always allowed."""
    return "".join(f"%{byte:02X}" for byte in text.encode())


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_odd_but_legal_names(paying, name):
    """What was taken in can be asked for, as a player's id and as an event's, in paths and queries.
    """
    paying.accept(rewardd.kyc(name, ts=noon()), bet("other", 50, ts=noon()),
                  bet(name, 10, ts=noon(), event_id=name), bet(name, 1, ts=noon()))
    for path in (quoted(name), urllib.parse.quote(name, safe="")):
        assert paying.player(path)["user_id"] == name
        assert paying.points(path, "pays") == 11
        assert paying.decision(path)["event_id"] == name
        events = [one["event_id"] for one in
                  paying.listing(f"/v1/players/{path}/decisions", limit=1) if one["type"] == "event"]
        assert len(events) == 3 and events[1] == name
        task, = paying.tasks(user_id=path)
        assert (task["user_id"], task["origin"]["event_id"]) == (name, name)
    paying.wait_task("succeeded", user_id=quoted(name))
    row, = paying.ledger(user_id=quoted(name))
    assert row["user_id"] == name


@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_rewardctl_asks_for_odd_names(daemon, name):
    daemon.accept(bet("u1", 7, ts=noon(), event_id=name))
    assert "+7 points" in daemon.ctl("explain", "--", name).stdout
    assert daemon.ctl("explain", "--", name + "x", check=False).returncode != 0


def test_rewardctl_does_not_lie_about_dots(daemon):
    """No path can hold them, so it must not say that there was no such event."""
    daemon.accept(bet("u1", 7, ts=noon(), event_id=".."))
    done = daemon.ctl("explain", "..", check=False)
    assert done.returncode != 0 and "'..'" in done.stderr and "never" not in done.stderr, done


@pytest.mark.parametrize("escape", ["%", "a%", "%4", "%4g", "%g4", "%%41", "%u0041", "a%00b", "%ff",
                                    "%c3", "%c3a", "%ed%a0%80", "%c0%af", "%f5%80%80%80"])
def test_a_bad_escape_is_refused(daemon, escape):
    for path in (f"/v1/decisions/{escape}", f"/v1/players/{escape}",
                 f"/v1/players/{escape}/decisions", f"/v1/reward-tasks?user_id={escape}",
                 f"/v1/ledger?user_id={escape}&limit=5", f"/v1/rules/{escape}"):
        expect_problem(daemon.get(path), 400, "target")


# ---------------------------------------------------------------- the protocol itself


def length(body):
    return f"Content-Length: {len(body)}"


@pytest.mark.parametrize("data", [
    post(GOOD, length(GOOD), "Content-Length: 3"),
    post(GOOD, f"Content-Length: +{len(GOOD)}"),
    post(GOOD, f"Content-Length: {len(GOOD)}, {len(GOOD)}"),
    post(GOOD, "Content-Length: 99999999999999999999999"),
    post(b"0\r\n\r\n", "Transfer-Encoding: chunked"),
    post(GOOD, length(GOOD), "Transfer-Encoding: identity"),
    post(GOOD, length(GOOD), "X-Folded: a\r\n b"),
    post(GOOD, length(GOOD), "X-Nul: a\0b"),
    post(GOOD, length(GOOD), "Bad Name: a"),
    post(GOOD, length(GOOD), "Host: y"),
    post(GOOD, length(GOOD)).replace(b"\r\n", b"\n"),
    post(GOOD, length(GOOD)).replace(b"HTTP/1.1", b"HTTP/9.9"),
    b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    post(GOOD, length(GOOD), *[f"X-{number}: {number}" for number in range(5000)]),
], ids=["two lengths", "+length", "length list", "huge length", "chunked", "identity", "folding",
        "NUL", "space in name", "two hosts", "bare LF", "HTTP/9.9", "no host", "TLS", "long target",
        "many headers"])
def test_what_two_readers_could_read_differently_is_refused(daemon, data):
    with daemon.connect() as link:
        try:
            link.sendall(data)
        except ConnectionError:
            pass
        answer = read_answer(link)
        assert answer is None or 400 <= answer[0] < 600, answer
        assert closed(link), "after such a request nothing can be trusted"
    assert daemon.get("/healthz").status == 200
    assert daemon.get("/v1/players/raw").status == 404, "the event must not have counted"


def test_pipelined_requests_are_answered_in_order(daemon):
    bodies = [json.dumps(bet("u1", 1, ts=noon(), event_id=new_id())).encode() for _ in range(20)]
    with daemon.connect() as link:
        link.sendall(b"".join(post(body, length(body)) for body in bodies)
                     + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = b""
        while True:
            more = link.recv(65536)
            if not more:
                break
            data += more
    found = re.findall(rb'"event_id"\s*:\s*"([^"]+)"', data)
    assert found == [json.loads(body)["event_id"].encode() for body in bodies]
    assert data.count(b"HTTP/1.1 200") == 21


def test_a_request_in_small_pieces(daemon):
    """One byte a segment is slow but legal."""
    data = post(GOOD, length(GOOD), "Connection: close")
    with daemon.connect() as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(data)):
            link.sendall(data[at:at + 1])
        assert read_answer(link)[0] == 200
    assert daemon.points("raw", "stakes") == 1


def test_a_client_that_leaves(daemon):
    """Half a request and a reset are nobody's problem but the client's."""
    for cut in (1, 20, 100, len(GOOD)):
        with daemon.connect() as link:
            link.sendall(post(GOOD, length(GOOD))[:cut])
    daemon.accept(bet("u1", 1, ts=noon()))


@pytest.mark.parametrize("part", [b"POST /v1/events HTTP/1.1\r\nHost: x\r\n",
                                  post(GOOD[:50], length(GOOD))], ids=["head", "body"])
def test_half_a_request_is_closed_by_deadline(make_daemon, part):
    """An absolute deadline: a byte now and then does not buy time."""
    daemon = make_daemon(overrides=["server.head_timeout_ms=500", "server.body_timeout_ms=500"])
    with daemon.connect(timeout=10) as link:
        link.sendall(part)
        link.settimeout(0.1)
        for _ in range(100):
            try:
                data = link.recv(65536)
                break
            except TimeoutError:
                try:
                    link.sendall(b" ")
                except ConnectionError:
                    data = b""
                    break
            except ConnectionError:
                data = b""
                break
        else:
            raise AssertionError("still open after ten seconds")
        assert data == b"" or data.startswith(b"HTTP/1.1 408"), data


# ---------------------------------------------------------------- configuration


def test_wrong_configuration_names_its_line(make_daemon):
    for extra in ('nonsense { a = 1 }', 'journal { segment_size_mib = "many" }',
                  'server { listne = "127.0.0.1:0" }'):
        daemon = make_daemon(start=False, extra=extra)
        line = daemon.conf.read_text().split("\n").index(extra) + 1
        daemon.spawn()
        assert daemon.wait_death(20) not in (0, -9, -6, -11)
        assert f"engine.conf:{line}" in daemon.log() or f"line {line}" in daemon.log(), daemon.log()


def test_overrides(make_daemon, tmp_path):
    other = tmp_path / "elsewhere"
    daemon = make_daemon(start=False, overrides=[f"data.dir={other}"])
    daemon.data = other
    other.mkdir()
    daemon.start()
    daemon.accept(bet("u1", 1, ts=noon()))
    daemon.stop()
    assert rewardd.journal_segments(other)
    wrong = make_daemon(start=False, overrides=["data.dri=x"])
    wrong.spawn()
    assert wrong.wait_death(20) not in (0, -9, -6, -11)


def test_without_tokens_only_loopback(make_daemon):
    daemon = make_daemon(start=False, overrides=["server.listen=0.0.0.0:0"])
    daemon.spawn()
    assert daemon.wait_death(20) not in (0, -9, -6, -11)
    assert "token" in daemon.log() or "loopback" in daemon.log()


def test_one_data_folder_one_daemon(make_daemon):
    first = make_daemon()
    second = make_daemon(start=False, data=first.data)
    port = (first.data / rewardd.PORT_FILE).read_text()
    second.spawn()
    assert second.wait_death(20) not in (0, -9, -6, -11)
    (first.data / rewardd.PORT_FILE).write_text(port)
    first.accept(bet("u1", 1, ts=noon()))
