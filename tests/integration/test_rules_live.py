"""Rules change while events flow: all or nothing, between batches, and nobody restarts anything."""

import os
import socket
import threading

import pytest

import rewardd
import rulebook
from rewardd import bet, expect_problem, noon


def version(number, score, **more):
    return rulebook.rule("live", number, score=score, **more)


@pytest.fixture
def live(make_daemon):
    """One rule worth 1 point a bet."""
    return make_daemon(rules={("live", "1.0.0"): version("1.0.0", "1")})


def gain(daemon, user="u1"):
    """The points the next bet earns under the rules of this moment."""
    result, = daemon.accept(bet(user, 1, ts=noon()))
    return sum(row["points"] for row in result["points"] if row["rule_id"] == "live")


def rules_text(daemon):
    answer = daemon.get("/v1/rules")
    assert answer.status == 200, answer
    return answer.body.decode()


def knows(daemon, rule_id, number):
    answer = daemon.get(f"/v1/rules/{rule_id}")
    return answer.status == 200 and f'"{number}"' in answer.body.decode()


def activate(daemon, number, share=100):
    answer = daemon.post(f"/v1/rules/live/versions/{number}/activate", {"share": share})
    assert answer.status == 200, answer


@pytest.mark.parametrize("told", [False, True], ids=["watched", "SIGHUP"])
def test_a_new_rule_file_is_taken_up(live, told):
    """The first version of a rule activates by itself."""
    live.write_rule("second", "1.0.0", rulebook.rule("second", score="7"))
    if told:
        live.hup()
    live.wait_for(lambda: knows(live, "second", "1.0.0"))
    live.accept(bet("u1", 1, ts=noon()))
    assert live.points("u1", "second") == 7 and live.points("u1", "live") == 1


def test_a_second_version_waits_to_be_activated_and_can_be_rolled_back(live):
    assert gain(live) == 1
    live.write_rule("live", "2.0.0", version("2.0.0", "10"))
    live.hup()
    live.wait_for(lambda: knows(live, "live", "2.0.0"))
    assert gain(live) == 1
    activate(live, "2.0.0")
    live.wait_for(lambda: gain(live, "probe") == 10)
    assert gain(live) == 10
    live.restart()
    assert gain(live) == 10, "which version is active is journaled"
    assert live.post("/v1/rules/live/rollback").status == 200
    live.wait_for(lambda: gain(live, "probe") == 1)
    assert gain(live) == 1
    assert live.points("u1", "live") == 23, "points are of the rule, over all versions"


def test_upload(live):
    source = version("1.1.0", "3")
    answer = live.request("POST", "/v1/rules", source.encode(), {"Content-Type": "text/x-lua"})
    assert answer.status in (200, 201), answer
    live.wait_for(lambda: knows(live, "live", "1.1.0"))
    activate(live, "1.1.0")
    live.wait_for(lambda: gain(live) == 3)
    answer = live.request("POST", "/v1/rules", b"return rule {", {"Content-Type": "text/x-lua"})
    expect_problem(answer, (400, 422))


def test_a_loaded_version_is_immutable(live):
    """The same id and version with other bytes is refused, by file and by upload."""
    live.write_rule("live", "1.0.0", version("1.0.0", "100"))
    live.hup()
    live.wait_for(lambda: "live/1.0.0.lua" in rules_text(live))
    assert gain(live) == 1
    answer = live.request("POST", "/v1/rules", version("1.0.0", "100").encode(),
                          {"Content-Type": "text/x-lua"})
    expect_problem(answer, (409, 422))
    assert gain(live) == 1


@pytest.mark.parametrize("name, text, line", [
    ("syntax", 'return rule {\n  id = "bad",\n  version = = "1.0.0",\n}\n', 3),
    ("unknown field", 'return rule {\n  id = "bad", version = "1.0.0", title = "t", owner = "o",\n'
                      '  on = { "bet" },\n  scroe = function(e, p) return 1 end,\n}\n', None),
    ("runs into an error", 'local x = nil\nlocal y = x + 1\nreturn rule {}\n', 2),
    ("no rule", "return 7\n", None),
    ("another id", rulebook.rule("other"), None),
    ("pays without a pool", rulebook.rule("bad", milestones=[(1, rulebook.freespins(1))]), None),
    ("cash without a KYC guard", rulebook.rule("bad", milestones=[(1, rulebook.cash("1.00"))],
                                               guards='{ budget = "nov_season" }'), None),
    ("endless", "while true do end\nreturn rule {}\n", None),
    ("bomb", 'local t = {}\nfor i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end\n', None),
    ("bytecode", "\x1bLJ\x02\n", None),
], ids=lambda value: value if isinstance(value, str) and len(value) < 30 else "")
def test_a_failed_load_changes_nothing_and_says_where(live, name, text, line):
    live.write_rule("bad", "1.0.0", text)
    live.hup()
    wanted = "bad/1.0.0.lua" + (f":{line}" if line else "")
    live.wait_for(lambda: wanted in rules_text(live), what=f"{name}: {wanted} in GET /v1/rules")
    assert gain(live) == 1
    live.restart()
    assert gain(live) == 1, "a bad file does not stop the start either"


def test_a_repaired_file_loads(live):
    live.write_rule("second", "1.0.0", "return rule {")
    live.hup()
    live.wait_for(lambda: "second/1.0.0.lua" in rules_text(live))
    live.write_rule("second", "1.0.0", rulebook.rule("second", score="7"))
    live.hup()
    live.wait_for(lambda: knows(live, "second", "1.0.0"))
    live.accept(bet("u1", 1, ts=noon()))
    assert live.points("u1", "second") == 7


def odd_file(daemon, kind):
    """Puts something that is no good rule file where one should be: rules/odd/1.0.0.lua."""
    folder = daemon.rules / "odd"
    folder.mkdir()
    path = folder / "1.0.0.lua"
    good = rulebook.rule("odd", score="1000")
    outside = daemon.folder / "outside.lua"
    outside.write_text(good)
    if kind == "link to nothing":
        path.symlink_to(daemon.folder / "nothing.lua")
    elif kind == "link out of the folder":
        path.symlink_to(outside)
    elif kind == "folder linked from outside":
        folder.rmdir()
        (daemon.folder / "odd").mkdir()
        (daemon.folder / "odd" / "1.0.0.lua").write_text(good)
        folder.symlink_to(daemon.folder / "odd")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "link to itself":
        path.symlink_to(path)
    elif kind == "unreadable":
        path.write_text(good)
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("who runs the tests may read everything")
    elif kind == "folder":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "FIFO as its test":
        os.mkfifo(folder / "1.0.0_test.lua")
        daemon.write_rule("odd", "1.0.0", good)
    elif kind == "test linked to nothing":
        (folder / "1.0.0_test.lua").symlink_to("nothing.lua")
        daemon.write_rule("odd", "1.0.0", good)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            here = os.getcwd()
            os.chdir(folder)  # the path of a socket is short
            try:
                server.bind("1.0.0.lua")
            finally:
                os.chdir(here)
    elif kind == "100 MB":
        with open(path, "w", encoding="ascii") as file:
            file.write(good)
            file.truncate(100 << 20)
    elif kind == "100 MB of comments":
        path.write_bytes(b"-- comment\n" * (100 << 20 >> 4) + good.encode())
    elif kind == "NUL":
        path.write_bytes(good.encode() + b"\0")
    elif kind == "NUL in a text":
        path.write_bytes(good.replace("odd", "o\0d", 1).encode())
    elif kind == "not UTF-8":
        path.write_bytes(b"-- gr\xfcn\n" + good.encode())
    elif kind == "UTF-16":
        path.write_bytes(good.encode("utf-16"))
    elif kind == "empty":
        path.touch()


@pytest.mark.parametrize("kind", [
    "link to nothing", "link out of the folder", "folder linked from outside", "device",
    "link to itself", "unreadable", "folder", "FIFO", "FIFO as its test", "test linked to nothing",
    "socket", "100 MB", "100 MB of comments", "NUL", "NUL in a text", "not UTF-8", "UTF-16", "empty"])
def test_whatever_stands_for_a_rule_file_is_told_and_hurts_nobody(live, kind):
    """Not at the start, not while it runs: no wait, no crash, the other rules go on."""
    before = live.resident_kib()
    odd_file(live, kind)
    live.hup()
    live.wait_for(lambda: "odd/1.0.0" in rules_text(live), what=f"{kind} in GET /v1/rules")
    error, = live.get("/v1/rules").json["errors"]
    assert "odd/1.0.0" in error["file"] and error["error"], error
    assert "odd/1.0.0" in live.log()
    assert gain(live) == 1 and live.points("u1", "odd") == 0
    assert live.resident_kib() - before < 32 << 10
    live.write_rule("after", "1.0.0", rulebook.rule("after", score="5"))
    live.wait_for(lambda: knows(live, "after", "1.0.0"))
    live.restart()
    assert "odd/1.0.0" in rules_text(live)
    assert gain(live) == 1 and live.points("u1", "after") == 5 and live.points("u1", "odd") == 0


@pytest.mark.parametrize("kind", ["FIFO", "folder", "link to nothing", "NUL", "deleted"])
def test_the_file_of_a_running_version_turns_odd(live, kind):
    """A version that was loaded no longer needs its file."""
    path = live.rules / "live" / "1.0.0.lua"
    path.unlink()
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link to nothing":
        path.symlink_to("nothing.lua")
    elif kind == "NUL":
        path.write_bytes(b"\0" * 1000)
    live.write_rule("after", "1.0.0", rulebook.rule("after", score="5"))
    live.wait_for(lambda: knows(live, "after", "1.0.0"))
    assert ("live/1.0.0.lua" in str(live.get("/v1/rules").json["errors"])) == (kind != "deleted")
    assert gain(live) == 1
    live.restart()
    assert gain(live) == 1


def test_a_link_within_the_folder_is_followed(live):
    """As a deployment makes it that switches a whole folder by one link."""
    (live.rules / "..data").mkdir()
    (live.rules / "..data" / "second.lua").write_text(rulebook.rule("second", score="7"))
    (live.rules / "second").mkdir()
    (live.rules / "second" / "1.0.0.lua").symlink_to("../..data/second.lua")
    live.wait_for(lambda: knows(live, "second", "1.0.0"))
    live.accept(bet("u1", 1, ts=noon()))
    assert live.points("u1", "second") == 7


def test_half_a_file_and_then_the_whole(live):
    """It is written slowly, in place: half of it is an error, the whole of it a rule."""
    text = rulebook.rule("second", score="7")
    (live.rules / "second").mkdir()
    with open(live.rules / "second" / "1.0.0.lua", "w", encoding="utf-8", buffering=1) as file:
        for cut in (0, len(text) // 3, len(text) // 2):
            file.seek(0)
            file.write(text[:cut])
            file.flush()
            live.hup()
            live.wait_for(lambda: "second/1.0.0.lua" in rules_text(live))
            assert gain(live) == 1
        file.seek(0)
        file.write(text)
    live.wait_for(lambda: knows(live, "second", "1.0.0"))
    assert live.get("/v1/rules").json["errors"] == []
    live.accept(bet("u2", 1, ts=noon()))
    assert live.points("u2", "second") == 7


def test_the_file_of_a_running_version_is_rewritten_in_place(live):
    path = live.rules / "live" / "1.0.0.lua"
    text = path.read_text()
    for half in (text[:len(text) // 2], "", text + "-- more\n"):
        path.write_text(half)
        live.wait_for(lambda: "live/1.0.0.lua" in str(live.get("/v1/rules").json["errors"]))
        assert gain(live) == 1
        path.write_text(text)
        live.wait_for(lambda: live.get("/v1/rules").json["errors"] == [])
        assert gain(live) == 1


def test_an_error_goes_when_its_file_goes(live):
    live.write_rule("second", "1.0.0", "return rule {")
    live.wait_for(lambda: "second/1.0.0.lua" in rules_text(live))
    (live.rules / "second" / "1.0.0.lua").unlink()
    live.wait_for(lambda: live.get("/v1/rules").json["errors"] == [])


@pytest.mark.parametrize("source", [b"\0", b"return rule {\0}", b"-- gr\xfcn\n", b"\xff\xfe"])
def test_an_upload_that_is_no_text_is_refused(live, source):
    answer = live.request("POST", "/v1/rules", source, {"Content-Type": "text/x-lua"})
    expect_problem(answer, (400, 422), "UTF-8")
    assert gain(live) == 1


TEST = """return tests {
  { name = "ten a bet", events = { { event_name = "bet", payload = { bet = 1, win = 0 } } },
    expect = { points = %d } },
}
"""


def test_its_own_tests_are_run_before_the_switch(live):
    live.write_rule("tested", "1.0.0", TEST % 11, suffix="_test")
    live.write_rule("tested", "1.0.0", rulebook.rule("tested", score="10"))
    live.hup()
    live.wait_for(lambda: "ten a bet" in rules_text(live), what="the failed test to be named")
    live.accept(bet("u1", 1, ts=noon()))
    assert live.points("u1", "tested") == 0
    live.write_rule("tested", "1.0.0", TEST % 10, suffix="_test")
    live.hup()
    live.wait_for(lambda: knows(live, "tested", "1.0.0")
                  and live.accept(bet("u2", 1, ts=noon())) and live.points("u2", "tested"))


def test_questions_do_not_keep_a_file_waiting(live):
    """However often somebody asks for the rules: a new file is taken up, and so is one that waited
    for its budget."""
    done = threading.Event()

    def ask():
        while not done.is_set():
            live.get("/v1/rules")

    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        live.write_rule("second", "1.0.0", rulebook.rule("second", score="7"))
        live.wait_for(lambda: knows(live, "second", "1.0.0"))
        live.write_rule("third", "1.0.0", rulebook.rule(
            "third", guards=rulebook.guards(pool="late"), milestones=[(10, rulebook.cash("1.00"))]))
        live.wait_for(lambda: "there is no budget 'late'" in rules_text(live))
        assert live.put("/v1/budgets/late", {"currency": "EUR", "period": "season",
                                             "hard_cap": "10.00"}).status == 201
        live.wait_for(lambda: knows(live, "third", "1.0.0"))
    finally:
        done.set()
        for asker in askers:
            asker.join(30)


def test_retire_and_what_is_not_there(live):
    assert live.post("/v1/rules/live/versions/1.0.0/retire").status == 200
    live.wait_for(lambda: gain(live) == 0)
    expect_problem(live.post("/v1/rules/live/versions/9.9.9/activate", {"share": 100}), 404)
    expect_problem(live.post("/v1/rules/nothing/rollback"), 404)


def test_milestones_fire_once_over_all_versions(make_daemon, wallet):
    rules = {("live", "1.0.0"): version("1.0.0", "10", guards=rulebook.guards(),
                                        milestones=[(10, rulebook.freespins(1))])}
    daemon = make_daemon(rules=rules)
    daemon.accept(rewardd.kyc("u1", ts=noon()), bet("u1", 1, ts=noon()))
    daemon.write_rule("live", "2.0.0", version("2.0.0", "10", guards=rulebook.guards(), milestones=[
        (10, rulebook.freespins(50)), (20, rulebook.freespins(2))]))
    daemon.hup()
    daemon.wait_for(lambda: knows(daemon, "live", "2.0.0"))
    activate(daemon, "2.0.0")
    daemon.wait_for(lambda: daemon.accept(bet("u1", 1, ts=noon())) and any(
        task["origin"]["version"] == "2.0.0" for task in daemon.tasks(user_id="u1")))
    assert sorted(task["origin"]["threshold"] for task in daemon.tasks(user_id="u1")) == [10, 20]
    rewardd.check_books(daemon, wallet)


def test_switching_under_load_is_all_or_nothing(live):
    """Every batch is decided by one version, whichever; no event gets neither or both."""
    stop, wrong = threading.Event(), []

    def send(number):
        serial = 0
        while not stop.is_set():
            serial += 1
            results = live.accept(*[bet(f"s{number}", 1, ts=noon()) for _ in range(20)])
            seen = {(row["version"], row["points"]) for result in results
                    for row in result["points"]}
            if len(seen) != 1 or not seen <= {("1.0.0", 1), ("2.0.0", 10)}:
                wrong.append(seen)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        live.write_rule("live", "2.0.0", version("2.0.0", "10"))
        live.hup()
        live.wait_for(lambda: knows(live, "live", "2.0.0"))
        for _ in range(5):
            activate(live, "2.0.0")
            live.wait_for(lambda: gain(live, "probe") == 10)
            live.post("/v1/rules/live/rollback")
            live.wait_for(lambda: gain(live, "probe") == 1)
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
    assert not wrong, wrong[:3]
