"""The author's loop without a daemon: rewardctl rules check, new, test, bench, diff."""

import pathlib
import shutil
import subprocess
import time

import pytest

import rewardd
import rulebook

EXPERIMENTS = rewardd.REPOSITORY / "rules" / "experiments"
SCHEMAS = rewardd.REPOSITORY / "rules" / "schemas"


class Author:
    """A folder of rules with the shipped schemas in it."""

    def __init__(self, folder):
        self.rules = folder / "rules"
        self.rules.mkdir()
        shutil.copytree(SCHEMAS, self.rules / "schemas")
        self.conf = folder / "engine.conf"
        self.conf.write_text('budget "nov_season" { currency = "EUR" period = "season" '
                             'hard_cap = "1000.00" }\n'
                             'price "freespins" { cost = "0.10" currency = "EUR" }\n'
                             f'rules {{ dir = "{self.rules}" }}\n')

    def write(self, text, name="mine", version="1.0.0", suffix=""):
        path = self.rules / name / f"{version}{suffix}.lua"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def rule(self, body, name="mine", version="1.0.0"):
        return self.write(f'return rule {{\n  id = "{name}", version = "{version}", title = "t", '
                          f'owner = "o",\n  {rulebook.ALWAYS}\n{body}\n}}\n', name, version)

    def ctl(self, *words, code=0):
        path = rewardd.binary("rewardctl")
        done = subprocess.run([str(path), "-c", str(self.conf), "rules", *map(str, words)],
                              capture_output=True, text=True, timeout=120, check=False,
                              cwd=self.rules.parent)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def author(built, tmp_path):
    return Author(tmp_path)


# ---------------------------------------------------------------- check


@pytest.mark.parametrize("body, place, words", [
    ('on = "bet", score = function(event) return event.payload.bett end',
     "4:58", "no schema of bet declares payload.bett; did you mean 'bet'?"),
    ('on = "bet", score = function(e, p)\n  return e.payload.wun end', "5:20", "did you mean 'win'?"),
    ('on = "bet", when = function(event) return event.user.geos == "TR" end,\n'
     'score = function() return 1 end', "4:54", "declares user.geos; did you mean 'geo'?"),
    ('on = "bet", score = function() return 1 end,\naggregates = { a = sum("payload.bte", "1d") }',
     "5:24", "did you mean 'bet'?"),
    ('on = "bet", aggregates = { wager = sum("payload.bet", "1d") },\n'
     'score = function(event, player) return player.agg.wagr end',
     "5:51", "aggregates does not declare wagr; did you mean 'wager'?"),
    ('on = "bet", score = function(event) if event.payload.game_id > 5 then return 1 end '
     'return 0 end', "4:54", "text in the schema of bet: compared with the number 5"),
    ('on = "bet", score = function(event) return event.payload.game_id * 2 end',
     "4:58", "cannot be calculated with"),
    ('on = "bet", score = function(event) if "5" == event.payload.bet then return 1 end '
     'return 0 end', "", ""),
    ('on = "bet", score = function(event)\n  local p = event.payload\n  return p.bett end', "6:12",
     "no schema of bet declares payload.bett; did you mean 'bet'?"),
    ('on = "bet", score = function(e, who)\n  local all, mine = e, who.agg\n  local p = all.payload\n'
     '  if mine.n then return p.wun end return 0 end,\naggregates = { n = count("1d") }', "7:27",
     "did you mean 'win'?"),
    ('on = "bet", score = function(e, who)\n  local mine = who.agg\n  return mine.betz end,\n'
     'aggregates = { bets = count("1d") }', "6:15", "does not declare betz; did you mean 'bets'?"),
    ('on = "bet", score = function(event)\n  local game = event.payload.game_id\n  for i = 1, 2 do\n'
     '    if game > 5 then return i end\n  end return 0 end', "7:8", "compared with the number 5"),
    ('on = "bet", score = function(event)\n  local game = event.payload.game_id\n  return game * 2 end',
     "6:10", "payload.game_id is text in the schema of bet: it cannot be calculated with"),
    ('on = "bet", score = function(event)\n  local none = event.payload.bonus\n'
     '  return none and none.x or none.y or 0 end', "5:30", "declares payload.bonus"),
    ('on = "bet", score = function() return 1 end, aggregates = { a = sum("payload.game_id", "1d") }',
     "4:69", "payload.game_id is text in the schema of bet: sum counts numbers"),
    ('on = "bte", score = function() return 1 end', "4:6",
     "there is no schema of an event bte; did you mean 'bet'?"),
    ('on = "bet", scroe = function() return 1 end', "4:1", "did you mean 'score'?"),
    ('on = "bet", score = function( return 1 end', "4:1", "expected"),
    ('on = "bet", grant = function() return freespins { count = 1, game = "g" } end', "4:1",
     "must name guards.budget"),
    ('on = "bet", grant = function() return cash { amount = "1.00", currency = "EUR" } end,\n'
     'guards = { budget = "nov_season" }', "", "kyc_min_level"),
])
def test_check_says_where_and_what(author, body, place, words):
    path = author.rule(body)
    if not place and not words:
        # A stake may come as text where its schema says so: nothing is wrong then.
        assert "1 passed, 0 failed" in author.ctl("check")
        return
    text = author.ctl("check", code=1)
    assert words in text and f"{path}:{place}" in text, text


def test_what_is_right_passes(author):
    author.rule("""
      on = { "bet", "win" }, state = { seen = 0 },
      aggregates = { wager = sum("payload.bet", "1d"), game = last("payload.game_id") },
      where = { currency = "EUR" },
      when = function(event, player) -- event.payload.nothing in a comment
        local said = "event.payload.nothing" .. [[ event.payload.nothing ]]
        return event.payload.game_id == "slot_wolf" and event.user.geo ~= "DE" and #said > 3
      end,
      score = function(event, player, state)
        state.seen = state.seen + 1
        return (event.payload.bet or 0) * 2 + event.day_no % 2 + (player.agg.wager or 0)
      end""")
    for words in ((), (author.rules / "mine" / "1.0.0.lua",)):
        assert "1 passed, 0 failed" in author.ctl("check", *words)


@pytest.mark.parametrize("body", [
    "local event = { payload = { bett = 1 } } return event.payload.bett",
    "local p = event.payload p = { bett = 1 } return p.bett",
    "local p = event.payload while p.bett do p = { bett = false } end return 1",
    "local p, q = event.payload, 1 p, q = { bett = 1 }, 2 return p.bett",
    "local p = event.payload.bet or { bett = 1 } return type(p) == 'table' and p.bett or 1",
    "local p = event.payload do local p = { bett = 1 } if p.bett then return 2 end end return 1",
    "local p = event.payload for i, p in ipairs({ { bett = 1 } }) do if p.bett then return i end end "
    "return 1",
    "local p = event.payload local function f(p) return p.bett end return f({ bett = p.bet })",
    "if event.payload.bet then local p = event.payload end local q = { p = { bett = 1 } } "
    "return q.p.bett",
    "local p = make { bett = 1 } return p.bett",
    "local p = tonumber(event.payload.bet) return p and p * 2 or 0",
    "repeat local p = { bett = 1 } until p.bett return 1",
    "local pick = event.payload ['bet'] return tonumber(pick) or 1",
    "local agg = { nothing = 1 } return agg.nothing + (player.agg.n or 0)",
])
def test_a_name_that_stands_for_something_else_is_no_mistake(author, body):
    author.write(f"""
local function make(table) return table end
return rule {{ id = "mine", version = "1.0.0", title = "t", owner = "o", on = "bet", {rulebook.ALWAYS}
  aggregates = {{ n = count("1d") }},
  score = function(event, player) {body} end }}
""")
    assert "1 passed, 0 failed" in author.ctl("check")


def test_without_schemas_it_says_so(author):
    shutil.rmtree(author.rules / "schemas")
    author.rule('on = "bet", score = function(event) return event.payload.bett end')
    assert "there are no schemas" in author.ctl("check")


def test_an_event_that_nobody_registered_may_be_allowed(author):
    author.rule('on = "coffee", score = function(event) return event.payload.cups end')
    assert "there is no schema of an event coffee" in author.ctl("check", code=1)
    author.conf.write_text(author.conf.read_text() + "schemas { allow_unknown = true }\n")
    author.ctl("check")


def test_a_hundred_rules(author):
    """The time is told, and held to nothing tighter than what a broken machine would need."""
    shutil.copytree(EXPERIMENTS, author.rules / "experiments")
    shipped = sorted((rewardd.REPOSITORY / "rules").glob("*/[0-9]*.lua"))
    count = 0
    while count < 100:
        for path in shipped:
            if path.name.endswith("_test.lua") or count == 100:
                continue
            name = f"r{count}"
            text = path.read_text().replace(f'id = "{path.parent.name}"', f'id = "{name}"')
            author.write(text, name, path.stem)
            tests = path.with_name(path.stem + "_test.lua")
            author.write(tests.read_text(), name, path.stem, "_test")
            count += 1
    begun = time.monotonic()
    text = author.ctl("check")
    took = time.monotonic() - begun
    print(f"check and test of {count} rules: {took:.2f} s")
    assert ", 0 failed" in text and int(text.split()[-4]) >= 200
    assert took < 20


# ---------------------------------------------------------------- test --coverage

BRANCHES = """
on = "bet",
score = function(event)
  local bet = event.payload.bet
  if bet > 5 then
    return bet * 2
  elseif bet > 100 then
    local never = 1
    return never
  end
  return bet
end"""


def cases_of(*cases):
    return "return tests {\n" + "\n".join(
        f'{{ name = "{bet} gives {points}", events = {{ {{ event_name = "bet", payload = {{ '
        f'bet = {bet}, win = 0, currency = "EUR" }} }} }}, expect = {{ points = {points} }} }},'
        for bet, points in cases) + "\n}\n"


def test_a_tests_mistakes_name_its_file(author):
    author.rule('on = "bet", score = function(event) return event.payload.bet end')
    path = author.write("""return tests {
  { name = "two", events = { { event_name = "bet", payload = { bet = 1 } } },
    expct = { points = 2 } } }""", suffix="_test")
    assert f"{path}:3:5: tests[1].expct: unknown field; did you mean 'expect'?" in author.ctl(
        "check", code=1)
    path.write_text(path.read_text().replace("expct", "expect"))
    assert f"{path}:2: two: points is 1, expected 2" in author.ctl("check", code=1)


def test_coverage_names_the_lines_that_never_ran(author):
    path = author.rule(BRANCHES)
    author.write(cases_of((3, 3)), suffix="_test")
    text = author.ctl("test", "--coverage")
    assert "3 gives 3" in text and "9, 11-12" in text, text
    author.write(cases_of((3, 3), (7, 14)), suffix="_test")
    text = author.ctl("test", "--coverage")
    assert "never: 11-12\n" in text, text
    percent = int(text.split(" lines, ")[1].split(" %")[0])
    assert author.ctl("test", path, "--threshold", percent)
    assert f"below the threshold of {percent + 1} %" in author.ctl(
        "test", path, "--threshold", percent + 1, code=1)


def test_coverage_of_a_rule_without_tests(author):
    author.rule(BRANCHES)
    text = author.ctl("test", "--threshold", 80, code=1)
    assert "never: 7-12, 14\n" in text, text
    author.ctl("test", "--threshold", 101, code=2)


def test_a_red_test_is_red_with_coverage_too(author):
    author.rule(BRANCHES)
    author.write(cases_of((3, 4)), suffix="_test")
    assert "points is 3, expected 4" in author.ctl("test", "--coverage", code=1)


# ---------------------------------------------------------------- new


TEMPLATES = sorted(path.stem for path in (rewardd.REPOSITORY / "scripts" / "templates").glob("*.lua")
                   if not path.stem.endswith("_test"))


def test_every_template_passes_its_own_tests(author):
    assert TEMPLATES == ["cashback", "deposit_bonus", "formula", "milestone", "mission", "score",
                         "streak"]
    folders = {name: author.rules / ("formulas" if name == "formula" else "") / f"my-{name}"
               for name in TEMPLATES}
    for name, folder in folders.items():
        text = author.ctl("new", f"my-{name}", "--template", name)
        assert text.splitlines()[:2] == [str(folder / file)
                                         for file in ("1.0.0_test.lua", "1.0.0.lua")]
        assert text.splitlines()[2:] == [f"next: rewardctl rules test {text.splitlines()[1]}"]
    text = author.ctl("test", "--threshold", 100)
    assert ", 0 failed" in text and "no tests" not in text, text
    for name, folder in folders.items():
        assert f"{folder}/1.0.0.lua: loads" in text
        assert f'id = "my-{name}"' in (folder / "1.0.0.lua").read_text()


def test_new_overwrites_nothing(author):
    author.ctl("new", "mine")
    path = author.rules / "mine" / "1.0.0.lua"
    before = path.read_text()
    assert "per_event" in before
    assert "is there already" in author.ctl("new", "mine", "--template", "streak", code=1)
    assert path.read_text() == before
    assert "there are cashback" in author.ctl("new", "other", "--template", "scroe", code=2)
    for name in ("Mine", "../up", "9lives", "x" * 80):
        author.ctl("new", name, code=2)
    assert sorted(path.name for path in author.rules.iterdir()) == ["mine", "schemas"]


# ---------------------------------------------------------------- bench


def test_bench_counts_the_same_instructions_every_time(author):
    author.ctl("new", "mine", "--template", "mission")
    rows = []
    for words in (("mine@1.0.0",), (author.rules / "mine" / "1.0.0.lua",)):
        text = author.ctl("bench", *words, "--calls", 2000)
        assert "on 6 events of its tests" in text
        row = next(line for line in text.splitlines() if line.startswith("grant")).split()
        rows.append(row[:5])
        assert float(row[5]) > 0 and float(row[6]) >= float(row[5]) and row[7] == "0"
    assert rows[0] == rows[1] and rows[0][1] == "2000"


def test_bench_tells_a_heavy_rule_from_a_light_one(author):
    for name, count in (("light", 10), ("heavy", 5000)):
        author.rule(f'on = "bet", score = function(event) local sum = 0\n'
                    f'for i = 1, {count} do sum = sum + i % 3 end return sum end', name)
        author.write(cases_of((1, sum(i % 3 for i in range(1, count + 1)))), name, suffix="_test")
    spent = {}
    for name in ("light", "heavy"):
        row = next(line for line in author.ctl("bench", f"{name}@1.0.0").splitlines()
                   if line.startswith("score")).split()
        spent[name] = (int(row[2]), float(row[5]))
    assert spent["heavy"][0] > 10000 > spent["light"][0]
    assert spent["heavy"][1] > spent["light"][1]


def test_bench_says_what_it_lacks(author):
    author.rule('on = "bet", score = function(event) error("no") end')
    assert "1.0.0_test.lua: No such file" in author.ctl("bench", "mine@1.0.0", code=1)
    author.write(cases_of((1, 0)), suffix="_test")
    assert "no" in author.ctl("bench", "mine@1.0.0", "--calls", 10, code=1)
    assert "No such file" in author.ctl("bench", "mine@2.0.0", code=1)
    author.ctl("bench", "mine", code=2)
    author.ctl("bench", "mine@1.0.0", "--calls", 0, code=2)


# ---------------------------------------------------------------- diff


def test_diff_tells_fields_and_lines(author):
    author.rule("""on = "bet", score = function(event)
  -- as it was
  return event.payload.bet
end,
caps = { per_event = 10, per_day = 100 }""")
    author.rule("""on = { "bet", "win" }, score = function(event)
  -- as it was
  return event.payload.bet * 2
end,
caps = { per_day = 100.0 }""", version="1.1.0")
    text = author.ctl("diff", "mine@1.0.0", "mine@1.1.0")
    assert "on\n  - bet\n  + bet, win\n" in text
    assert "caps.per_event\n  - 10\n  + (not said)\n" in text
    assert "caps.per_day\n" not in text, "100 and 100.0 mean the same"
    assert "-    6    return event.payload.bet\n+    6    return event.payload.bet * 2\n" in text
    assert "     5    -- as it was\n" in text
    same = author.ctl("diff", "mine@1.0.0", author.rules / "mine" / "1.0.0.lua")
    assert "fields are the same" in same and "sources are the same" in same
    assert "No such file" in author.ctl("diff", "mine@1.0.0", "mine@3.0.0", code=1)
    author.ctl("diff", "mine@1.0.0", code=2)


# ---------------------------------------------------------------- formulas


def test_a_rule_with_its_formula(author):
    """check, test with coverage, bench and diff find formulas in the folder, in whatever order."""
    author.write(rulebook.formula("half", "return a / 2"), "formulas/half")
    author.write("return tests { { name = 'h', args = { 3 }, expect = 1.5 } }", "formulas/half",
                 suffix="_test")
    mine = author.write(rulebook.rule("mine", score="half(event.payload.bet)",
                                      head='local half = formula "half@1.0.0"'))
    author.write(cases_of((5, 2), (1, 0)), suffix="_test")
    assert "5 passed, 0 failed" in author.ctl("check")
    assert "3 passed, 0 failed" in author.ctl("check", mine)
    text = author.ctl("test", "--threshold", 100)
    assert "half/1.0.0.lua: tests ran" in text and "mine/1.0.0.lua: tests ran" in text, text
    row = next(line for line in author.ctl("bench", "mine@1.0.0", "--calls", 100).splitlines()
               if line.startswith("score")).split()
    assert row[7] == "0"
    assert "is no rule" in author.ctl("bench", "formulas/half@1.0.0", code=1)
    author.write(rulebook.formula("half", "return a * 0.5", version="1.1.0"), "formulas/half", "1.1.0")
    author.write(rulebook.rule("mine", "1.1.0", score="half(event.payload.bet)",
                               head='local half = formula "half@1.1.0"'), version="1.1.0")
    assert "formulas\n  - half@1.0.0\n  + half@1.1.0\n" in author.ctl(
        "diff", "mine@1.0.0", "mine@1.1.0")
    assert "return a * 0.5" in author.ctl("diff", "formulas/half@1.0.0", "formulas/half@1.1.0")


@pytest.mark.parametrize("formula, head, place, words", [
    ("return a / 2", 'local half = formula "half@2.0.0"', "mine/1.0.0.lua:1:1:",
     "there is no formula half@2.0.0; of half there are 1.0.0"),
    ("return a / 2", 'local half = formula "haf@1.0.0"', "mine/1.0.0.lua:1:1:",
     "there is no formula 'haf'; it belongs in formulas/haf/1.0.0.lua"),
    ("return math.random() * a", 'local half = formula "half@1.0.0"', "half/1.0.0_test.lua:1: h:",
     "attempt to call field 'random'"),
    ("return cash(a)", 'local half = formula "half@1.0.0"', "half/1.0.0.lua:2:3:",
     "unknown name 'cash': a formula sees its arguments and plain Lua, nothing else"),
    ("return a / 3", 'local half = formula "half@1.0.0"', "half/1.0.0_test.lua:1: h:",
     "returned 1, expected 1.5"),
])
def test_check_says_what_is_wrong_with_formulas(author, formula, head, place, words):
    author.write(rulebook.formula("half", formula), "formulas/half")
    author.write("return tests { { name = 'h', args = { 3 }, expect = 1.5 } }", "formulas/half",
                 suffix="_test")
    author.write(rulebook.rule("mine", score="half(event.payload.bet)", head=head))
    text = author.ctl("check", code=1)
    assert place in text and words in text, text


def test_a_formula_reads_no_event(author):
    """Whatever it calls its arguments: no schema says what they are."""
    author.write('return formula { id = "e", version = "1.0.0",\n'
                 '  compute = function(event) return event.payload.bett end }\n', "formulas/e")
    assert "1 passed, 0 failed" in author.ctl("check")


def test_a_formula_may_stand_in_the_rules_folder_alone(author, tmp_path):
    """A release that brings only rules is checked with what rules.dir has."""
    author.write(rulebook.formula("half", "return a / 2"), "formulas/half")
    release = tmp_path / "release" / "mine"
    release.mkdir(parents=True)
    (release / "1.0.0.lua").write_text(rulebook.rule(
        "mine", score="half(event.payload.bet)", head='local half = formula "half@1.0.0"'))
    assert "1 passed, 0 failed" in author.ctl("check", release.parent)


# ---------------------------------------------------------------- explain


def test_a_players_story(make_daemon):
    daemon = make_daemon(rules=rulebook.PAYS)
    first, second = rewardd.kyc("u1", 2, ts=rewardd.noon(1)), rewardd.bet(
        "u1", 12, ts=rewardd.noon(1, 1))
    daemon.accept(first, second)
    daemon.refuse(rewardd.bet("u1", 12, ts=rewardd.noon(30)))
    daemon.wait_settled()
    for words in (("explain",), ("rules", "explain")):
        text = daemon.ctl(*words, "--user", "u1").stdout
        places = [text.index(part) for part in (
            first["event_id"], "no rule gave anything for it", second["event_id"], "+12 points; reached the milestone 10",
            "refused: ", "its turn to be sent came", "the partner took it; now it is succeeded")]
        assert places == sorted(places), text
        assert daemon.ctl(*words, second["event_id"]).stdout in text
    assert "the partner took it" in daemon.ctl("explain", "--user", "u1", "--limit", 1).stdout
    assert second["event_id"] not in daemon.ctl("explain", "--user", "u1", "--limit", 1).stdout
    for words, code in ((["--user", "nobody"], 1), (["--user", "u1", "e1"], 2), ([], 2),
                        (["e1", "--limit", "3"], 2), (["--user", "u1", "--limit", "0"], 2)):
        assert daemon.ctl("explain", *words, check=False).returncode == code, words
