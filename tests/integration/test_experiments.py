"""Experiments from the file to the verdict: arms are sticky, exposures journaled once, results right.

The results are computed anew here with scipy and statsmodels, where those are installed.
"""

import collections
import json

import pytest

import rewardd
import rulebook
from rewardd import bet, event, expect_problem, noon

ARMS = "arms = { control = 50, treatment = 50 }"
METRIC = 'metrics = { primary = { event = "bet", sum = "payload.bet" } }'


def experiment(key="ab", version="1.0.0", arms=ARMS, metrics=METRIC, more=""):
    return (f'return experiment {{\n  key = "{key}", version = "{version}", title = "t",\n'
            f"  {arms},\n  {metrics},\n  {more}\n}}\n")


def by_arm_rule(rule_id="scored", key="ab", version="1.0.0"):
    return rulebook.rule(rule_id, version, score=None, extra=f'experiment = "{key}",\n'
                         "  score = by_arm { control = 1, treatment = 2, otherwise = 5 },")


def rules(*more, **terms):
    return {("experiments/ab", "1.0.0"): experiment(**terms),
            ("scored", "1.0.0"): by_arm_rule(), **dict(more)}


@pytest.fixture
def ab(make_daemon):
    return make_daemon(rules=rules(more='strata = { "payer", "geo" },'))


def users(count, prefix="p"):
    return [f"{prefix}{i}" for i in range(count)]


def play(daemon, names, amount=1.0):
    """One bet each; what each was given, which tells the arm."""
    results = daemon.accept(*[bet(name, amount, ts=noon()) for name in names])
    return {name: sum(row["points"] for row in result["points"] if row["rule_id"] == "scored")
            for name, result in zip(names, results)}


def results(daemon, key="ab"):
    answer = daemon.get(f"/v1/experiments/{key}/results")
    assert answer.status == 200, answer
    return answer.json


def arm_of(points):
    return {1: "control", 2: "treatment", 5: None}[points]


def fnv1a(text):
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def place_of(seed, user):
    return fnv1a(str(fnv1a(seed + user))) % 10000 / 10000


def growthbook_arm(key, user):
    """What a client's SDK would say, by its specification."""
    return "control" if place_of(key, user) < 0.5 else "treatment"


def test_an_sdk_would_say_the_same(ab):
    for user, points in play(ab, users(200)).items():
        assert arm_of(points) == growthbook_arm("ab", user)


def test_arms_stick_over_versions_shares_and_restarts(ab):
    before = play(ab, users(100))
    assert set(before.values()) == {1, 2}
    ab.write_rule("experiments/ab", "2.0.0", experiment(
        version="2.0.0", arms="arms = { control = 5, treatment = 95 }", more="holdout = 20,"))
    ab.hup()
    ab.wait_for(lambda: "2.0.0" in ab.get("/v1/rules/experiments%2Fab").body.decode())
    ab.ctl("rules", "activate", "experiments/ab@2.0.0")
    assert play(ab, users(100)) == before
    ab.restart()
    assert play(ab, users(100)) == before
    ab.kill9()
    ab.start()
    assert play(ab, users(100)) == before
    fresh = collections.Counter(map(arm_of, play(ab, users(400, "new")).values()))
    assert fresh["treatment"] > 270 and fresh["control"] < 40 and 50 < fresh[None] < 110


def exposures(daemon, user):
    return [one["exposures"] for one in daemon.listing(f"/v1/players/{user}/decisions")]


def test_an_exposure_is_journaled_once(ab):
    first = bet("u1", 1, ts=noon())
    points, = [row["points"] for row in ab.accept(first)[0]["points"]]
    ab.accept(bet("u1", 1, ts=noon()))
    ab.restart()
    ab.accept(bet("u1", 1, ts=noon()))
    told = ab.decision(first["event_id"])
    assert told["exposures"] == [{"experiment": "ab", "version": "1.0.0", "arm": arm_of(points),
                                  "stratum": "payer=,geo=TR"}]
    assert [rule["arm"] for rule in told["rules"]] == [arm_of(points)]
    lines = [json.loads(line) for line in
             ab.ctl("journal", "cat", "--user", "u1").stdout.splitlines()]
    events = [line for line in lines if line["type"] == "event"]
    assert [len(line.get("exposures", [])) for line in events] == [1, 0, 0]
    assert events[0]["exposures"][0]["arm"] == arm_of(points)
    assert {line["points"][0]["arm"] for line in events} == {arm_of(points)}
    assert ab.player("u1")["arms"] == {"ab": arm_of(points)}
    said = ab.ctl("explain", first["event_id"]).stdout
    assert f"the player is in the arm {arm_of(points)}" in said, said


def test_the_money_names_schema_and_arm(make_daemon):
    """From the decision into task, ledger and journal; a reward that no experiment had a say in has none."""
    pays = rulebook.rule("pays", score=None, guards=rulebook.guards(kyc=0), grant=(
        f'local arm = player.arm() if arm then return {rulebook.freespins(5)} end'),
                         extra='experiment = "ab",')
    plain = rulebook.rule("plain", on=("login",), grant=f"return {rulebook.freespins(1)}",
                          guards=rulebook.guards(kyc=0))
    daemon = make_daemon(rules={("experiments/ab", "1.0.0"): experiment(),
                                ("pays", "1.0.0"): pays, ("plain", "1.0.0"): plain})
    one = bet("u1", 1, ts=noon())
    daemon.accept(one, event("login", "u1", {}, ts=noon(seconds=1)))
    daemon.wait_for(lambda: len(daemon.ledger(user_id="u1")) == 2)
    by_rule = {row["rule_id"]: row for row in daemon.ledger(user_id="u1")}
    tasks = {task["origin"]["rule_id"]: task for task in daemon.tasks(user_id="u1")}
    schema = f'bet/{one["version"]}'
    arm = growthbook_arm("ab", "u1")
    for row in (by_rule["pays"], tasks["pays"]["origin"]):
        assert (row["schema_id"], row["experiment"], row["arm"]) == (schema, "ab", arm)
        assert row["version"] == "1.0.0" and len(row["content_hash"]) == 64
    for row in (by_rule["plain"], tasks["plain"]["origin"]):
        assert row["schema_id"].startswith("login/") and row["experiment"] is row["arm"] is None
    told = daemon.decision(one["event_id"])
    assert told["schema_id"] == schema and told["reward_tasks"][0]["arm"] == arm
    lines = [json.loads(line) for line in
             daemon.ctl("journal", "cat", "--user", "u1").stdout.splitlines()]
    task, = lines[0]["reward_tasks"]
    assert (task["schema_id"], task["experiment"], task["arm"]) == (schema, "ab", arm)
    assert arm in daemon.ctl("tasks", "--user", "u1").stdout
    daemon.kill9()
    daemon.start()
    assert {row["rule_id"]: row for row in daemon.ledger(user_id="u1")} == by_rule


def test_a_rule_of_an_unknown_experiment_does_not_load(make_daemon):
    daemon = make_daemon(rules={("scored", "1.0.0"): by_arm_rule()})
    answer = daemon.get("/v1/rules").body.decode()
    assert "there is no experiment 'ab'" in answer
    done = daemon.ctl("rules", "check", daemon.rules, check=False)
    assert done.returncode == 1 and "there is no experiment 'ab'" in done.stdout
    daemon.write_rule("experiments/ab", "1.0.0", experiment())
    daemon.hup()
    daemon.wait_for(lambda: daemon.get("/v1/rules/scored").status == 200)
    assert set(play(daemon, users(30)).values()) == {1, 2}
    done = daemon.ctl("rules", "check", daemon.rules)
    assert "2 passed, 0 failed" in done.stdout
    done = daemon.post("/v1/rules/experiments%2Fab/versions/1.0.0/retire", {})
    expect_problem(done, 409, "used by rule scored@1.0.0")


TESTED = '''return tests {
  { name = "control", player = { arm = "control" }, events = { { event_name = "bet" } }, expect = { points = 1 } },
  { name = "treatment", player = { arm = "treatment" }, events = { { event_name = "bet" } }, expect = { points = %d } },
  { name = "in no arm", events = { { event_name = "bet" } }, expect = { points = 5 } },
}
'''


def test_a_rules_test_says_the_arm(ab):
    ab.write_rule("scored", "1.0.0", TESTED % 2, suffix="_test")
    assert "5 passed, 0 failed" in ab.ctl("rules", "check", ab.rules).stdout
    ab.write_rule("scored", "1.0.0", TESTED % 3, suffix="_test")
    done = ab.ctl("rules", "check", ab.rules, check=False)
    assert done.returncode == 1 and "points is 2, expected 3" in done.stdout


def test_a_new_experiment_is_taken_up_untold(make_daemon):
    """The folder experiments/ itself is new to the daemon."""
    daemon = make_daemon(rules=rulebook.POINTS)
    daemon.write_rule("experiments/ab", "1.0.0", experiment())
    daemon.wait_for(lambda: daemon.get("/v1/rules/experiments%2Fab").status == 200)
    daemon.write_rule("experiments/cd", "1.0.0", experiment("cd"))
    daemon.wait_for(lambda: daemon.get("/v1/rules/experiments%2Fcd").status == 200)


def test_a_loaded_experiment_is_immutable(ab):
    ab.write_rule("experiments/ab", "1.0.0", experiment(more="holdout = 50,"))
    ab.hup()
    ab.wait_for(lambda: "other bytes" in ab.get("/v1/rules").body.decode())
    assert set(play(ab, users(50)).values()) == {1, 2}


def test_a_shadow_sees_the_arms_and_exposes_nobody(make_daemon):
    """The first question of a shadow for an arm used to end the daemon."""
    daemon = make_daemon(rules={("experiments/ab", "1.0.0"): experiment(),
                                ("scored", "1.0.0"): rulebook.rule("scored", score="7")})
    answer = daemon.request("POST", "/v1/rules", by_arm_rule(version="2.0.0").encode(),
                            {"Content-Type": "text/x-lua"})
    assert answer.status == 201, answer
    daemon.post("/v1/rules/scored/versions/2.0.0/shadow")
    names = users(40)

    def shadow():
        assert set(play(daemon, names).values()) == {7}
        return next(version["shadow"] for version in daemon.get("/v1/rules/scored").json["versions"]
                    if version["version"] == "2.0.0") or {}
    daemon.wait_for(lambda: shadow().get("players") == 40)
    found = shadow()
    assert found["points_got"] < 7 * found["points_would"], found
    assert results(daemon)["verdict"]["code"] == "no_users"
    assert daemon.player(names[0])["arms"] == {}


def test_groups_exclude_and_overlap_is_refused(make_daemon):
    half = 'group = { name = "season", from = %d, to = %d },'
    daemon = make_daemon(rules={
        ("experiments/ab", "1.0.0"): experiment(more=half % (0, 50)),
        ("experiments/cd", "1.0.0"): experiment("cd", more=half % (50, 100)),
        ("scored", "1.0.0"): by_arm_rule(),
        ("other", "1.0.0"): by_arm_rule("other", "cd")})
    names = users(300)
    daemon.accept(*[bet(name, 1, ts=noon()) for name in names])
    arms = [daemon.player(name)["arms"] for name in names]
    assert {tuple(arm) for arm in arms} == {("ab",), ("cd",)}
    daemon.write_rule("experiments/ef", "1.0.0", experiment("ef", more=half % (40, 60)))
    daemon.hup()
    daemon.wait_for(lambda: "give this one another slice" in daemon.get("/v1/rules").body.decode())


def estimate(metric):
    comparison, = metric["comparisons"]
    return comparison


def test_results_are_what_the_events_say(ab):
    """Users, sums, intervals and the verdict against the same from the events that were sent."""
    stats = pytest.importorskip("scipy.stats", reason="python3-scipy is not installed")
    weightstats = pytest.importorskip("statsmodels.stats.weightstats",
                                      reason="python3-statsmodels is not installed")
    names, sums = users(400), {}
    for turn in range(3):
        batch = []
        for i, name in enumerate(names):
            better = 3 if growthbook_arm("ab", name) == "treatment" else 0
            stake = round(1 + (i * 7919 + turn * 104729) % 1000 / 100 + better, 2)
            sums[name] = sums.get(name, 0) + stake
            batch.append(bet(name, stake, ts=noon(seconds=turn)))
        ab.accept(*batch)
    angry = [name for name in names if growthbook_arm("ab", name) == "control"][:7]
    ab.accept(*[event("feedback", name, {"rating": 1}, ts=noon(seconds=9)) for name in angry])
    said = results(ab)
    assert said["users"] == said["exposures"] == 400 and said["behind_bytes"] == 0
    by_arm = {arm: [sums[name] for name in names if growthbook_arm("ab", name) == arm]
              for arm in ("control", "treatment")}
    primary = said["metrics"][0]
    for row in primary["arms"]:
        values = by_arm[row["arm"]]
        assert row["users"] == row["converted"] == len(values)
        assert row["value"] == pytest.approx(sum(values) / len(values), rel=1e-9)
    means = weightstats.CompareMeans(*(weightstats.DescrStatsW(by_arm[arm])
                                       for arm in ("treatment", "control")))
    low, high = means.tconfint_diff(usevar="unequal")
    found = estimate(primary)["difference"]
    assert [found["low"], found["high"]] == pytest.approx([low, high], rel=1e-6)
    counts = [len(by_arm["control"]), len(by_arm["treatment"])]
    assert said["srm"]["p"] == pytest.approx(stats.chisquare(counts).pvalue, rel=1e-6)
    assert said["srm"]["ok"] and [row["stratum"] for row in said["strata"]] == ["payer=,geo=TR"]
    assert said["verdict"]["code"] == "higher" and "treatment is higher" in said["verdict"]["text"]
    complaints, = [one for one in said["metrics"] if one["name"] == "complaints"]
    assert complaints["arms"][0]["per_1000_users"] == pytest.approx(7000 / counts[0])
    text = ab.ctl("experiments", "results", "ab").stdout
    assert "treatment is higher than control in bet" in text and "as planned" in text
    assert f"{7000 / counts[0]:.2f} per 1k" in text
    assert json.loads(ab.ctl("experiments", "results", "ab", "--json").stdout)["users"] == 400
    assert "ab" in ab.ctl("experiments", "list").stdout


def test_the_held_out_are_compared_with_those_who_take_part(make_daemon):
    """Recorded once, when the rule asks; counted apart from then on; the split knows how many they are to be."""
    stats = pytest.importorskip("scipy.stats", reason="python3-scipy is not installed")
    daemon = make_daemon(rules=rules(more='holdout = 20, strata = { "geo" },'))
    names = users(600)
    kept_out = {name for name in names if place_of("holdout:ab", name) < 0.2}
    given = play(daemon, names)
    assert {name for name, points in given.items() if points == 5} == kept_out
    spent = {name: 1 + i % 9 + (0 if name in kept_out else 4) for i, name in enumerate(names)}
    daemon.accept(*[bet(name, spent[name], ts=noon(seconds=1)) for name in names])
    daemon.restart()
    assert play(daemon, names) == given
    one = min(kept_out)
    decisions = daemon.listing(f"/v1/players/{one}/decisions")
    assert [[told["arm"] for told in each["exposures"]] for each in decisions] == [
        [], [], ["holdout"]]
    assert daemon.player(one)["arms"] == {"ab": "holdout"}
    assert "held out of every arm" in daemon.ctl("explain", decisions[-1]["event_id"]).stdout

    said = results(daemon)
    groups = {"holdout": [name for name in names if name in kept_out]}
    for arm in ("control", "treatment"):
        groups[arm] = [name for name in names
                       if name not in kept_out and growthbook_arm("ab", name) == arm]
    counts = {arm: len(members) for arm, members in groups.items()}
    assert said["held_out"] == len(kept_out) and said["users"] == 600 - len(kept_out)
    for split in (said["srm"], *said["strata"]):
        assert split["users"] == counts and split["ok"]
        assert split["expected"] == {"control": 240, "treatment": 240, "holdout": 120}
        wanted = stats.chisquare([counts[arm] for arm in split["users"]],
                                 list(split["expected"].values()))
        assert split["p"] == pytest.approx(wanted.pvalue, rel=1e-6)
    program = said["metrics"][0]["program"]
    inside = [spent[name] + 2 for name in names if name not in kept_out]
    outside = [spent[name] + 2 for name in names if name in kept_out]
    assert [(row["arm"], row["users"]) for row in program["arms"]] == [
        ("holdout", len(outside)), ("all arms", len(inside))]
    assert [row["value"] for row in program["arms"]] == pytest.approx(
        [sum(outside) / len(outside), sum(inside) / len(inside)])
    found = program["comparison"]["difference"]
    assert found["p"] == pytest.approx(
        stats.ttest_ind(inside, outside, equal_var=False).pvalue, rel=1e-6)
    assert f"higher in bet than the {len(kept_out)} held-out users" in said["verdict"]["text"]
    text = daemon.ctl("experiments", "results", "ab").stdout
    assert "all arms" in text and "holdout" in text


def test_an_experiment_without_a_holdout_says_nothing_of_one(ab):
    play(ab, users(20))
    said = results(ab)
    assert said["held_out"] == 0 and said["metrics"][0]["program"] is None
    assert "held" not in said["verdict"]["text"]


EVERY_METRIC = """metrics = {
    primary = { name = "stake", event = "bet", sum = "payload.bet" },
    guardrails = { { name = "return", event = "bet", sum = "payload.win", per = "payload.bet" },
                   { name = "deposits", event = "deposit" } } }"""


def test_every_metric_is_what_scipy_says(make_daemon):
    """Mean with CUPED, ratio, conversion, the house's own, strata: from events to the API, to 1e-6."""
    numpy = pytest.importorskip("numpy", reason="python3-numpy is not installed")
    stats = pytest.importorskip("scipy.stats", reason="python3-scipy is not installed")
    proportion = pytest.importorskip("statsmodels.stats.proportion",
                                     reason="python3-statsmodels is not installed")
    weightstats = pytest.importorskip("statsmodels.stats.weightstats",
                                      reason="python3-statsmodels is not installed")
    daemon = make_daemon(rules=rulebook.POINTS)
    generator = numpy.random.default_rng(7)
    names = users(500)
    before = {name: float(round(generator.exponential(5), 2)) for name in names[:400]}
    daemon.accept(*[bet(name, stake, ts=noon(days_ago=4)) for name, stake in before.items()])
    daemon.write_rule("experiments/ab", "1.0.0", experiment(metrics=EVERY_METRIC, more=(
        f'active = {{ from = "{noon(days_ago=2)}" }}, strata = {{ "payer", "geo" }},')))
    daemon.write_rule("scored", "1.0.0", by_arm_rule())
    daemon.hup()
    daemon.wait_for(lambda: daemon.get("/v1/rules/scored").status == 200)
    stakes, wins, strata, batch = {}, {}, {}, []
    for i, name in enumerate(names):
        geo = "TR" if i % 3 else "BR"
        strata[name] = f'payer={"yes" if i % 5 == 0 else "no"},geo={geo}'
        for turn in range(1 + i % 4):
            stake = round(0.5 * before.get(name, 0) + float(generator.exponential(3)), 2)
            win = round(stake * float(generator.uniform(0, 2)), 2)
            stakes[name] = stakes.get(name, 0) + stake
            wins[name] = wins.get(name, 0) + win
            one = bet(name, stake, win, ts=noon(seconds=turn), geo=geo)
            one["user"]["payer_flag"] = i % 5 == 0
            batch.append(one)
    depositors = [name for name in names if generator.uniform() < 0.2]
    batch += [event("deposit", name, {"amount": "5.00", "currency": "EUR"}, ts=noon(seconds=9))
              for name in depositors]
    angry = [name for name in names if generator.uniform() < 0.05]
    batch += [event("feedback", name, {"rating": 1}, ts=noon(seconds=9)) for name in angry]
    daemon.accept(*batch)
    said = results(daemon)
    metrics = {metric["name"]: metric for metric in said["metrics"]}
    arms = [[name for name in names if growthbook_arm("ab", name) == arm]
            for arm in ("control", "treatment")]

    def same(found, wanted):
        assert found == pytest.approx(wanted, rel=1e-6)

    def by_normal(estimate, difference, variance):
        error = variance ** 0.5
        same([estimate[key] for key in ("value", "standard_error", "low", "high", "p")],
             [difference, error, *stats.norm.interval(0.95, difference, error),
              2 * stats.norm.sf(abs(difference) / error)])

    def by_welch(found, a, b):
        means = weightstats.CompareMeans(weightstats.DescrStatsW(b), weightstats.DescrStatsW(a))
        same([found[key] for key in ("value", "low", "high", "p")],
             [b.mean() - a.mean(), *means.tconfint_diff(usevar="unequal"),
              stats.ttest_ind(b, a, equal_var=False).pvalue])

    y = [numpy.array([stakes[name] for name in arm]) for arm in arms]
    x = [numpy.array([before.get(name, 0) for name in arm]) for arm in arms]
    found = estimate(metrics["stake"])
    by_welch(found["difference"], *y)
    a, b = y
    by_normal(found["lift"], b.mean() / a.mean() - 1,
              stats.sem(b) ** 2 / a.mean() ** 2
              + b.mean() ** 2 / a.mean() ** 4 * stats.sem(a) ** 2)
    both_y, both_x = numpy.concatenate(y), numpy.concatenate(x)
    covariance = numpy.cov(both_y, both_x)
    theta = covariance[0, 1] / covariance[1, 1]
    by_welch(found["cuped"], *[arm - theta * (pre - both_x.mean()) for arm, pre in zip(y, x)])
    same(found["variance_reduction"], stats.pearsonr(both_y, both_x)[0] ** 2)

    ratios, variances = [], []
    for arm in arms:
        won = numpy.array([[wins[name], stakes[name]] for name in arm])
        mean = won.mean(axis=0)
        gradient = numpy.array([1 / mean[1], -mean[0] / mean[1] ** 2])
        ratios.append(mean[0] / mean[1])
        variances.append(gradient @ (numpy.cov(won.T) / len(won)) @ gradient)
    same([row["value"] for row in metrics["return"]["arms"]], ratios)
    by_normal(estimate(metrics["return"])["difference"], ratios[1] - ratios[0], sum(variances))

    hits = [len(set(arm) & set(depositors)) for arm in arms]
    counts = [len(arm) for arm in arms]
    found = estimate(metrics["deposits"])["difference"]
    same([found["low"], found["high"]], proportion.confint_proportions_2indep(
        hits[1], counts[1], hits[0], counts[0], method="newcomb", compare="diff"))
    same(found["p"], proportion.proportions_ztest(hits, counts)[1])
    same([row["conversion"] for row in metrics["deposits"]["arms"]],
         [hit / count for hit, count in zip(hits, counts)])

    same([row["per_1000_users"] for row in metrics["complaints"]["arms"]],
         [1000 * len(set(arm) & set(angry)) / len(arm) for arm in arms])
    assert {split["stratum"] for split in said["strata"]} == set(strata.values())
    for split in said["strata"]:
        members = [sum(strata[name] == split["stratum"] for name in arm) for arm in arms]
        assert list(split["users"].values()) == members
        same(split["p"], stats.chisquare(members).pvalue)


def test_a_restarted_follower_goes_on_where_it_was(ab):
    """It says where it begins, and counts nothing again: neither a restart nor kill -9 is a recount."""
    play(ab, users(100), 2.0)
    stood = results(ab)["journal_position"]
    ab.stop()
    before = len(ab.log())
    ab.start()
    assert results(ab)["users"] == 100
    log = ab.log()[before:]
    assert f"position={stood} " in log and "goes on where its file ends" in log
    assert "counted" not in log
    play(ab, users(100), 2.0)
    ab.kill9()
    before = len(ab.log())
    ab.start()
    assert results(ab)["metrics"][0]["arms"][0]["value"] == pytest.approx(4.0)
    log = ab.log()[before:]
    assert "goes on where its file ends" in log and "counted" not in log


def without_position(said):
    return {key: value for key, value in said.items() if key != "journal_position"}


def test_results_survive_restarts_and_a_lost_file(ab):
    """The follower's own position: nothing is counted twice, and nothing is lost."""
    play(ab, users(100), 2.0)
    before = without_position(results(ab))
    assert before["users"] == 100
    ab.restart()
    assert without_position(results(ab)) == before
    play(ab, users(100), 2.0)
    after = without_position(results(ab))
    assert after["metrics"][0]["arms"][0]["value"] == pytest.approx(4.0)
    ab.kill9()
    ab.start()
    assert without_position(results(ab)) == after
    ab.stop()
    cache = ab.data / "experiments.results"
    whole = cache.read_bytes()
    cache.write_bytes(whole[:-5] + b"\0\0\0\0\0")
    ab.start()
    assert without_position(results(ab)) == after
    ab.stop()
    cache.unlink()
    ab.start()
    assert without_position(results(ab)) == after


def test_what_users_did_before_makes_the_interval_narrower(make_daemon):
    """CUPED: the bets of the days before are in the journal when the experiment comes."""
    daemon = make_daemon(rules=rulebook.POINTS)
    names = users(200)
    daemon.accept(*[bet(name, 1 + i % 50, ts=noon(days_ago=3)) for i, name in enumerate(names)])
    daemon.write_rule("experiments/ab", "1.0.0", experiment(
        more=f'active = {{ from = "{noon(days_ago=2)}" }},'))
    daemon.write_rule("scored", "1.0.0", by_arm_rule())
    daemon.hup()
    daemon.wait_for(lambda: daemon.get("/v1/rules/scored").status == 200)
    daemon.accept(*[bet(name, 1 + i % 50 + i % 3, ts=noon()) for i, name in enumerate(names)])
    found = estimate(results(daemon)["metrics"][0])
    assert found["variance_reduction"] > 0.95
    assert found["cuped"]["standard_error"] < 0.3 * found["difference"]["standard_error"]


def test_an_unknown_experiment_has_no_results(ab):
    expect_problem(ab.get("/v1/experiments/none/results"), 404, "none")
    assert results(ab)["verdict"]["code"] == "no_users"
    assert [one["key"] for one in ab.get("/v1/experiments").json["items"]] == ["ab"]
    assert ab.ctl("experiments", "results", "none", check=False).returncode == 1
