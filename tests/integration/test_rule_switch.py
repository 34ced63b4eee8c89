"""Many rules switched as one, under load and under kill -9: all of them or none, never a mixture."""

import contextlib
import json
import os
import random
import subprocess
import threading

import pytest

import rewardd
import rulebook
from rewardd import bet, expect_problem, noon

RULES = ("one", "two", "three")
KILLS = int(os.environ.get("REWARDD_KILLS", "60" if rewardd.LONG else "8"))


def source(rule_id, major, score=None):
    return rulebook.rule(rule_id, f"{major}.0.0", score=score or str(major))


def write_set(folder, major, **scores):
    """The three rules of one release, which belong together, as a folder to deploy."""
    for rule_id in RULES:
        path = folder / rule_id / f"{major}.0.0.lua"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source(rule_id, major, scores.get(rule_id)))
    return folder


@pytest.fixture
def house(make_daemon):
    return make_daemon(rules={(rule_id, "1.0.0"): source(rule_id, 1) for rule_id in RULES})


def files_of(major, **scores):
    return [{"name": f"{rule_id}/{major}.0.0.lua",
             "source": source(rule_id, major, scores.get(rule_id))} for rule_id in RULES]


def deploy(daemon, major, **scores):
    return daemon.post("/v1/deploys", {"files": files_of(major, **scores), "reason": "release"})


def majors(result):
    """Which releases an event was decided by; more than one is a mixture."""
    rows = {row["rule_id"]: row for row in result["points"]}
    assert set(rows) == set(RULES), result
    for row in rows.values():
        assert row["points"] == int(row["version"].split(".")[0]), row
    return {row["version"].split(".")[0] for row in rows.values()}


def release(daemon, user="probe"):
    major, = set.union(*[majors(result) for result in daemon.accept(bet(user, 1, ts=noon()))])
    return int(major)


def states(daemon):
    return {(rule["rule_id"], version["version"]): version["state"]
            for rule in daemon.get("/v1/rules").json["items"] for version in rule["versions"]}


def test_a_folder_is_deployed_in_one_step(house, tmp_path):
    folder = write_set(tmp_path / "release", 2)
    said = house.ctl("rules", "deploy", folder, "--reason", "release 2").stdout
    assert all(f"{rule_id} 2.0.0 is active" in said for rule_id in RULES), said
    house.wait_for(lambda: release(house) == 2)
    house.stop()
    lines = [json.loads(line) for line in house.ctl("journal", "cat").stdout.splitlines()]
    switch = [line for line in lines if line["type"] == "rulebook"][-1]
    assert switch["why"] == "release 2" and len(switch["changes"]) == 6, switch
    assert {(change["version"], change["state"]) for change in switch["changes"]} == {
        ("1.0.0", "retired"), ("2.0.0", "active")}


@pytest.mark.parametrize("fault", ["syntax", "test", "budget", "bytes", "name", "twice"])
def test_one_bad_file_and_nothing_is_deployed(house, fault):
    files = files_of(2)
    if fault == "syntax":
        files[1]["source"] = "return rule {"
    elif fault == "test":
        files.append({"name": "two/2.0.0_test.lua", "source": """return tests {
          { name = "a hundred", events = { { event_name = "bet", payload = { bet = 1 } } },
            expect = { points = 100 } } }"""})
    elif fault == "budget":
        files[2]["source"] = rulebook.rule("three", "2.0.0", guards=rulebook.guards(pool="no"),
                                           milestones=[(1, rulebook.freespins(1))])
    elif fault == "bytes":
        files.append({"name": "one/1.0.0.lua", "source": source("one", 1) + "\n"})
    elif fault == "name":
        files[0]["name"] = "one/3.0.0.lua"
    else:
        files.append(files[0])
    before = states(house)
    answer = house.post("/v1/deploys", {"files": files})
    expect_problem(answer, (400, 404, 409, 422), "nothing was deployed")
    assert states(house) == before and release(house) == 1


def test_every_fault_is_named_at_once(house, tmp_path):
    folder = write_set(tmp_path / "release", 2, one="+", three="*")
    done = house.ctl("rules", "deploy", folder, check=False)
    assert done.returncode == 1
    assert "one/2.0.0.lua:" in done.stderr and "three/2.0.0.lua:" in done.stderr, done.stderr
    assert release(house) == 1


def test_bad_deploys_are_refused(house):
    for body in ({}, {"files": []}, {"files": [{}]}, {"files": "one"}, {"nonsense": 1},
                 {"files": [{"name": "one/2.0.0.lua"}]}, {"files": [{"name": 1, "source": ""}]},
                 {"files": [{"name": "one.lua", "source": "x"}]},
                 {"files": [{"name": "../one/2.0.0.lua", "source": "x"}]},
                 {"files": [{"name": "one/2.0.0_test.lua", "source": "x"}]}):
        expect_problem(house.post("/v1/deploys", body), (400, 422))
    assert release(house) == 1


def test_a_canary_is_not_run_over(house):
    house.request("POST", "/v1/rules", source("two", 3).encode(), {"Content-Type": "text/x-lua"})
    assert house.post("/v1/rules/two/versions/3.0.0/activate", {"share": 10}).status == 200
    expect_problem(deploy(house, 2), 409, "canary")
    assert house.post("/v1/rules/two/rollback").status == 200
    assert deploy(house, 2).status == 200


def test_a_reload_every_100_ms_under_load(house):
    """No event sees two releases, no answer is an error, memory stays where it was."""
    stop, wrong, sent = threading.Event(), [], [0, 0]

    def send(number):
        while not stop.is_set():
            answer = house.post_events([bet(f"s{number}_{i}", 1, ts=noon()) for i in range(50)])
            if answer.status != 200 or answer.json["accepted"] != 50:
                wrong.append(answer)
                continue
            sent[number] += 50
            wrong.extend(result for result in answer.json["results"] if len(majors(result)) != 1)

    assert deploy(house, 2).status == 200
    threads = [threading.Thread(target=send, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    pace = threading.Event()
    count = 600 if rewardd.LONG else 60
    try:
        house.wait_for(lambda: min(sent) > 1000)
        warm = house.resident_kib()
        for number in range(count):
            assert deploy(house, 1 + number % 2).status == 200
            pace.wait(0.1)
        grown = house.resident_kib() - warm
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert not wrong, wrong[:3]
    # Players remember every event's fingerprint: 8 bytes and their share of tables, each.
    assert grown < 24 * 1024 + sum(sent) // 16, f"{grown} KiB over {count} reloads, {sent} events"
    assert house.metric("rewardd_rule_errors_total") == 0


def generated_load(daemon, seconds):
    """The bench's load generator at a moderate rate; it checks every answer. None: not built."""
    path = rewardd.binary("tests/load")
    if path is None:
        pytest.skip("the load generator is not built")
    words = ["-H", daemon.address[0], "-p", daemon.address[1], "-c", 8, "-b", 20, "-r", 20000,
             "-u", 5000, "-d", seconds]
    return subprocess.Popen([str(path), *map(str, words)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def report_of(load):
    out, err = load.communicate(timeout=120)
    report = json.loads(out)
    assert load.returncode == 0 and report["errors"] == 0 and report["rejected"] == 0, out + err
    return report


def test_reloads_under_the_load_generator(house, at_speed):
    """20,000 events a second beside a switch of three rules every 100 ms: nothing goes wrong."""
    seconds = 20 if rewardd.LONG else 3
    assert deploy(house, 2).status == 200
    quiet = report_of(generated_load(house, seconds))
    load, switches, pace = generated_load(house, seconds), 0, threading.Event()
    while load.poll() is None:
        assert deploy(house, 1 + switches % 2).status == 200
        switches += 1
        pace.wait(0.1)
    busy = report_of(load)
    assert switches >= 5 * seconds and busy["accepted"] > 0.8 * quiet["accepted"], (quiet, busy)
    assert house.metric("rewardd_rule_errors_total") == 0
    if rewardd.LONG:  # on a machine that has something else to do, latencies say nothing
        calm, stirred = quiet["latency_us"]["p99"], busy["latency_us"]["p99"]
        assert stirred <= 2 * max(calm, 2000), (quiet, busy)


POINTS = ("journal.write", "journal.sync", "rules.switch", "checkpoint.commit")


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("point", POINTS)
def test_killed_during_a_deploy(faults, make_daemon, point, side):
    """What comes back is one release or the other, and the same events are decided by it."""
    rules = {(rule_id, "1.0.0"): source(rule_id, 1) for rule_id in RULES}
    daemon = make_daemon(rules=rules)
    assert release(daemon) == 1
    # The folder is known by now: a start passes none of these points but the journal's first.
    daemon.restart(fault=f"{point}.{side}:kill:{1 if point == 'rules.switch' else 2}")
    answered = False
    with contextlib.suppress(rewardd.Gone):
        answered = deploy(daemon, 2).status == 200
        while daemon.alive():
            assert release(daemon) in (1, 2)
    assert daemon.wait_death(30) == -9
    daemon.restart()
    found = release(daemon)
    assert found in (1, 2) and (found == 2 or not answered), "an answer is a promise"
    active = {(rule_id, f"{found}.0.0") for rule_id in RULES}
    assert {name for name, state in states(daemon).items() if state == "active"} == active
    assert deploy(daemon, 3).status == 200
    daemon.wait_for(lambda: release(daemon) == 3)
    daemon.stop()
    daemon.ctl("journal", "verify")


def test_random_kills_while_deploying(make_daemon):
    """kill -9 at any moment of a reload: the last good rulebook is what a restart comes back with."""
    chance = random.Random(KILLS)
    daemon = make_daemon(rules={(rule_id, "1.0.0"): source(rule_id, 1) for rule_id in RULES})
    promised = 1
    for major in range(2, 2 + KILLS):
        killer = threading.Timer(chance.random() * 0.02, daemon.kill9)
        killer.start()
        try:
            if deploy(daemon, major).status == 200:
                promised = major
        except rewardd.Gone:
            pass
        killer.join()
        assert daemon.wait_death(10) == -9
        daemon.restart()
        found = release(daemon)
        assert found in (promised, major), f"{found} came back, {promised} was promised"
        promised = found
    daemon.stop()
    daemon.ctl("journal", "verify")
