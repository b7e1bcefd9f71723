-- The log: for each collaboration its entries, their tree leaves and the signed head.
-- Ids are 16 bytes, digests 32; positions start at 0.

CREATE TABLE heads (
    collaboration BLOB    NOT NULL PRIMARY KEY CHECK (length(collaboration) = 16),
    size          INTEGER NOT NULL CHECK (size > 0),
    checkpoint    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- leaf_hash comes before sealed, so that reading hashes alone never touches overflow pages.
CREATE TABLE entries (
    collaboration BLOB    NOT NULL REFERENCES heads (collaboration),
    position      INTEGER NOT NULL CHECK (position >= 0),
    leaf_hash     BLOB    NOT NULL CHECK (length(leaf_hash) = 32),
    sealed        BLOB    NOT NULL CHECK (length(sealed) > 0),
    PRIMARY KEY (collaboration, position)
) STRICT;

CREATE TABLE commands (
    collaboration  BLOB    NOT NULL REFERENCES heads (collaboration),
    id             BLOB    NOT NULL CHECK (length(id) = 16),
    first_position INTEGER NOT NULL CHECK (first_position >= 0),
    count          INTEGER NOT NULL CHECK (count > 0),
    content_digest BLOB    NOT NULL CHECK (length(content_digest) = 32),
    PRIMARY KEY (collaboration, id)
) STRICT, WITHOUT ROWID;

-- Kept beside the log and never in it: destroying a row erases the person.
CREATE TABLE personal_keys (
    collaboration BLOB NOT NULL REFERENCES heads (collaboration),
    subject       TEXT NOT NULL,
    key           BLOB NOT NULL,
    PRIMARY KEY (collaboration, subject)
) STRICT, WITHOUT ROWID;

-- position: how many entries of the collaboration the consumer has acknowledged.
CREATE TABLE cursors (
    consumer      TEXT    NOT NULL,
    collaboration BLOB    NOT NULL CHECK (length(collaboration) = 16),
    position      INTEGER NOT NULL CHECK (position > 0),
    PRIMARY KEY (consumer, collaboration)
) STRICT, WITHOUT ROWID;

-- The database itself refuses to rewrite history, whoever asks.

CREATE TRIGGER entries_follow_the_head BEFORE INSERT ON entries
WHEN NEW.position >= (SELECT size FROM heads WHERE collaboration = NEW.collaboration)
BEGIN SELECT RAISE(ABORT, 'an entry lies beyond the head'); END;

CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are never changed'); END;

CREATE TRIGGER entries_are_never_deleted BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are never deleted'); END;

CREATE TRIGGER heads_only_grow BEFORE UPDATE ON heads
WHEN NEW.size <= OLD.size OR NEW.collaboration <> OLD.collaboration
BEGIN SELECT RAISE(ABORT, 'a head only grows'); END;

CREATE TRIGGER heads_are_never_deleted BEFORE DELETE ON heads
BEGIN SELECT RAISE(ABORT, 'heads are never deleted'); END;

CREATE TRIGGER commands_are_never_changed BEFORE UPDATE ON commands
BEGIN SELECT RAISE(ABORT, 'commands are never changed'); END;

CREATE TRIGGER commands_are_never_deleted BEFORE DELETE ON commands
BEGIN SELECT RAISE(ABORT, 'commands are never deleted'); END;
