-- For people with a sqlite3 shell: times in ISO 8601, amounts as decimals. The program reads none
-- of these. "never" is an exclusion without an end.

-- Currencies whose minor unit is not a hundredth (ISO 4217).
CREATE TABLE currency_scales (
    currency TEXT NOT NULL,
    scale    INTEGER NOT NULL,
    digits   INTEGER NOT NULL,
    PRIMARY KEY (currency)
) STRICT;
INSERT INTO currency_scales (currency, scale, digits) VALUES
    ('BIF', 1, 0), ('CLP', 1, 0), ('DJF', 1, 0), ('GNF', 1, 0), ('ISK', 1, 0), ('JPY', 1, 0),
    ('KMF', 1, 0), ('KRW', 1, 0), ('PYG', 1, 0), ('RWF', 1, 0), ('UGX', 1, 0), ('UYI', 1, 0),
    ('VND', 1, 0), ('VUV', 1, 0), ('XAF', 1, 0), ('XOF', 1, 0), ('XPF', 1, 0),
    ('BHD', 1000, 3), ('IQD', 1000, 3), ('JOD', 1000, 3), ('KWD', 1000, 3), ('LYD', 1000, 3),
    ('OMR', 1000, 3), ('TND', 1000, 3), ('CLF', 10000, 4), ('UYW', 10000, 4);

CREATE VIEW v_players AS
SELECT p.user_id, p.kyc_level,
    CASE p.self_excluded_until_ms WHEN 0 THEN '' WHEN 9223372036854775807 THEN 'never'
        ELSE strftime('%Y-%m-%dT%H:%M:%fZ', p.self_excluded_until_ms / 1000.0, 'unixepoch') END
        AS self_excluded_until,
    CASE p.cool_off_until_ms WHEN 0 THEN '' WHEN 9223372036854775807 THEN 'never'
        ELSE strftime('%Y-%m-%dT%H:%M:%fZ', p.cool_off_until_ms / 1000.0, 'unixepoch') END
        AS cool_off_until,
    CASE p.deposit_limit_until_ms WHEN 0 THEN '' WHEN 9223372036854775807 THEN 'never'
        ELSE strftime('%Y-%m-%dT%H:%M:%fZ', p.deposit_limit_until_ms / 1000.0, 'unixepoch') END
        AS deposit_limit_until,
    p.geo, p.platform,
    strftime('%Y-%m-%dT%H:%M:%fZ', p.newest_event_ms / 1000.0, 'unixepoch') AS newest_event_at,
    p.sequence, length(p.state) AS state_size
FROM players p;

CREATE VIEW v_points AS
SELECT user_id, rule_id, date(day * 86400, 'unixepoch') AS day, points FROM points;

CREATE VIEW v_tasks AS
SELECT t.task_id, t.user_id, t.rule_id, t.version, t.threshold, t.event_id, t.kind, t.reward,
    t.pool_id, t.pool_period, t.status, t.reason, t.attempts, t.payout_id,
    CASE coalesce(c.digits, 2) WHEN 0 THEN printf('%d', t.cost_minor)
        ELSE printf('%d.%0*d', t.cost_minor / coalesce(c.scale, 100), coalesce(c.digits, 2),
            t.cost_minor % coalesce(c.scale, 100)) END AS cost,
    t.currency,
    CASE t.next_attempt_ms WHEN 0 THEN ''
        ELSE strftime('%Y-%m-%dT%H:%M:%fZ', t.next_attempt_ms / 1000.0, 'unixepoch') END
        AS next_attempt_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', t.created_ms / 1000.0, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', t.updated_ms / 1000.0, 'unixepoch') AS updated_at
FROM reward_tasks t LEFT JOIN currency_scales c ON c.currency = t.currency;

CREATE VIEW v_ledger AS
SELECT l.task_id, l.user_id, l.pool_id, l.rule_id, l.version, l.kind, l.reward, l.payout_id,
    CASE coalesce(c.digits, 2) WHEN 0 THEN printf('%d', l.cost_minor)
        ELSE printf('%d.%0*d', l.cost_minor / coalesce(c.scale, 100), coalesce(c.digits, 2),
            l.cost_minor % coalesce(c.scale, 100)) END AS cost,
    l.currency,
    strftime('%Y-%m-%dT%H:%M:%fZ', l.posted_ms / 1000.0, 'unixepoch') AS posted_at
FROM reward_ledger l LEFT JOIN currency_scales c ON c.currency = l.currency;

CREATE VIEW v_deliveries AS
SELECT task_id, attempt, strftime('%Y-%m-%dT%H:%M:%fZ', at_ms / 1000.0, 'unixepoch') AS at,
    endpoint, http_status, outcome, detail
FROM deliveries;

CREATE VIEW v_dead_letters AS
SELECT letter_id, lane, status, reason, pointer, detail, user_id, reference, attempts,
    strftime('%Y-%m-%dT%H:%M:%fZ', created_ms / 1000.0, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', updated_ms / 1000.0, 'unixepoch') AS updated_at,
    CAST(body AS TEXT) AS body
FROM dead_letters;

CREATE VIEW v_budgets AS
SELECT s.pool_id, s.period, b.currency, b.period AS period_kind,
    CASE coalesce(c.digits, 2) WHEN 0 THEN printf('%d', s.reserved_minor)
        ELSE printf('%d.%0*d', s.reserved_minor / coalesce(c.scale, 100), coalesce(c.digits, 2),
            s.reserved_minor % coalesce(c.scale, 100)) END AS reserved,
    CASE coalesce(c.digits, 2) WHEN 0 THEN printf('%d', s.spent_minor)
        ELSE printf('%d.%0*d', s.spent_minor / coalesce(c.scale, 100), coalesce(c.digits, 2),
            s.spent_minor % coalesce(c.scale, 100)) END AS spent,
    CASE coalesce(c.digits, 2) WHEN 0 THEN printf('%d', b.hard_cap_minor)
        ELSE printf('%d.%0*d', b.hard_cap_minor / coalesce(c.scale, 100), coalesce(c.digits, 2),
            b.hard_cap_minor % coalesce(c.scale, 100)) END AS hard_cap
FROM budget_periods s
    LEFT JOIN budgets b ON b.pool_id = s.pool_id
    LEFT JOIN currency_scales c ON c.currency = b.currency;

CREATE VIEW v_rules AS
SELECT rule_id, version, rule_no, version_no, state, content_hash, source_name,
    strftime('%Y-%m-%dT%H:%M:%fZ', registered_ms / 1000.0, 'unixepoch') AS registered_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', since_ms / 1000.0, 'unixepoch') AS since
FROM rule_versions;
