-- What a reward came from, beside its rule: the schema of the event, and the arm of the experiment
-- that the rule was told. Empty in rows that are older, and where there is none. The ledger takes
-- the content hash from its task, which has had it from the beginning.
ALTER TABLE reward_tasks ADD COLUMN schema_id TEXT NOT NULL DEFAULT '';
ALTER TABLE reward_tasks ADD COLUMN experiment TEXT NOT NULL DEFAULT '';
ALTER TABLE reward_tasks ADD COLUMN arm TEXT NOT NULL DEFAULT '';
ALTER TABLE reward_ledger ADD COLUMN content_hash TEXT NOT NULL DEFAULT '';
ALTER TABLE reward_ledger ADD COLUMN schema_id TEXT NOT NULL DEFAULT '';
ALTER TABLE reward_ledger ADD COLUMN experiment TEXT NOT NULL DEFAULT '';
ALTER TABLE reward_ledger ADD COLUMN arm TEXT NOT NULL DEFAULT '';
UPDATE reward_ledger SET content_hash = coalesce(
    (SELECT t.content_hash FROM reward_tasks t WHERE t.task_id = reward_ledger.task_id), '');

DROP VIEW v_tasks;
CREATE VIEW v_tasks AS
SELECT t.task_id, t.user_id, t.rule_id, t.version, t.threshold, t.event_id, t.schema_id,
    t.experiment, t.arm, t.kind, t.reward,
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

DROP VIEW v_ledger;
CREATE VIEW v_ledger AS
SELECT l.task_id, l.user_id, l.pool_id, l.rule_id, l.version, l.content_hash, l.schema_id,
    l.experiment, l.arm, l.kind, l.reward, l.payout_id,
    CASE coalesce(c.digits, 2) WHEN 0 THEN printf('%d', l.cost_minor)
        ELSE printf('%d.%0*d', l.cost_minor / coalesce(c.scale, 100), coalesce(c.digits, 2),
            l.cost_minor % coalesce(c.scale, 100)) END AS cost,
    l.currency,
    strftime('%Y-%m-%dT%H:%M:%fZ', l.posted_ms / 1000.0, 'unixepoch') AS posted_at
FROM reward_ledger l LEFT JOIN currency_scales c ON c.currency = l.currency;
