-- The log: for each collaboration its entries, their tree and the signed head.
-- Digests are 32 bytes; positions start at 0.
--
-- No foreign keys to heads: they would look the head up once for each entry. The triggers on
-- entries look once for each statement, and whatever else is written goes with a head's row locked.

CREATE TABLE heads (
    collaboration UUID   NOT NULL PRIMARY KEY,
    size          BIGINT NOT NULL CHECK (size > 0),
    checkpoint    TEXT   NOT NULL
);

CREATE TABLE entries (
    collaboration UUID   NOT NULL,
    position      BIGINT NOT NULL CHECK (position >= 0),
    leaf_hash     BYTEA  NOT NULL CHECK (length(leaf_hash) = 32),
    sealed        BYTEA  NOT NULL CHECK (length(sealed) > 0),
    PRIMARY KEY (collaboration, position)
);

-- Sealed bytes don't compress.
ALTER TABLE entries ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- level: 1 or more; a node's subtree has 256^level leaves and is full. number: its place in the
-- level, from 0. Level 0 is entries.leaf_hash.
CREATE TABLE nodes (
    collaboration UUID     NOT NULL,
    level         SMALLINT NOT NULL CHECK (level BETWEEN 1 AND 7),
    number        BIGINT   NOT NULL CHECK (number >= 0),
    hash          BYTEA    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (collaboration, level, number)
);

CREATE TABLE commands (
    collaboration  UUID   NOT NULL,
    id             UUID   NOT NULL,
    first_position BIGINT NOT NULL CHECK (first_position >= 0),
    count          BIGINT NOT NULL CHECK (count > 0),
    content_digest BYTEA  NOT NULL CHECK (length(content_digest) = 32),
    PRIMARY KEY (collaboration, id)
);

-- Kept beside the log and never in it: destroying a row erases the person.
CREATE TABLE personal_keys (
    collaboration UUID  NOT NULL,
    subject       TEXT  NOT NULL,
    key           BYTEA NOT NULL,
    PRIMARY KEY (collaboration, subject)
);

-- position: how many entries of the collaboration the consumer has acknowledged.
CREATE TABLE cursors (
    consumer      TEXT   NOT NULL,
    collaboration UUID   NOT NULL,
    position      BIGINT NOT NULL CHECK (position > 0),
    PRIMARY KEY (consumer, collaboration)
);

-- The newest checkpoint with cosignatures, and the size that it is of.
CREATE TABLE cosigned (
    collaboration UUID   NOT NULL PRIMARY KEY,
    size          BIGINT NOT NULL CHECK (size > 0),
    note          TEXT   NOT NULL
);

-- The database itself refuses to rewrite history, whoever asks.

CREATE FUNCTION refuse() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'restrict_violation'; END $$;

CREATE FUNCTION entries_follow_the_head() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM added LEFT JOIN heads USING (collaboration)
        WHERE heads.size IS NULL OR added.position >= heads.size
    ) THEN
        RAISE EXCEPTION 'an entry lies beyond the head' USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (
        SELECT FROM added WHERE position % 256 = 255 AND NOT EXISTS (
            SELECT FROM nodes
            WHERE nodes.collaboration = added.collaboration AND level = 1
                AND number = added.position / 256
        )
    ) THEN
        RAISE EXCEPTION 'an entry completes a node that is missing'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER entries_follow_the_head AFTER INSERT ON entries
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION entries_follow_the_head();

CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
FOR EACH ROW EXECUTE FUNCTION refuse('entries are never changed');
CREATE TRIGGER entries_are_never_deleted BEFORE DELETE ON entries
FOR EACH ROW EXECUTE FUNCTION refuse('entries are never deleted');
CREATE TRIGGER entries_are_never_truncated BEFORE TRUNCATE ON entries
FOR EACH STATEMENT EXECUTE FUNCTION refuse('entries are never deleted');

CREATE TRIGGER nodes_are_never_changed BEFORE UPDATE ON nodes
FOR EACH ROW EXECUTE FUNCTION refuse('nodes are never changed');
CREATE TRIGGER nodes_are_never_deleted BEFORE DELETE ON nodes
FOR EACH ROW EXECUTE FUNCTION refuse('nodes are never deleted');
CREATE TRIGGER nodes_are_never_truncated BEFORE TRUNCATE ON nodes
FOR EACH STATEMENT EXECUTE FUNCTION refuse('nodes are never deleted');

CREATE TRIGGER heads_only_grow BEFORE UPDATE ON heads
FOR EACH ROW WHEN (NEW.size <= OLD.size OR NEW.collaboration <> OLD.collaboration)
EXECUTE FUNCTION refuse('a head only grows');
CREATE TRIGGER heads_are_never_deleted BEFORE DELETE ON heads
FOR EACH ROW EXECUTE FUNCTION refuse('heads are never deleted');
CREATE TRIGGER heads_are_never_truncated BEFORE TRUNCATE ON heads
FOR EACH STATEMENT EXECUTE FUNCTION refuse('heads are never deleted');

CREATE TRIGGER commands_are_never_changed BEFORE UPDATE ON commands
FOR EACH ROW EXECUTE FUNCTION refuse('commands are never changed');
CREATE TRIGGER commands_are_never_deleted BEFORE DELETE ON commands
FOR EACH ROW EXECUTE FUNCTION refuse('commands are never deleted');
CREATE TRIGGER commands_are_never_truncated BEFORE TRUNCATE ON commands
FOR EACH STATEMENT EXECUTE FUNCTION refuse('commands are never deleted');

CREATE TRIGGER cosigned_only_grows BEFORE UPDATE ON cosigned
FOR EACH ROW WHEN (NEW.size < OLD.size OR NEW.collaboration <> OLD.collaboration)
EXECUTE FUNCTION refuse('a cosigned checkpoint is never replaced by an older one');
CREATE TRIGGER cosigned_is_never_deleted BEFORE DELETE ON cosigned
FOR EACH ROW EXECUTE FUNCTION refuse('a cosigned checkpoint is never deleted');
CREATE TRIGGER cosigned_is_never_truncated BEFORE TRUNCATE ON cosigned
FOR EACH STATEMENT EXECUTE FUNCTION refuse('a cosigned checkpoint is never deleted');
