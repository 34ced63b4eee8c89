-- The tables of a projection: everything in here follows from the journal and can be built again.
-- Times are ms since 1970, UTC; amounts are minor units of their currency. Views for people: 0002.
-- Applied migrations never change; what comes later is a file of its own.

-- One row each: how far the journal has been taken over.
CREATE TABLE meta (
    name  TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (name)
) STRICT;
INSERT INTO meta (name, value) VALUES ('journal_position', 0), ('sequence', 0);

-- Kept by each checkpoint, so that the metrics page never counts a big table.
CREATE TABLE counts (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    n    INTEGER NOT NULL CHECK (n >= 0),
    PRIMARY KEY (kind, name)
) STRICT;
INSERT INTO counts (kind, name, n) VALUES
    ('players', 'all', 0),
    ('tasks', 'pending', 0),
    ('tasks', 'held', 0),
    ('tasks', 'dispatching', 0),
    ('tasks', 'succeeded', 0),
    ('tasks', 'failed', 0),
    ('tasks', 'denied', 0),
    ('tasks', 'expired', 0),
    ('tasks', 'cancelled', 0),
    ('dead_letters', 'events', 0),
    ('dead_letters', 'deliveries', 0);

-- A rowid table with an index beside it. A checkpoint of 2,000 players and 6,000 points rows, CPU,
-- against WITHOUT ROWID (prototype, 100 k players, 4 runs each): with states of 300 B 32.9-34.2 ms
-- to 34.0-35.5; with 1.2 KB, which no longer fit an index page of 4096, 37.9-41.7 to 86.8-88.8.
CREATE TABLE players (
    user_id                TEXT NOT NULL,
    kyc_level              INTEGER NOT NULL,
    self_excluded_until_ms INTEGER NOT NULL,
    cool_off_until_ms      INTEGER NOT NULL,
    deposit_limit_until_ms INTEGER NOT NULL,
    geo                    TEXT NOT NULL,
    platform               TEXT NOT NULL,
    newest_event_ms        INTEGER NOT NULL,
    sequence               INTEGER NOT NULL,
    state                  BLOB NOT NULL,
    PRIMARY KEY (user_id)
) STRICT;

CREATE TABLE player_seen (
    user_id      TEXT NOT NULL,
    sequence     INTEGER NOT NULL,
    fingerprints BLOB NOT NULL,
    PRIMARY KEY (user_id, sequence)
) STRICT;

-- The day leads: rows of today lie together, whosever they are, so a checkpoint wrote 2,700 pages
-- instead of 4,250 (by user), and old days leave as one range.
CREATE TABLE points (
    user_id TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    day     INTEGER NOT NULL,
    points  INTEGER NOT NULL,
    PRIMARY KEY (day, user_id, rule_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE reward_tasks (
    task_id         TEXT NOT NULL,
    user_id         TEXT NOT NULL,
    rule_id         TEXT NOT NULL,
    version         TEXT NOT NULL,
    content_hash    TEXT NOT NULL,
    threshold       INTEGER NOT NULL,
    event_id        TEXT NOT NULL,
    kind            TEXT NOT NULL,
    reward          TEXT NOT NULL,
    state           BLOB NOT NULL,
    pool_id         TEXT NOT NULL,
    pool_period     INTEGER NOT NULL,
    cost_minor      INTEGER NOT NULL CHECK (cost_minor >= 0),
    currency        TEXT NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('pending', 'held', 'dispatching', 'succeeded',
                        'failed', 'denied', 'expired', 'cancelled')),
    reason          TEXT NOT NULL,
    attempts        INTEGER NOT NULL CHECK (attempts >= 0),
    next_attempt_ms INTEGER NOT NULL,
    payout_id       TEXT NOT NULL,
    created_ms      INTEGER NOT NULL,
    updated_ms      INTEGER NOT NULL,
    PRIMARY KEY (task_id)
) STRICT;
CREATE INDEX reward_tasks_created ON reward_tasks (created_ms, task_id);
CREATE INDEX reward_tasks_user ON reward_tasks (user_id, created_ms, task_id);
CREATE INDEX reward_tasks_rule ON reward_tasks (rule_id, created_ms, task_id);
CREATE INDEX reward_tasks_status ON reward_tasks (status, created_ms, task_id);
CREATE INDEX reward_tasks_due ON reward_tasks (next_attempt_ms, task_id)
    WHERE status = 'pending' OR (status = 'held' AND next_attempt_ms > 0);

CREATE TABLE reward_ledger (
    task_id    TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    pool_id    TEXT NOT NULL,
    rule_id    TEXT NOT NULL,
    version    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    reward     TEXT NOT NULL,
    cost_minor INTEGER NOT NULL CHECK (cost_minor >= 0),
    currency   TEXT NOT NULL,
    payout_id  TEXT NOT NULL,
    posted_ms  INTEGER NOT NULL,
    PRIMARY KEY (task_id)
) STRICT;
CREATE INDEX reward_ledger_posted ON reward_ledger (posted_ms, task_id);
CREATE INDEX reward_ledger_user ON reward_ledger (user_id, posted_ms, task_id);
CREATE INDEX reward_ledger_pool ON reward_ledger (pool_id, posted_ms, task_id);

CREATE TABLE deliveries (
    task_id     TEXT NOT NULL,
    attempt     INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    endpoint    TEXT NOT NULL,
    http_status INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    detail      TEXT NOT NULL,
    PRIMARY KEY (task_id, attempt)
) STRICT;

CREATE TABLE dead_letters (
    letter_id  TEXT NOT NULL,
    lane       TEXT NOT NULL CHECK (lane IN ('events', 'deliveries')),
    reason     TEXT NOT NULL,
    pointer    TEXT NOT NULL,
    detail     TEXT NOT NULL,
    user_id    TEXT NOT NULL,
    reference  TEXT NOT NULL,
    body       BLOB NOT NULL,
    attempts   INTEGER NOT NULL CHECK (attempts >= 0),
    status     TEXT NOT NULL CHECK (status IN ('open', 'reprocessed', 'dropped')),
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    PRIMARY KEY (letter_id)
) STRICT;
CREATE INDEX dead_letters_created ON dead_letters (created_ms, letter_id);
CREATE INDEX dead_letters_lane ON dead_letters (lane, created_ms, letter_id);
CREATE INDEX dead_letters_reason ON dead_letters (reason, created_ms, letter_id);
CREATE INDEX dead_letters_user ON dead_letters (user_id, created_ms, letter_id);
CREATE INDEX dead_letters_status ON dead_letters (status, created_ms, letter_id);

CREATE TABLE budgets (
    pool_id        TEXT NOT NULL,
    pool_no        INTEGER NOT NULL UNIQUE,
    currency       TEXT NOT NULL,
    period         TEXT NOT NULL,
    hard_cap_minor INTEGER NOT NULL CHECK (hard_cap_minor >= 0),
    soft_cap_minor INTEGER NOT NULL CHECK (soft_cap_minor >= 0),
    PRIMARY KEY (pool_id)
) STRICT;

-- Below zero is a broken book: the checkpoint that would write it is refused.
CREATE TABLE budget_periods (
    pool_id        TEXT NOT NULL,
    period         INTEGER NOT NULL,
    reserved_minor INTEGER NOT NULL CHECK (reserved_minor >= 0),
    spent_minor    INTEGER NOT NULL CHECK (spent_minor >= 0),
    PRIMARY KEY (pool_id, period)
) STRICT;

CREATE TABLE rule_versions (
    rule_id       TEXT NOT NULL,
    version       TEXT NOT NULL,
    rule_no       INTEGER NOT NULL,
    version_no    INTEGER NOT NULL,
    content_hash  TEXT NOT NULL,
    state         TEXT NOT NULL,
    source        TEXT NOT NULL,
    source_name   TEXT NOT NULL,
    registered_ms INTEGER NOT NULL,
    since_ms      INTEGER NOT NULL,
    PRIMARY KEY (version_no),
    UNIQUE (rule_id, version)
) STRICT;

CREATE TABLE rulebooks (
    rulebook_no INTEGER NOT NULL,
    versions    TEXT NOT NULL,
    since_ms    INTEGER NOT NULL,
    PRIMARY KEY (rulebook_no)
) STRICT;
