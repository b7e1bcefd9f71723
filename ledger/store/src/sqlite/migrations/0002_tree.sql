-- The tree above the leaves, and checkpoints that witnesses have signed.

-- level: 1 or more; a node's subtree has 256^level leaves and is full. number: its place in the
-- level, from 0. Level 0 is entries.leaf_hash.
CREATE TABLE nodes (
    collaboration BLOB    NOT NULL REFERENCES heads (collaboration),
    level         INTEGER NOT NULL CHECK (level BETWEEN 1 AND 7),
    number        INTEGER NOT NULL CHECK (number >= 0),
    hash          BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (collaboration, level, number)
) STRICT, WITHOUT ROWID;

-- The newest checkpoint with cosignatures, and the size that it is of.
CREATE TABLE cosigned (
    collaboration BLOB    NOT NULL PRIMARY KEY REFERENCES heads (collaboration),
    size          INTEGER NOT NULL CHECK (size > 0),
    note          TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- Work that a migration leaves to the program; a row goes when its work is done.
CREATE TABLE pending (task TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;

-- Logs from before this table: their nodes are computed when the database is opened.
INSERT INTO pending SELECT 'nodes' WHERE EXISTS (SELECT 1 FROM heads);

CREATE TRIGGER entries_come_with_their_nodes BEFORE INSERT ON entries
WHEN NEW.position % 256 = 255 AND NOT EXISTS (
    SELECT 1 FROM nodes
    WHERE collaboration = NEW.collaboration AND level = 1 AND number = NEW.position / 256
)
BEGIN SELECT RAISE(ABORT, 'an entry completes a node that is missing'); END;

CREATE TRIGGER nodes_are_never_changed BEFORE UPDATE ON nodes
BEGIN SELECT RAISE(ABORT, 'nodes are never changed'); END;

CREATE TRIGGER nodes_are_never_deleted BEFORE DELETE ON nodes
BEGIN SELECT RAISE(ABORT, 'nodes are never deleted'); END;

CREATE TRIGGER cosigned_only_grows BEFORE UPDATE ON cosigned
WHEN NEW.size < OLD.size OR NEW.collaboration <> OLD.collaboration
BEGIN SELECT RAISE(ABORT, 'a cosigned checkpoint is never replaced by an older one'); END;

CREATE TRIGGER cosigned_is_never_deleted BEFORE DELETE ON cosigned
BEGIN SELECT RAISE(ABORT, 'a cosigned checkpoint is never deleted'); END;
