"""Too much of everything: the answer is "later", memory stays bounded, the books stay right."""

import http.client
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


class Flood:
    """A sender without manners: requests of many events, the next at once, whatever is answered.

    It sends the same body until all of it was taken, so what it is owed is easy to say: a point an
    event for each of its players, and no more.
    """

    def __init__(self, number, event_count):
        self.number, self.event_count = number, event_count
        self.users = [f"f{number}_u{user}" for user in range(50)]
        lines = [bet(self.users[index % 50], 1, ts=noon(), event_id=f"f{number}_@@@@@@_{index}")
                 for index in range(event_count)]
        self.template = rewardd.ndjson(lines)
        self.serial, self.taken, self.refused, self.failure = 0, 0, 0, None
        self.link = None

    def exchange(self, daemon):
        """Sends the body of this serial once. True: every event of it was taken, now or before."""
        if self.link is None:
            self.link = http.client.HTTPConnection(*daemon.address, timeout=120)
        body = self.template.replace(b"@@@@@@", b"%06d" % self.serial)
        try:
            self.link.request("POST", "/v1/events", body, {
                "Content-Type": "application/x-ndjson", "Prefer": "return=minimal"})
            answer = self.link.getresponse()
            status, headers, text = answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException):
            # Refused by its length, and closed before all of it was sent: come again.
            self.link.close()
            self.link, self.refused = None, self.refused + 1
            return False
        if status in (429, 503):
            assert int(headers["Retry-After"]) > 0
            self.refused += 1
            return False
        assert status == 200, (status, text[:300])
        counts = json.loads(text)
        assert all(one["problem"]["type"] == "busy" for one in counts["results"]), text[:300]
        self.refused += counts["rejected"] > 0
        return counts["rejected"] == 0

    def run(self, daemon, until, bodies_max):
        try:
            while time.monotonic() < until and self.taken < bodies_max:
                if self.exchange(daemon):
                    self.taken += 1
                    self.serial += 1
        except BaseException as failure:  # a thread must not fail in silence
            self.failure = failure

    def points(self, daemon):
        answers = [daemon.get(f"/v1/players/{user}") for user in self.users]
        assert all(answer.status in (200, 404) for answer in answers)
        return sum(answer.json["points"]["stakes"] for answer in answers if answer.status == 200)

    def finish(self, daemon):
        """The last body, of which nobody knows how much was taken."""
        self.link = None
        daemon.wait_for(lambda: self.exchange(daemon), 60, "the last body to be taken")
        self.taken += 1


@pytest.mark.parametrize("mib, senders, event_count", [(4, 40, 2500), (64, 60, 10000)])
def test_under_more_than_it_can_bear_memory_is_flat(faults, at_speed, make_daemon, mib, senders,
                                                    event_count):
    """A slow disk, and senders who together offer twice what may be in flight and more, for seconds.

    Memory has a limit that does not depend on how much is offered: what stands for a daemon, and
    at most ten bytes for each byte in flight (events are small, and what is known of one is more
    than its text). Afterwards, and after a kill -9, what was acknowledged is there, once.
    """
    daemon = make_daemon(fault="journal.sync.before:slow:150",
                         overrides=[f"server.inflight_size_max_mib={mib}"])
    floods = [Flood(number, event_count) for number in range(senders)]
    assert sum(len(flood.template) for flood in floods) > 2 * mib << 20
    until = time.monotonic() + (60 if rewardd.LONG else 6)
    threads = [threading.Thread(target=flood.run, args=(daemon, until, 1000)) for flood in floods]
    for thread in threads:
        thread.start()
    asked = []
    while any(thread.is_alive() for thread in threads):
        started = time.monotonic()
        assert daemon.get("/healthz").status == 200
        asked.append(time.monotonic() - started)
        threads[0].join(0.1)
    for thread in threads:
        thread.join()
    failures = [flood.failure for flood in floods if flood.failure is not None]
    assert not failures, failures[0]
    peak = daemon.resident_peak_kib()
    taken, refused = (sum(getattr(flood, name) for flood in floods) for name in ("taken", "refused"))
    print(f"taken {taken} bodies, refused {refused}, peak {peak} KiB, slowest {max(asked):.3f} s")
    assert taken > 0 and refused > taken, (taken, refused)
    assert peak < (100 << 10) + 10 * mib * 1024
    daemon.kill9()
    daemon.restart()
    for flood in floods:
        assert flood.points(daemon) >= flood.taken * event_count, "what was acknowledged is there"
        flood.finish(daemon)
        assert flood.points(daemon) == flood.taken * event_count, "once"
    assert daemon.get("/readyz").status == 200
    daemon.stop()
    daemon.ctl("journal", "verify")


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
    rewardd.expect_problem(daemon.put(path, rewardd.bet("u1", 1, junk="x" * 2_000_000)), 413)
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
