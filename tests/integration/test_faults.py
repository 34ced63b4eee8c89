"""Everything that can die, at the worst moment; afterwards the books must be right to the cent."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import threading

import pytest

import rewardd
from rewardd import bet, check_books, noon
from senders import RULES, Senders

KILLS = int(os.environ.get("REWARDD_KILLS", "100" if rewardd.LONG else "12"))

# The point, and which passing of it is fatal: late enough for work to be in flight.
POINTS = {"journal.write": 9, "journal.sync": 9, "ack": 9, "checkpoint.commit": 2, "claim": 3,
          "partner.send": 3, "partner.answer": 3, "result.journaled": 3}


def books_hold(daemon, wallet, senders):
    senders.finish(daemon)
    senders.compare(daemon)
    check_books(daemon, wallet)


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_each_point(faults, make_daemon, wallet, point, side):
    # More shards make more checkpoints: the second could come before the daemon is ready.
    daemon = make_daemon(rules=RULES, fault=f"{point}.{side}:kill:{POINTS[point]}",
                         overrides=["engine.shards=1"])
    senders = Senders(count=2)
    senders.start(daemon)
    assert daemon.wait_death(60) == -9
    senders.stop()
    daemon.restart()
    books_hold(daemon, wallet, senders)


@pytest.mark.parametrize("point", ["journal.sync.after", "checkpoint.commit.before",
                                   "partner.answer.before"])
def test_killed_again_while_recovering(faults, make_daemon, wallet, point):
    """A start that dies is followed by a start that works; replay applies nothing twice."""
    daemon = make_daemon(rules=RULES, fault=f"{point}:kill:3")
    senders = Senders(count=2)
    senders.start(daemon)
    assert daemon.wait_death(60) == -9
    senders.stop()
    daemon.fault = "checkpoint.commit.after:kill:1"
    daemon.spawn()
    # Where nothing is left to recover no checkpoint is due; then it lives and is killed by hand.
    try:
        daemon.wait_death(5)
    except subprocess.TimeoutExpired:
        daemon.kill9()
    daemon.restart()
    books_hold(daemon, wallet, senders)


def test_a_long_tail_is_stored_on_the_way(make_daemon, wallet):
    """Recovery moves the store on in steps; who starts behind it goes on from there."""
    daemon = make_daemon(rules=RULES, overrides=["engine.recovery_checkpoint_record_count=1000",
                                                 "engine.checkpoint_interval_ms=3000"])
    senders = Senders(count=2, batch_size=100)
    senders.start(daemon)
    senders.wait_steps(60)
    senders.stop()
    daemon.kill9()
    daemon.restart()
    assert daemon.log().count("module=recovery records=") > 2
    books_hold(daemon, wallet, senders)
    daemon.stop()
    daemon.start()
    books_hold(daemon, wallet, senders)


def test_random_kills_under_load(make_daemon, wallet):
    """kill -9 at random moments; nothing acknowledged is lost, nothing is paid twice."""
    chance = random.Random(KILLS)
    daemon = make_daemon(rules=RULES)
    senders = Senders(count=3)
    for _ in range(KILLS):
        before = senders.steps
        senders.start(daemon)
        senders.wait_steps(before + chance.randint(1, 40))
        killer = threading.Timer(chance.random() * 0.05, daemon.kill9)
        killer.start()
        killer.join()
        assert daemon.wait_death(10) == -9
        senders.stop()
        daemon.restart()
    books_hold(daemon, wallet, senders)


@pytest.mark.parametrize("fault", ["journal.sync:error:5", "journal.write:error:5"])
def test_a_failed_write_or_sync_stops_the_process(faults, make_daemon, wallet, fault):
    """Never retried on the same descriptor: it stops, non-zero, and the next start verifies."""
    daemon = make_daemon(rules=RULES, fault=fault)
    senders = Senders(count=2)
    senders.start(daemon)
    code = daemon.wait_death(30)
    assert code not in (0, -9), f"exit {code}"
    senders.stop()
    daemon.ctl("journal", "verify")
    daemon.restart()
    books_hold(daemon, wallet, senders)


def test_no_room_for_a_segment_is_an_answer(faults, make_daemon, wallet):
    """503 with Retry-After while there is no room, and the same process resumes by itself."""
    daemon = make_daemon(rules=RULES, segment_size_mib=1, fault=",".join(
        f"journal.preallocate:error:{nth}" for nth in range(3, 7)))
    senders = Senders(count=2, batch_size=100)
    senders.start(daemon)
    daemon.wait_for(lambda: senders.refused or senders.failures, 60, "an answer 503")
    refused = senders.refused
    steps = senders.steps
    senders.wait_steps(steps + 20)
    senders.stop()
    assert refused and daemon.alive()
    books_hold(daemon, wallet, senders)


def test_no_room_for_ever_then_a_restart(faults, make_daemon, wallet):
    daemon = make_daemon(rules=RULES, segment_size_mib=1, fault="journal.preallocate:error:3+")
    senders = Senders(count=2, batch_size=100)
    senders.start(daemon)
    daemon.wait_for(lambda: senders.refused >= 5 or senders.failures, 60, "answers 503")
    senders.stop()
    assert daemon.get("/healthz").status == 200
    assert daemon.player("s0_u0")["user_id"] == "s0_u0", "reading goes on"
    daemon.stop()
    daemon.restart()
    books_hold(daemon, wallet, senders)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 48 MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no tmpfs may be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk(make_daemon, wallet, small_disk):
    """The real thing: a disk fills up, we say so in time, and go on once there is room again."""
    data = small_disk / "data"
    daemon = make_daemon(rules=RULES, data=data, segment_size_mib=1)
    ballast = small_disk / "ballast"
    with open(ballast, "wb") as file:
        try:
            for _ in range(34):
                file.write(bytes(1 << 20))
        except OSError:
            pass
    senders = Senders(count=2, batch_size=200)
    senders.start(daemon)
    daemon.wait_for(lambda: senders.refused >= 3 or senders.failures, 120, "the disk to be full")
    senders.stop()
    answer = daemon.post_events([rewardd.bet("another", ts=rewardd.noon())])
    if answer.status != 200:  # some room may have come back with a checkpoint
        rewardd.expect_problem(answer, 503)
        assert answer.retry_after >= 1
    ballast.unlink()
    daemon.wait_for(lambda: daemon.post_events(
        [rewardd.bet("later", ts=rewardd.noon())]).status == 200, 60, "it to resume by itself")
    books_hold(daemon, wallet, senders)


def test_file_size_limit_is_met_with_dignity(make_daemon, wallet):
    """RLIMIT_FSIZE below a segment: preallocation fails, so it must not start, and must say why."""
    daemon = make_daemon(start=False, rules=RULES, limits={"fsize": 8 << 20}, segment_size_mib=16)
    daemon.spawn()
    assert daemon.wait_death(30) not in (0, -9)
    assert daemon.log().strip()


def test_a_changed_byte_in_the_journal_is_named(make_daemon, wallet):
    daemon = make_daemon(rules=RULES)
    senders = Senders(count=1)
    senders.start(daemon, steps_max=30)
    senders.wait_steps(30)
    senders.stop()
    daemon.wait_settled()
    daemon.stop()
    daemon.ctl("journal", "verify")
    segment = rewardd.journal_segments(daemon.data)[0]
    original = segment.read_bytes()
    end = len(original.rstrip(b"\0"))
    for at in (70, end // 2, end - 40):
        changed = bytearray(original)
        changed[at] ^= 0x20
        segment.write_bytes(changed)
        done = daemon.ctl("journal", "verify", check=False)
        assert done.returncode != 0, f"byte {at} was changed unnoticed"
        assert segment.name in done.stdout + done.stderr
    segment.write_bytes(original)
    daemon.ctl("journal", "verify")


def test_a_torn_tail_is_cut(make_daemon, wallet):
    """Bytes behind the last seal were promised to nobody."""
    daemon = make_daemon(rules=RULES)
    senders = Senders(count=1)
    senders.start(daemon, steps_max=10)
    senders.wait_steps(10)
    senders.stop()
    daemon.kill9()
    segment = rewardd.journal_segments(daemon.data)[0]
    content = bytearray(segment.read_bytes())
    end = len(content.rstrip(b"\0")) + 7 & ~7
    content[end:end + 200] = os.urandom(200)
    segment.write_bytes(content)
    daemon.restart()
    books_hold(daemon, wallet, senders)


def test_the_tables_can_be_lost(make_daemon, wallet):
    """The journal is the truth: without its tables the daemon replays all of it to the same end."""
    daemon = make_daemon(rules=RULES)
    senders = Senders(count=2)
    senders.start(daemon, steps_max=30)
    senders.wait_steps(60)
    senders.stop()
    senders.compare(daemon)
    before = {task["reward_task_id"]: task["status"] for task in daemon.tasks()}
    daemon.stop()
    path = rewardd.database_path(daemon.data)
    for name in (path.name, path.name + "-wal", path.name + "-shm"):
        path.with_name(name).unlink(missing_ok=True)
    daemon.start()
    assert {task["reward_task_id"]: task["status"] for task in daemon.tasks()} == before
    books_hold(daemon, wallet, senders)


def test_sigterm_drains(make_daemon, wallet):
    """Whoever heard "accepted" before the end finds it after the next start."""
    daemon = make_daemon(rules=RULES)
    senders = Senders(count=3)
    senders.start(daemon)
    senders.wait_steps(50)
    daemon.stop()
    senders.stop()
    daemon.start()
    books_hold(daemon, wallet, senders)


def test_a_stop_waits_for_a_store_that_is_away(make_daemon):
    """Longer than for a slow client: what was sent is decided, answered and stored first."""
    daemon = make_daemon(overrides=["engine.shards=1", "engine.hot_player_count_max=64"])
    lock = sqlite3.connect(rewardd.database_path(daemon.data), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    answers = []

    def send():
        with contextlib.suppress(rewardd.Gone):
            while daemon.alive():
                answers.append(daemon.post_events(
                    [bet(f"p{len(answers)}_{i}", 1, ts=noon()) for i in range(50)]))

    sender = threading.Thread(target=send)
    sender.start()
    # More players than may wait for the store: the next batch stays where it is.
    daemon.wait_for(lambda: daemon.metric("rewardd_players_dirty") > 96)
    daemon.process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        daemon.process.wait(11)  # a client would have been left behind by now
    lock.execute("ROLLBACK")
    assert daemon.process.wait(30) == 0
    sender.join(30)
    # 503: it came when the drain had begun.
    assert {answer.status for answer in answers} - {503} == {200}
