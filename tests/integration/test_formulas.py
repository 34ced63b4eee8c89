"""Formulas, live: rules and what they name come in together, stay together, and come back together."""

import contextlib
import json

import pytest

import rewardd
import rulebook
from rewardd import bet, expect_problem, noon

HALF = ("formulas/half", "1.0.0")
SCORED = ("scored", "1.0.0")
RED = "return tests { { name = 'red', args = { 4 }, expect = 3 } }"
GREEN = "return tests { { name = 'green', args = { 4 }, expect = 2 } }"


def half(version="1.0.0", body="return a / 2"):
    return rulebook.formula("half", body, version)


def scored(version="1.0.0", formula="1.0.0", rule_id="scored", **more):
    return rulebook.rule(rule_id, version, score="half(event.payload.bet)",
                         head=f'local half = formula "half@{formula}"', **more)


def experiment(key="ab", version="1.0.0", more=""):
    return (f'return experiment {{ key = "{key}", version = "{version}", {more}\n'
            "  arms = { control = 50, treatment = 50 },\n"
            '  metrics = { primary = { event = "bet", sum = "payload.bet" } } }\n')


@pytest.fixture
def house(make_daemon):
    """Half of the stake, by a formula."""
    return make_daemon(rules={HALF: half(), SCORED: scored()})


def upload(daemon, source, status=201):
    answer = daemon.request("POST", "/v1/rules", source.encode(), {"Content-Type": "text/x-lua"})
    assert answer.status == status, answer
    return answer.json


def command(daemon, rule_id, version, what, body=None):
    path = rule_id.replace("/", "%2F")
    return daemon.post(f"/v1/rules/{path}/versions/{version}/{what}", body)


def version_of(daemon, rule_id, version):
    found = daemon.get("/v1/rules/" + rule_id.replace("/", "%2F")).json
    return next(one for one in found["versions"] if one["version"] == version)


def states(daemon):
    return {(rule["rule_id"], version["version"]): version["state"]
            for rule in daemon.get("/v1/rules").json["items"] for version in rule["versions"]}


def gain(daemon, stake=40, user="probe", rule_id="scored"):
    """What one bet is worth, and by which version."""
    row, = [row for row in daemon.accept(bet(user, stake, ts=noon()))[0]["points"]
            if row["rule_id"] == rule_id] or [{"points": 0, "version": None}]
    return row["points"], row["version"]


def wait_gain(daemon, points, **more):
    """A switch is answered when it is durable; the shards have it a moment later."""
    daemon.wait_for(lambda: gain(daemon, **more)[0] == points)


# ---------------------------------------------------------------- the folder


def test_a_rule_waits_for_its_formula(make_daemon):
    """The folder formulas/ itself is new; nobody tells the daemon anything."""
    daemon = make_daemon()
    daemon.write_rule(*SCORED, scored())
    daemon.wait_for(lambda: "scored/1.0.0.lua:1: there is no formula 'half'; it belongs in "
                    "formulas/half/1.0.0.lua" in daemon.get("/v1/rules").body.decode())
    assert gain(daemon) == (0, None)
    daemon.write_rule(*HALF, half())
    wait_gain(daemon, 20)
    assert daemon.get("/v1/rules").json["errors"] == []
    assert version_of(daemon, *SCORED)["uses"] == ["formulas/half@1.0.0"]
    formula = version_of(daemon, *HALF)
    assert (formula["kind"], formula["state"], formula["used_by"]) == (
        "formula", "active", ["scored@1.0.0"])
    listed = daemon.ctl("rules", "list").stdout
    assert "USED BY" in listed and "scored@1.0.0" in listed
    said = daemon.ctl("rules", "status", "formulas/half").stdout
    assert "formulas/half@1.0.0 is used by scored@1.0.0" in said, said
    assert "scored@1.0.0 uses formulas/half@1.0.0" in daemon.ctl("rules", "status").stdout


def test_a_rule_of_the_folder_finds_what_was_uploaded(make_daemon):
    daemon = make_daemon(rules={**rulebook.POINTS, SCORED: scored()})
    assert len(daemon.get("/v1/rules").json["errors"]) == 1
    assert upload(daemon, half())["state"] == "active"
    wait_gain(daemon, 20)
    assert daemon.get("/v1/rules").json["errors"] == []


def test_a_missing_version_is_told_with_those_there_are(house):
    house.write_rule("scored", "2.0.0", scored("2.0.0", "3.0.0"))
    house.write_rule("formulas/half", "1.10.0", half("1.10.0"))
    house.wait_for(lambda: "scored/2.0.0.lua:1: there is no formula half@3.0.0; of half there are "
                   "1.0.0, 1.10.0" in house.get("/v1/rules").body.decode())


def test_a_red_formula_stays_out_and_so_does_its_rule(make_daemon):
    daemon = make_daemon()
    daemon.write_rule(*HALF, RED, suffix="_test")
    daemon.write_rule(*HALF, half())
    daemon.write_rule(*SCORED, scored())
    daemon.wait_for(lambda: "half/1.0.0_test.lua:1: red: returned 2, expected 3"
                    in daemon.get("/v1/rules").body.decode())
    assert HALF not in states(daemon) and SCORED not in states(daemon)
    daemon.write_rule(*HALF, GREEN, suffix="_test")
    wait_gain(daemon, 20)


def test_a_formula_never_changes(house):
    path = house.write_rule(*HALF, half(body="return a * 100"))
    house.hup()
    house.wait_for(lambda: "other bytes" in house.get("/v1/rules").body.decode())
    expect_problem(house.request("POST", "/v1/rules", path.read_bytes(),
                                 {"Content-Type": "text/x-lua"}), 409, "other bytes")
    assert gain(house) == (20, "1.0.0")


def test_formulas_need_nobody_to_activate_them(make_daemon):
    """They decide nothing by themselves; the rule that takes one waits for its word."""
    daemon = make_daemon(rules={HALF: half(), SCORED: scored()},
                         overrides=["rules.auto_activate=false"])
    assert states(daemon) == {HALF: "active", SCORED: "draft"}
    # Nor does a start activate a rule that has lost its formula.
    assert command(daemon, *HALF, "retire").status == 200
    daemon.overrides = []
    daemon.restart()
    assert states(daemon) == {HALF: "retired", SCORED: "draft"}
    assert "formulas/half@1.0.0, which it takes, is retired" in daemon.get("/v1/rules").body.decode()
    assert command(daemon, *HALF, "activate").status == 200
    wait_gain(daemon, 20)
    assert daemon.get("/v1/rules").json["errors"] == []


# ---------------------------------------------------------------- versions side by side


def test_an_old_rule_runs_its_old_formula(house):
    """... whatever versions come, over restarts and kill -9, until the rule itself names another."""
    house.write_rule("formulas/half", "1.1.0", half("1.1.0", "return a / 4"))
    house.wait_for(lambda: ("formulas/half", "1.1.0") in states(house))
    assert states(house)[("formulas/half", "1.1.0")] == states(house)[HALF] == "active"
    upload(house, scored("2.0.0", "1.1.0"))
    assert gain(house) == (20, "1.0.0")
    house.restart()
    assert gain(house) == (20, "1.0.0")
    assert command(house, "scored", "2.0.0", "activate", {"share": 50}).status == 200
    users = [f"u{number}" for number in range(60)]
    house.wait_for(lambda: gain(house, user=users[0])[1] is not None
                   and {gain(house, user=user) for user in users}
                   == {(20, "1.0.0"), (10, "2.0.0")})
    before = {user: gain(house, user=user) for user in users}
    house.kill9()
    house.start()
    assert {user: gain(house, user=user) for user in users} == before
    assert version_of(house, *HALF)["used_by"] == ["scored@1.0.0"]
    assert version_of(house, "formulas/half", "1.1.0")["used_by"] == ["scored@2.0.0"]


def test_what_a_rule_in_force_takes_is_not_retired(house):
    done = command(house, *HALF, "retire")
    expect_problem(done, 409, "formula 'half' is used by rule scored@1.0.0, which is in force")
    said = house.ctl("rules", "retire", "formulas/half@1.0.0", check=False)
    assert said.returncode == 1 and "used by rule scored@1.0.0" in said.stderr
    # A canary and a shadow have their formula, too.
    upload(house, half("1.1.0", "return a / 4"))
    upload(house, scored("2.0.0", "1.1.0"))
    for what, body in (("shadow", None), ("activate", {"share": 10})):
        assert command(house, "scored", "2.0.0", what, body).status == 200
        expect_problem(command(house, "formulas/half", "1.1.0", "retire"), 409, "scored@2.0.0")
    assert command(house, "scored", "2.0.0", "activate").status == 200
    wait_gain(house, 10)
    # Nothing takes the old one any more.
    assert command(house, *HALF, "retire").json["state"] == "retired"
    # And what takes it cannot come back before it does.
    for done in (house.post("/v1/rules/scored/rollback"), command(house, *SCORED, "activate"),
                 command(house, *SCORED, "shadow"),
                 house.request("POST", "/v1/rules", scored("3.0.0").encode(),
                               {"Content-Type": "text/x-lua"})):
        expect_problem(done, 409, "formulas/half@1.0.0, which it takes, is retired")
    house.restart()
    assert gain(house) == (10, "2.0.0") and states(house)[HALF] == "retired"
    assert "formulas/half 1.0.0 is active\n" in house.ctl(
        "rules", "activate", "formulas/half@1.0.0").stdout
    assert house.post("/v1/rules/scored/rollback").status == 200
    wait_gain(house, 20)


@pytest.mark.parametrize("what, body", [("shadow", None), ("activate", {"share": 10}),
                                        ("ramp", {"steps": [10, 100], "every_ms": 1000})])
@pytest.mark.parametrize("rule_id, words", [
    ("experiments/ab", "its own coverage and arms"), ("formulas/half", "stand side by side")])
def test_shares_are_for_rules(make_daemon, rule_id, words, what, body):
    """Two versions of an experiment in force at once would give one player two arms."""
    daemon = make_daemon(rules={HALF: half(), ("experiments/ab", "1.0.0"): experiment()})
    upload(daemon, half("2.0.0"))
    upload(daemon, experiment(version="2.0.0", more="coverage = 10,"))
    before = states(daemon)
    expect_problem(command(daemon, rule_id, "2.0.0", what, body), 409, words)
    expect_problem(command(daemon, rule_id, "1.0.0", what, body), 409)
    assert states(daemon) == before
    assert before[("experiments/ab", "2.0.0")] == "draft"
    if rule_id == "formulas/half":
        expect_problem(daemon.post("/v1/rules/formulas%2Fhalf/rollback"), 409, words)
        return
    # The way there is: a version of its own.
    assert command(daemon, rule_id, "2.0.0", "activate").status == 200
    assert states(daemon)[("experiments/ab", "1.0.0")] == "retired"


# ---------------------------------------------------------------- at work


def test_a_shadow_calls_its_formula(house):
    upload(house, half("1.1.0", "return a"))
    upload(house, scored("2.0.0", "1.1.0"))
    assert command(house, "scored", "2.0.0", "shadow").status == 200

    def compared():
        house.accept(bet("u1", 40, ts=noon()))
        return version_of(house, "scored", "2.0.0")["shadow"] or {"players": 0}
    house.wait_for(lambda: compared()["players"] > 0)
    found = compared()
    assert found["points_would"] == 2 * found["points_got"] > 0, found


def test_a_formula_that_loops_costs_its_rule_alone(make_daemon):
    daemon = make_daemon(rules={
        **rulebook.POINTS, HALF: half(body="while a > 100 do end return a / 2"), SCORED: scored()})
    assert gain(daemon) == (20, "1.0.0")
    for _ in range(5):
        assert gain(daemon, 200)[0] == 0
    daemon.wait_for(lambda: states(daemon)[SCORED] == "suspended")
    assert "formulas/half/1.0.0.lua:2: stopped: more than 100000 instructions" in daemon.log()
    assert gain(daemon, 7, rule_id="stakes")[0] == 7
    assert states(daemon)[HALF] == "active"


# ---------------------------------------------------------------- deploys


def release(major=2, **changes):
    """A formula, an experiment and a rule that names both; what is named stands behind."""
    body = "control = function(event) return half(event.payload.bet) end, treatment = 1"
    files = {
        f"scored/{major}.0.0.lua": rulebook.rule(
            "scored", f"{major}.0.0", score=None, head=f'local half = formula "half@{major}.0.0"',
            extra=f'experiment = "release{major}",\n  score = by_arm {{ {body} }},'),
        f"scored/{major}.0.0_test.lua": "return tests { { name = 'control', expect = { points = 5 },"
        " player = { arm = 'control' }, events = { { event_name = 'bet', payload = { bet = "
        f"{5 * major} }} }} }} }} }}",
        f"experiments/release{major}/1.0.0.lua": experiment(f"release{major}"),
        f"formulas/half/{major}.0.0.lua": half(f"{major}.0.0", f"return a / {major}"),
        f"formulas/half/{major}.0.0_test.lua":
            f"return tests {{ {{ name = 'h', args = {{ {major} }}, expect = 1 }} }}",
    }
    files.update(changes)
    return [{"name": name, "source": source} for name, source in files.items()]


def gains(daemon, major, users=30):
    """What players of either arm get; all of one version, or the switch is not one step."""
    found = {gain(daemon, 40 * major, f"m{major}_{number}") for number in range(users)}
    assert len({version for _, version in found}) == 1, found
    return {points for points, _ in found}


def test_all_kinds_are_deployed_in_one_step(house, tmp_path):
    for file in release():
        path = tmp_path / "release" / file["name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file["source"])
    assert "5 passed, 0 failed" in house.ctl("rules", "check", tmp_path / "release").stdout
    said = house.ctl("rules", "deploy", tmp_path / "release").stdout
    assert {"formulas/half 2.0.0 is active", "experiments/release2 1.0.0 is active",
            "scored 2.0.0 is active"} == set(said.splitlines())
    house.wait_for(lambda: gain(house)[1] == "2.0.0")
    assert gains(house, 2) == {40, 1}
    house.kill9()
    house.start()
    assert gains(house, 2) == {40, 1}
    assert version_of(house, "scored", "2.0.0")["uses"] == [
        "formulas/half@2.0.0", "experiments/release2"]
    assert version_of(house, "experiments/release2", "1.0.0")["used_by"] == ["scored@2.0.0"]
    house.stop()
    lines = [json.loads(line) for line in house.ctl("journal", "cat").stdout.splitlines()]
    switch = [line for line in lines if line["type"] == "rulebook"][-1]
    assert {(change["rule_id"], change["state"]) for change in switch["changes"]} == {
        ("formulas/half", "active"), ("experiments/release2", "active"), ("scored", "active"),
        ("scored", "retired")}


@pytest.mark.parametrize("changes, status, words", [
    ({"formulas/half/2.0.0_test.lua": "return tests { { name = 'red', args = { 2 }, expect = 7 } }"},
     422, ["half/2.0.0_test.lua:1: red: returned 1, expected 7", "comes with it and is refused"]),
    ({"formulas/half/2.0.0.lua": half("2.0.0", "return cash(a)")}, 422, ["unknown name 'cash'"]),
    ({"experiments/release2/1.0.0.lua": "return experiment {"}, 422, ["release2/1.0.0.lua:1:"]),
    ({"scored/2.0.0_test.lua": "return tests {"}, 422, ["scored/2.0.0_test.lua:1:"]),
    ({"formulas/half/1.0.0.lua": half(body="return a")}, 409, ["other bytes"]),
    ({"formulas/2.0.0.lua": half("2.0.0")}, (400, 422), ["formulas/2.0.0.lua"]),
    ({"formulas/half/x/2.0.0.lua": half("2.0.0")}, (400, 422), ["is named"]),
    ({"formulas/other/2.0.0.lua": half("2.0.0")}, (400, 422), ["both must agree"]),
])
def test_one_red_file_of_any_kind_and_nothing_is_deployed(house, changes, status, words):
    before = states(house)
    expect_problem(house.post("/v1/deploys", {"files": release(2, **changes)}), status,
                   "nothing was deployed", *words)
    assert states(house) == before and gain(house) == (20, "1.0.0")
    assert house.post("/v1/deploys", {"files": release()}).status == 200


def test_a_deploy_without_what_it_names_is_refused(house):
    files = [file for file in release() if not file["name"].startswith("formulas/")]
    expect_problem(house.post("/v1/deploys", {"files": files}), (404, 422),
                   "there is no formula half@2.0.0; of half there are 1.0.0")
    files = [file for file in release() if not file["name"].startswith("experiments/")]
    expect_problem(house.post("/v1/deploys", {"files": files}), 404,
                   "there is no experiment 'release2'")
    assert gain(house) == (20, "1.0.0")


def test_a_deploy_brings_a_retired_formula_back(house):
    assert house.post("/v1/deploys", {"files": release()}).status == 200
    assert command(house, *HALF, "retire").status == 200
    files = [{"name": "scored/3.0.0.lua", "source": scored("3.0.0")}]
    expect_problem(house.post("/v1/deploys", {"files": files}), 409, "is retired")
    files.append({"name": "formulas/half/1.0.0.lua", "source": half()})
    assert house.post("/v1/deploys", {"files": files}).status == 200
    assert states(house)[HALF] == "active"
    wait_gain(house, 20)


def test_experiments_may_change_places_in_one_deploy(make_daemon):
    """Their slices are held against what will be in force, not against what is."""
    def slices(version, **parts):
        return [{"name": f"experiments/{key}/{version}.lua", "source": experiment(
            key, version, f'group = {{ name = "g", from = {a}, to = {b} }},')}
                for key, (a, b) in parts.items()]

    daemon = make_daemon()
    assert daemon.post("/v1/deploys", {"files": slices("1.0.0", ab=(0, 50), cd=(50, 100))
                                       }).status == 200
    swapped = slices("2.0.0", ab=(50, 100), cd=(0, 50))
    expect_problem(daemon.post("/v1/deploys", {"files": swapped[:1]}), 409, "another slice")
    assert daemon.post("/v1/deploys", {"files": swapped}).status == 200
    assert {name for name, state in states(daemon).items() if state == "active"} == {
        ("stakes", "1.0.0"), ("experiments/ab", "2.0.0"), ("experiments/cd", "2.0.0")}
    expect_problem(daemon.post("/v1/deploys", {"files": slices("3.0.0", ab=(0, 60), cd=(50, 100))}),
                   409, "another slice")
    # One step back for one of them would meet the other.
    expect_problem(daemon.post("/v1/rules/experiments%2Fab/rollback"), 409, "another slice")


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("point", ["journal.write", "journal.sync", "rules.switch",
                                   "checkpoint.commit"])
def test_killed_during_a_deploy_of_all_kinds(faults, make_daemon, point, side):
    daemon = make_daemon(rules={HALF: half(), SCORED: scored()})
    assert gain(daemon) == (20, "1.0.0")
    daemon.restart(fault=f"{point}.{side}:kill:{1 if point == 'rules.switch' else 2}")
    answered = False
    with contextlib.suppress(rewardd.Gone):
        answered = daemon.post("/v1/deploys", {"files": release()}).status == 200
        while daemon.alive():
            gain(daemon)
    assert daemon.wait_death(30) == -9
    daemon.restart()
    _, found = gain(daemon)
    assert found == "2.0.0" or (found == "1.0.0" and not answered), "an answer is a promise"
    if found == "2.0.0":
        assert gains(daemon, 2) == {40, 1}
    else:
        assert gain(daemon) == (20, "1.0.0")
    assert daemon.post("/v1/deploys", {"files": release(3)}).status == 200
    daemon.wait_for(lambda: gain(daemon)[1] == "3.0.0")
    assert gains(daemon, 3) == {40, 1}
    daemon.restart()
    assert gains(daemon, 3) == {40, 1}
    daemon.stop()
    daemon.ctl("journal", "verify")
