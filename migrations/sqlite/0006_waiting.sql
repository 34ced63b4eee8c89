-- Events that wait for rules in event time lie in a player's state; who has any, and since when the
-- one that waited longest, is what a start has to know without reading all players.
ALTER TABLE players ADD COLUMN waiting_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE players ADD COLUMN waiting_since_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX players_waiting ON players (waiting_since_ms) WHERE waiting_count > 0;
