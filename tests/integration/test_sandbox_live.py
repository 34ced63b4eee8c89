"""Rules that attack: the rule errs, its neighbours decide, the event is acknowledged, in time."""

import re
import time

import pytest

import rewardd
import rulebook
from rewardd import bet, noon

EVENT_S_MAX = 5.0

# Each is the body of score = function(event, player) ... end, and must come to nothing.
ATTACKS = {
    "endless loop": "while true do end",
    "endless goto": "::again:: goto again",
    "endless repeat": "repeat local x = 1 until false",
    "pcall loop": "while true do pcall(function() while true do end end) end",
    "pcall swallows": "pcall(function() while true do end end) while true do end",
    "pcall of pcall": "while true do pcall(pcall, pcall, pcall, function() error('x') end) end",
    "long pcall chain": "local f = function() error('x') end for i = 1, 1e7 do local g = f "
                        "f = function() pcall(g) end end f()",
    "error loop": "while true do pcall(error, {}) end",
    "recursion": "local function f(n) return 1 + f(n + 1) end return f(1)",
    "tail recursion": "local function f(n) return f(n + 1) end return f(1)",
    "recursion under pcall": "local function f() pcall(f) f() end f()",
    "memory bomb": "local t = {} for i = 1, 1e9 do t[i] = { i } end",
    "string bomb": "local s = 'x' while true do s = s .. s end",
    "rep bomb": "return #(('x'):rep(1e9))",
    "rep of rep": "return #((('x'):rep(1e5)):rep(1e5))",
    "concat bomb": "local t = {} for i = 1, 1e5 do t[i] = ('x'):rep(1000) end "
                   "return #table.concat(t, ('y'):rep(1e5))",
    "format bomb": "return #string.format('%99999999d', 1)",
    "bad pattern": "return #(('a'):rep(250)):match('(.-)(.-)(.-)(.-)(.-)(.-)(.-)(.-)b')",
    "catastrophic pattern": "return (('a'):rep(200)):find(('a?'):rep(30) .. ('a'):rep(30)) and 1",
    "pattern too long": "return ('a'):find(('a*'):rep(200) .. 'b') or error('no')",
    "gsub recursion": "local function f(s) return (s:gsub('.', f)) end return #f('xx')",
    "insert far away": "table.insert({}, 1e308, 1)",
    "unpack far": "return select('#', unpack({}, 1, 1e8))",
    "sort that lies": "local t = {} for i = 1, 1000 do t[i] = i % 7 end "
                      "table.sort(t, function() while true do end end)",
    "call chain": "local t = setmetatable({}, { __call = pcall }) return t(t, t, t)",
    "newproxy": "return newproxy(true)",
    "io": "return io.open('/etc/passwd'):read('*a')",
    "os": "os.execute('true')",
    "ffi": "return require('ffi').C.getpid()",
    "load": "return load('return 1')()",
    "loadstring": "return loadstring('return 1')()",
    "coroutine": "return coroutine.wrap(function() coroutine.yield(1) end)()",
    "debug": "return debug.getregistry()",
    "string metatable": "getmetatable('').__index.len = function() return 9 end",
    "global write": "leak = 1",
    "G write": "_G.leak = 1",
    "getfenv": "return getfenv(0)",
    "collectgarbage": "return collectgarbage('count')",
    "write the event": "event.payload.bet = 1e9 return 1",
    "write the player": "player.kyc_level = 3 return 1",
    "NaN": "return 0/0",
    "infinity": "return 1/0",
    "negative": "return -1",
    "too many points": "return 1e10",
    "text as score": "return '12'",
    "table as score": "return {}",
    "error": "error('on purpose')",
    "error with a table": "error({ code = 1 })",
    "nil arithmetic": "return event.payload.nothing + 1",
    "deep nil arithmetic": "return event.a.b.c.d + 1",
}


# Those that do not even load, since they name what is not there.
REFUSED = {"call chain", "newproxy", "io", "os", "ffi", "load", "loadstring", "coroutine", "debug",
           "string metatable", "global write", "G write", "getfenv", "collectgarbage"}


def attack(body):
    return f"""return rule {{
  id = "attack", version = "1.0.0", title = "attack", owner = "tests",
  on = {{ "bet" }}, {rulebook.ALWAYS}
  score = function(event, player) {body} end,
}}
"""


def cpu_s(daemon):
    """Processor time of the whole daemon, all its threads: what others do on the machine is not in
    it. The id of another process's clock is made as clock_getcpuclockid(3) makes it."""
    return time.clock_gettime((~daemon.process.pid << 3) | 2)


def cpu_s_max():
    """What one event may take with a rule that attacks: 25 ms, four times that under sanitizers."""
    return 0.025 * (4 if b"__asan_init" in rewardd.binary().read_bytes() else 1)


def health(daemon, rule_id):
    found, = daemon.get(f"/v1/rules/{rule_id}").json["versions"]
    return found["health"]


def rule_metric(daemon, name, rule_id):
    text = daemon.get("/metrics").body.decode()
    found = re.search(rf'^{name}{{rule="{rule_id}",version="1.0.0"}} (\d+)$', text, re.M)
    return int(found.group(1))


def verdict(daemon, event_id, rule_id="attack"):
    found, = [rule for rule in daemon.decision(event_id)["rules"] if rule["rule_id"] == rule_id]
    return found["verdict"]


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_hurts_nobody_else(make_daemon, name):
    """Twenty events of several players, then the same daemon still counts for everybody."""
    daemon = make_daemon(rules={("attack", "1.0.0"): attack(ATTACKS[name]),
                                ("a_before", "1.0.0"): rulebook.rule("a_before"),
                                ("z_after", "1.0.0"): rulebook.rule("z_after")})
    before = daemon.resident_kib()
    events = [bet(f"u{number % 4}", 2, ts=noon(1, number)) for number in range(20)]
    taken = []
    for one in events:
        started, started_cpu = time.monotonic(), cpu_s(daemon)
        result, = daemon.accept(one)
        taken.append(cpu_s(daemon) - started_cpu)
        assert time.monotonic() - started < EVENT_S_MAX, "bounded time"
        assert {row["rule_id"]: row["points"] for row in result["points"]} == {"a_before": 2,
                                                                              "z_after": 2}
    for number in range(4):
        points = daemon.player(f"u{number}")["points"]
        assert points == {"a_before": 10, "z_after": 10}
    assert daemon.resident_kib() - before < 256 << 10
    # Either it was refused when it was loaded, or every event says that it was asked and failed.
    refused = [one for one in daemon.get("/v1/rules").json["errors"] if "attack" in one["file"]]
    if refused:
        assert name in REFUSED and refused[0]["error"]
    else:
        assert name not in REFUSED
        verdicts = [verdict(daemon, one["event_id"]) for one in events]
        errors = verdicts.count("error")
        assert errors >= 5 and errors + verdicts.count("suspended") == len(events), verdicts
        assert health(daemon, "attack")["errors"] == errors
        assert rule_metric(daemon, "rewardd_rule_errors_total", "attack") == errors
        assert "rule=attack version=1.0.0" in daemon.log()
        assert max(taken) < cpu_s_max(), taken
    for good in ("a_before", "z_after"):
        assert (health(daemon, good)["calls"], health(daemon, good)["errors"]) == (20, 0)
        assert rule_metric(daemon, "rewardd_rule_errors_total", good) == 0
    daemon.stop()


@pytest.mark.parametrize("where", ["when", "grant", "state"])
def test_every_function_is_guarded(make_daemon, where):
    body = {"when": "when = function(event, player) while true do end end, "
                    "score = function() return 1 end,",
            "grant": "grant = function(event, player, state) while true do end end,",
            "state": "state = { n = 0 }, score = function(event, player, state) "
                     "if state then state.n = ('x'):rep(1e6) end while true do end end,"}[where]
    text = f"""return rule {{ id = "attack", version = "1.0.0", title = "t", owner = "o",
  on = {{ "bet" }}, {rulebook.ALWAYS} {body}
  guards = {{ kyc_min_level = 2, rg = true, budget = "nov_season" }} }}
"""
    daemon = make_daemon(rules={("attack", "1.0.0"): text, **rulebook.POINTS})
    for number in range(5):
        daemon.accept(bet("u1", 2, ts=noon(1, number)))
    assert daemon.points("u1", "stakes") == 10 and daemon.points("u1", "attack") == 0
    assert daemon.tasks() == []


def test_a_rule_that_keeps_failing_is_suspended_and_told(make_daemon):
    daemon = make_daemon(rules={("attack", "1.0.0"): attack("error('again')"), **rulebook.POINTS})
    for number in range(40):
        daemon.accept(*[bet(f"u{number}", 1, ts=noon()) for _ in range(50)])
    daemon.wait_for(lambda: '"state":"suspended"' in daemon.get("/v1/rules/attack").body.decode())
    one = bet("last", 1, ts=noon())
    daemon.accept(one)
    assert "suspended" in str(daemon.decision(one["event_id"]))
    assert daemon.points("last", "stakes") == 1
    daemon.restart()
    assert '"state":"suspended"' in daemon.get("/v1/rules/attack").body.decode()


def test_the_reason_of_a_suspension_is_in_the_journal(make_daemon):
    daemon = make_daemon(rules={("attack", "1.0.0"): attack("error('over and over')")})
    for number in range(5):
        daemon.accept(bet("u1", 1, ts=noon(1, number)))
    daemon.wait_for(lambda: '"state":"suspended"' in daemon.get("/v1/rules/attack").body.decode())
    assert "ALERT: suspended, the last error being:" in daemon.log()
    daemon.stop()
    told = daemon.ctl("journal", "cat").stdout
    assert '"breaker"' in told and "over and over" in told


def test_one_hard_stop_suspends(make_daemon, faults):
    """A call that comes back only after the hard limit: its answer is dropped, the rule rests."""
    text = attack("local n = 0 for i = 1, 500 do n = n + i end return 5")
    # Past the calls of the start-up self-test; the two rules take turns, so one of two is the rule's.
    daemon = make_daemon(rules={("attack", "1.0.0"): text, **rulebook.POINTS},
                         fault="script.stall:error:400,script.stall:error:401",
                         overrides=["sandbox.deadline_hard_ms=10"])
    daemon.accept(*[bet("u1", 1, ts=noon(1, number)) for number in range(300)])
    daemon.wait_for(lambda: '"state":"suspended"' in daemon.get("/v1/rules/attack").body.decode())
    assert "more than 10 ms in one call, the hard limit" in daemon.log()
    paid = daemon.points("u1", "attack")
    assert 0 < paid < 300 * 5 and daemon.metric("rewardd_rule_errors_total") == 1
    daemon.accept(bet("u1", 2, ts=noon(1, 1)))
    assert daemon.points("u1", "attack") == paid and daemon.points("u1", "stakes") == 302


def test_limits_are_options(make_daemon):
    """Two errors in ten calls, where engine.conf says so; a wrong pair of deadlines is refused."""
    text = attack("if event.payload.bet == 7 then error('seven') end return 1")
    daemon = make_daemon(rules={("attack", "1.0.0"): text},
                         overrides=["sandbox.error_count_max=2", "sandbox.error_call_count=10"])
    stakes = [7] + [1] * 9 + [7] + [1] * 8 + [7]
    for number, stake in enumerate(stakes):
        assert '"state":"suspended"' not in daemon.get("/v1/rules/attack").body.decode(), number
        daemon.accept(bet("u1", stake, ts=noon(1, number)))
    daemon.wait_for(lambda: '"state":"suspended"' in daemon.get("/v1/rules/attack").body.decode())
    daemon.stop()
    daemon.overrides = ["sandbox.deadline_ms=9", "sandbox.deadline_hard_ms=8"]
    daemon.spawn()
    assert daemon.wait_death() == 2
    assert "sandbox.deadline_hard_ms = 8: must be at least sandbox.deadline_ms" in daemon.log()


def test_what_no_longer_loads_is_told_once_and_for_as_long(make_daemon):
    """A rule in force that the limits of today do not let load: left out, and said so."""
    text = "local n = 0 for i = 1, 20000 do n = n + i end\n" + attack("return 1")
    daemon = make_daemon(rules={("attack", "1.0.0"): text, **rulebook.POINTS})
    daemon.stop()
    daemon.overrides = ["sandbox.instruction_count_max=20000"]
    daemon.start()

    def errors():
        return [error["file"] for error in daemon.get("/v1/rules").json["errors"]]
    assert ["attack/1.0.0.lua" in name for name in errors()] == [True]
    for number in range(2, 5):
        source = rulebook.rule("stakes", f"1.0.{number}", score="1")
        assert daemon.request("POST", "/v1/rules", {"source": source}).status in (200, 201)
    assert ["attack/1.0.0.lua" in name for name in errors()] == [True]
    assert daemon.request("POST", "/v1/rules/attack/versions/1.0.0/retire", {}).status == 200
    assert errors() == []


def test_a_failure_drops_only_what_the_call_did(make_daemon):
    """State written before the error is not kept."""
    text = f"""return rule {{ id = "attack", version = "1.0.0", title = "t", owner = "o",
  on = {{ "bet" }}, {rulebook.ALWAYS} state = {{ n = 0 }},
  score = function(event, player, state)
    state.n = state.n + 1
    if event.payload.bet == 3 then error("dropped") end
    return state.n
  end }}
"""
    daemon = make_daemon(rules={("attack", "1.0.0"): text})
    got = []
    for number, stake in enumerate((1, 3, 1, 3, 1)):
        result, = daemon.accept(bet("u1", stake, ts=noon(1, number)))
        got.append(sum(row["points"] for row in result["points"]))
    assert got == [1, 0, 2, 0, 3]


def test_an_error_forges_no_line_of_the_log(make_daemon):
    """An event's sender chooses its id, and a rule may well put it into its error."""
    daemon = make_daemon(rules={("attack", "1.0.0"): attack("error(event.event_id)")})
    forged = 'x" level=error msg="owned"\nts=2025-01-01T00:00:00.000Z level=info \x1b[2J\u009b'
    daemon.accept(bet("u1", 1, ts=noon(), event_id=forged))
    daemon.wait_for(lambda: "owned" in daemon.log())
    line, = [line for line in daemon.log().split("\n") if "owned" in line]
    assert r'x\" level=error msg=\"owned\"\nts=2025' in line and r"\x1b[2J\xc2\x9b" in line, line
    assert all(line.startswith("ts=20") for line in daemon.log().strip().split("\n"))


def test_nothing_is_kept_between_calls(make_daemon):
    """Upvalues and tables of the file are no memory: the same event, the same answer."""
    text = rulebook.rule("attack", score="bump()", head="local n = 0\n"
                         "local function bump() n = n + 1 return 1 end")
    daemon = make_daemon(rules={("attack", "1.0.0"): text})
    for number in range(10):
        daemon.accept(bet(f"u{number}", 1, ts=noon()))
    assert {daemon.points(f"u{number}", "attack") for number in range(10)} <= {0, 1}


def test_an_answer_that_depends_on_memory_is_refused(make_daemon):
    """# of a list with holes ends at another hole in another VM: found before it is in force."""
    text = rulebook.rule("attack", score="lengths()", head="""local function lengths()
  local sum = 0
  for round = 1, 40 do
    local t = {}
    for i = 1, 11 do
      t[round .. 'k' .. i] = i
      if i % 2 == 0 then t[round .. 'k' .. (i - 1)] = nil end
      if i % 3 ~= 0 then t[i] = i end
    end
    sum = sum * 3 % 1000003 + #t
  end
  return sum
end""")
    daemon = make_daemon(rules={("attack", "1.0.0"): text, **rulebook.POINTS})
    assert "the same events get different answers" in str(daemon.get("/v1/rules").json["errors"])
    assert daemon.get("/v1/rules/attack").status == 404
    uploaded = daemon.request("POST", "/v1/rules", text.encode(), {"Content-Type": "text/x-lua"})
    assert uploaded.status in (400, 409, 422), uploaded
    assert b"different answers" in uploaded.body
    checked = daemon.ctl("rules", "check", str(daemon.rules), check=False)
    assert checked.returncode != 0 and "the same events get different answers" in checked.stdout
    daemon.accept(bet("u1", 1, ts=noon()))
    assert daemon.points("u1", "stakes") == 1


def test_seeded_randomness_is_repeatable(make_daemon):
    """math.random depends on the event alone: two daemons agree."""
    rules = {("dice", "1.0.0"): rulebook.rule("dice", score="math.random(1, 1000000)")}
    events = [bet(f"u{number}", 1, ts=noon(), event_id=f"fixed_{number}") for number in range(50)]
    totals = []
    for _ in range(2):
        daemon = make_daemon(rules=rules)
        daemon.accept(*events)
        totals.append([daemon.points(f"u{number}", "dice") for number in range(50)])
        daemon.stop()
    assert len(set(totals[0])) > 10
    assert totals[0] == totals[1], "the seed comes from the event id and nothing else"
