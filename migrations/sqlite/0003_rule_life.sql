-- The life of a rule version: what share of the players it has, who brought it where it is and why,
-- when it was active last, and how its ramp stands (JSON; empty: it has none).
ALTER TABLE rule_versions ADD COLUMN actor TEXT NOT NULL DEFAULT '';
ALTER TABLE rule_versions ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE rule_versions ADD COLUMN share INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rule_versions ADD COLUMN active_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rule_versions ADD COLUMN ramp TEXT NOT NULL DEFAULT '';
UPDATE rule_versions SET share = 100, active_ms = since_ms WHERE state IN ('active', 'suspended');
UPDATE rule_versions SET active_ms = since_ms WHERE state = 'retired';
UPDATE rule_versions SET state = 'draft' WHERE state = 'registered';

DROP VIEW v_rules;
CREATE VIEW v_rules AS
SELECT rule_id, version, rule_no, version_no, state, share, content_hash, source_name,
    strftime('%Y-%m-%dT%H:%M:%fZ', registered_ms / 1000.0, 'unixepoch') AS registered_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', since_ms / 1000.0, 'unixepoch') AS since,
    actor, reason, ramp
FROM rule_versions;
