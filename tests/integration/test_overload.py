"""Too much of everything: the answer is "later", memory stays bounded, the books stay right."""

import json
import threading
import time

import pytest

import rewardd
import rulebook
from rewardd import bet, check_books, kyc, noon, wait_until
from senders import RULES, Senders

RESIDENT_MAX_KIB = 1536 << 10
INGEST_P95_MAX_S = 0.250


def p95(values):
    return sorted(values)[int(len(values) * 0.95)]


def timed_posts(daemon, count, user="probe"):
    """Seconds each of so many single posts took."""
    taken = []
    for number in range(count):
        one = bet(user, 1, ts=noon(1, number))
        started = time.monotonic()
        daemon.accept(one)
        taken.append(time.monotonic() - started)
    return taken


def test_a_dead_partner_does_not_slow_ingest(make_daemon, wallet):
    """Every delivery hangs; events go on as if nothing were the matter; later all are paid."""
    daemon = make_daemon(rules=rulebook.PAYS, timeout_ms=500)
    wallet.always("hang", seconds=2)
    users = [f"u{number}" for number in range(300)]
    daemon.accept(*[kyc(user, ts=noon(1, 0)) for user in users])
    daemon.accept(*[bet(user, 10, ts=noon(1, 1)) for user in users])
    wallet.wait_for(lambda one: one.request_count >= 3)
    assert p95(timed_posts(daemon, 300)) < INGEST_P95_MAX_S
    wallet.always()
    wallet.release()
    daemon.wait_settled(120)
    failed = {task["reward_task_id"] for task in daemon.tasks(status="failed")}
    check_books(daemon, wallet, unsure=failed)


def test_one_partner_does_not_slow_another(make_daemon, wallet):
    """Two endpoints; the one for cash hangs, the one for free spins pays at once."""
    import wallet as module
    with module.Wallet([rewardd.SECRET]) as other:
        second = rewardd.ENDPOINT.format(
            name="spins", url=other.url, secret=rewardd.SECRET, secret_next="", timeout_ms=1000,
            concurrency=8, kinds='"freespins"')
        daemon = make_daemon(rules={**rulebook.PAYS, ("spins", "1.0.0"): rulebook.rule(
            "spins", milestones=[(10, rulebook.freespins(5))], guards=rulebook.guards())},
            kinds=("cash",), extra=second)
        wallet.always("hang", seconds=1)
        users = [f"u{number}" for number in range(50)]
        daemon.accept(*[kyc(user, ts=noon(1, 0)) for user in users])
        daemon.accept(*[bet(user, 10, ts=noon(1, 1)) for user in users])
        other.wait_for(lambda one: len(one.payouts()) == 50, 20)
        assert not any(request.json["reward"]["type"] != "freespins"
                       for request in other.requests)
        wallet.always()
        wallet.release()


def test_many_connections_at_once(daemon):
    """Five hundred connections, each with a request half sent, then all finished."""
    bodies = [json.dumps(bet(f"u{number}", 1, ts=noon())).encode() for number in range(500)]
    links = []
    try:
        for body in bodies:
            link = daemon.connect()
            link.sendall(b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json"
                         b"\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
                         + body[:50])
            links.append(link)
        assert daemon.get("/healthz").status == 200
        for link, body in zip(links, bodies):
            link.sendall(body[50:])
        answered = 0
        for link in links:
            data = b""
            while more := link.recv(65536):
                data += more
            assert data.split(b" ", 2)[1] in (b"200", b"429", b"503"), data[:200]
            answered += data.split(b" ", 2)[1] == b"200"
    finally:
        for link in links:
            link.close()
    assert answered > 0
    assert sum(daemon.get(f"/v1/players/u{number}").status == 200
               for number in range(500)) == answered, "yes means yes and no means no"


def test_clients_that_do_not_read(daemon):
    """Answers nobody fetches must not pile up in our memory."""
    before = daemon.resident_kib()
    lines = rewardd.ndjson([bet("u", 1, ts=noon()) for _ in range(1000)])
    head = (b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
            b"Content-Length: %d\r\n\r\n" % len(lines))
    links = [daemon.connect() for _ in range(20)]
    try:
        for link in links:
            link.setblocking(False)
        for link in links:
            data = (head + lines) * 20
            try:
                while data:
                    data = data[link.send(data):]
            except BlockingIOError:
                pass  # it does not read from who does not read: just what we want
        assert p95(timed_posts(daemon, 100)) < 10 * INGEST_P95_MAX_S
        assert daemon.resident_kib() - before < 512 << 10
    finally:
        for link in links:
            link.close()


def test_flooded_it_says_later_and_stays_small(make_daemon, wallet):
    """Sixteen senders without a pause: every event is taken or refused, and memory is bounded."""
    daemon = make_daemon(rules=RULES)
    senders = Senders(count=16, batch_size=500)
    peak = [0]
    senders.start(daemon, steps_max=60 if rewardd.LONG else 12)

    def watch():
        peak[0] = max(peak[0], daemon.resident_kib())
        return not any(thread.is_alive() for thread in senders.threads)

    daemon.wait_for(watch, 300, "the flood to end")
    senders.stop()
    assert peak[0] < RESIDENT_MAX_KIB
    senders.finish(daemon)
    senders.compare(daemon)
    check_books(daemon, wallet)


def test_reading_under_load_is_possible(daemon):
    senders = Senders(count=4, batch_size=200)
    senders.start(daemon)
    try:
        senders.wait_steps(5)
        taken = []
        for _ in range(50):
            started = time.monotonic()
            assert daemon.get("/metrics").status == 200
            assert daemon.get("/v1/players/s0_u0").status == 200
            taken.append(time.monotonic() - started)
    finally:
        senders.stop()
    assert p95(taken) < 4 * INGEST_P95_MAX_S


def test_sigterm_under_load_is_quick_and_clean(make_daemon, wallet):
    daemon = make_daemon(rules=RULES)
    wallet.always("hang", seconds=5)
    senders = Senders(count=4, batch_size=100)
    senders.start(daemon)
    senders.wait_steps(40)
    started = time.monotonic()
    daemon.stop(timeout=30)
    assert time.monotonic() - started < 30
    senders.stop()
    wallet.always()
    wallet.release()
    daemon.start()
    senders.finish(daemon)
    senders.compare(daemon)
    check_books(daemon, wallet)


def test_many_players_many_tasks_drain(make_daemon, wallet):
    """A burst of rewards is delivered, once each, within the field's sixty seconds."""
    daemon = make_daemon(rules=rulebook.PAYS, concurrency=16)
    users = [f"u{number}" for number in range(2000)]
    for at in range(0, len(users), 500):
        part = users[at:at + 500]
        daemon.accept(*[kyc(user, ts=noon(1, 0)) for user in part])
        daemon.accept(*[bet(user, 10, ts=noon(1, 1)) for user in part])
    wait_until(lambda: len(wallet.payouts()) == len(users), 60, "all to be paid")
    check_books(daemon, wallet)


def test_two_threads_one_player(daemon):
    """The same player from many connections at once: each event counts, and counts once."""
    events = [bet("u1", 1, ts=noon(1, number % 50)) for number in range(400)]

    def send(mine):
        for one in mine:
            daemon.post_events(one)

    threads = [threading.Thread(target=send, args=(events,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert daemon.points("u1", "stakes") == 400


def test_an_event_longer_than_a_record_is_refused_and_ingest_goes_on(daemon):
    """The journal's record has a limit; what cannot be in it must not stop the journal."""
    for size in (100_000, 1_100_000, 3_000_000):
        answer = daemon.post_events(rewardd.bet("u1", 1, junk="x" * size))
        rewardd.expect_problem(answer, 413)
    letters = daemon.wait_for(lambda: daemon.dead_letters("events"))
    path = "/v1/dead-letters/" + rewardd.letter_id(letters[0])
    rewardd.expect_problem(daemon.put(path, rewardd.bet("u1", 1, junk="x" * 2_000_000)), 400)
    daemon.accept(rewardd.bet("u1", 1))


@pytest.mark.parametrize("rules,events", [(50, 200), (300, 1)])
def test_decisions_of_monstrous_size_are_refused(make_daemon, rules, events):
    """Every rule fires all its milestones on the first event: too much for a batch or a record."""
    milestones = [(at, f'badge {{ name = "{"b" * 60}" }}') for at in range(1, 33)]
    daemon = make_daemon(overrides=["engine.shards=1"], rules={
        (f"r{no}", "1.0.0"): rulebook.rule(f"r{no}", score="100", milestones=milestones)
        for no in range(rules)})
    answer = daemon.post_events([rewardd.bet(f"u{no}", 1, event_id=f"{no:0128}")
                                 for no in range(events)])
    assert answer.status == 200, answer
    assert answer.json["rejected"] > 0
    assert {one["problem"]["type"] for one in answer.json["results"]
            if one["status"] == "rejected"} == {"limit"}
    daemon.accept(rewardd.kyc("u_after", 1))
    daemon.restart()
