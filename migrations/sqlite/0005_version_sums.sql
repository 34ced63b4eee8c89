-- What each rule version has given, kept by the checkpoints that give it. Rewards are those paid or
-- on their way, by the status they have now; their money is what the budgets hold for them.
CREATE TABLE version_sums (
    version_no     INTEGER NOT NULL,
    points         INTEGER NOT NULL CHECK (points >= 0),
    tasks          INTEGER NOT NULL CHECK (tasks >= 0),
    tasks_held     INTEGER NOT NULL CHECK (tasks_held >= 0),
    reserved_minor INTEGER NOT NULL CHECK (reserved_minor >= 0),
    spent_minor    INTEGER NOT NULL CHECK (spent_minor >= 0),
    currency       TEXT NOT NULL,
    PRIMARY KEY (version_no)
) STRICT;

-- Rewards of before are all in their table. Points were stored by rule: those of a rule with one
-- version are that version's; where there were several nobody can tell them apart any more, and
-- they count from here on.
INSERT INTO version_sums
    (version_no, points, tasks, tasks_held, reserved_minor, spent_minor, currency)
SELECT v.version_no,
    CASE (SELECT count(*) FROM rule_versions o WHERE o.rule_id = v.rule_id)
        WHEN 1 THEN coalesce((SELECT sum(p.points) FROM points p WHERE p.rule_id = v.rule_id), 0)
        ELSE 0 END,
    count(t.task_id),
    coalesce(sum(t.status = 'held'), 0),
    coalesce(sum(t.cost_minor) FILTER (WHERE t.status <> 'succeeded' AND t.pool_id <> ''), 0),
    coalesce(sum(t.cost_minor) FILTER (WHERE t.status = 'succeeded' AND t.pool_id <> ''), 0),
    coalesce(max(t.currency) FILTER (WHERE t.pool_id <> ''), '')
FROM rule_versions v
    LEFT JOIN reward_tasks t ON t.rule_id = v.rule_id AND t.version = v.version
        AND t.status IN ('pending', 'held', 'dispatching', 'succeeded')
GROUP BY v.version_no;

CREATE VIEW v_version_sums AS
SELECT v.rule_id, v.version, s.points, s.tasks, s.tasks_held,
    CASE coalesce(c.digits, 2) WHEN 0 THEN printf('%d', s.reserved_minor)
        ELSE printf('%d.%0*d', s.reserved_minor / coalesce(c.scale, 100), coalesce(c.digits, 2),
            s.reserved_minor % coalesce(c.scale, 100)) END AS reserved,
    CASE coalesce(c.digits, 2) WHEN 0 THEN printf('%d', s.spent_minor)
        ELSE printf('%d.%0*d', s.spent_minor / coalesce(c.scale, 100), coalesce(c.digits, 2),
            s.spent_minor % coalesce(c.scale, 100)) END AS spent,
    s.currency
FROM version_sums s
    JOIN rule_versions v ON v.version_no = s.version_no
    LEFT JOIN currency_scales c ON c.currency = s.currency;
