-- One table a view and the cursors, in a set that a rebuild swaps as a whole. `{set}` is the set's
-- prefix. There are no named indices: a table's own ones follow it when it is renamed.
--
-- `doc` is the row as the query API gives it; typed columns are taken from it. Positions start at
-- 0 and are those of the events that created the rows.

CREATE TABLE {set}collaborations (
    collaboration TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    position      INTEGER NOT NULL,
    doc           TEXT    NOT NULL,
    PRIMARY KEY (collaboration, id)
) STRICT;

CREATE TABLE {set}members (
    collaboration TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    position      INTEGER NOT NULL,
    doc           TEXT    NOT NULL,
    issuer        TEXT    GENERATED ALWAYS AS (doc ->> '$.identity.issuer') STORED,
    tenant        TEXT    GENERATED ALWAYS AS (doc ->> '$.identity.tenant') STORED,
    subject       TEXT    GENERATED ALWAYS AS (doc ->> '$.identity.subject') STORED,
    PRIMARY KEY (collaboration, id),
    UNIQUE (collaboration, position),
    UNIQUE (subject, issuer, collaboration, position)
) STRICT;

CREATE TABLE {set}invitations (
    collaboration TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    position      INTEGER NOT NULL,
    doc           TEXT    NOT NULL,
    stage         TEXT    GENERATED ALWAYS AS (doc ->> '$.stage') STORED,
    PRIMARY KEY (collaboration, id),
    UNIQUE (collaboration, position),
    UNIQUE (stage, collaboration, position)
) STRICT;

CREATE TABLE {set}datasets (
    collaboration TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    position      INTEGER NOT NULL,
    doc           TEXT    NOT NULL,
    PRIMARY KEY (collaboration, id),
    UNIQUE (collaboration, position)
) STRICT;

CREATE TABLE {set}queries (
    collaboration TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    position      INTEGER NOT NULL,
    doc           TEXT    NOT NULL,
    PRIMARY KEY (collaboration, id),
    UNIQUE (collaboration, position)
) STRICT;

CREATE TABLE {set}runs (
    collaboration TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    position      INTEGER NOT NULL,
    doc           TEXT    NOT NULL,
    query         TEXT    GENERATED ALWAYS AS (doc ->> '$.query') STORED,
    PRIMARY KEY (collaboration, id),
    UNIQUE (collaboration, position),
    UNIQUE (collaboration, query, position)
) STRICT;

CREATE TABLE {set}changes (
    collaboration TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    position      INTEGER NOT NULL,
    doc           TEXT    NOT NULL,
    PRIMARY KEY (collaboration, id),
    UNIQUE (collaboration, position)
) STRICT;

CREATE TABLE {set}rules (
    collaboration TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    position      INTEGER NOT NULL,
    doc           TEXT    NOT NULL,
    PRIMARY KEY (collaboration, id),
    UNIQUE (collaboration, position)
) STRICT;

-- size: how many entries of the log the rows show; last_leaf: the leaf hash of the last of them.
CREATE TABLE {set}cursors (
    collaboration TEXT    NOT NULL PRIMARY KEY,
    size          INTEGER NOT NULL CHECK (size > 0),
    last_leaf     BLOB    NOT NULL CHECK (length(last_leaf) = 32)
) STRICT, WITHOUT ROWID;
