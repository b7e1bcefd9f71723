-- Receipts of a mirror: that batches of entries are in a ledger of somebody else's.

-- Certificates of the services that receipts were verified under.
CREATE TABLE mirror_services (
    digest      BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    certificate BLOB NOT NULL CHECK (length(certificate) > 0)
) STRICT, WITHOUT ROWID;

-- first: position of the batch's first entry. size and root: of the log after it. kind: what stands
-- behind the mirror. txid: the transaction there.
CREATE TABLE mirror_receipts (
    collaboration BLOB    NOT NULL REFERENCES heads (collaboration),
    first         INTEGER NOT NULL CHECK (first >= 0),
    size          INTEGER NOT NULL CHECK (size > first),
    root          BLOB    NOT NULL CHECK (length(root) = 32),
    kind          TEXT    NOT NULL,
    txid          TEXT    NOT NULL,
    service       BLOB    NOT NULL REFERENCES mirror_services (digest),
    receipt       BLOB    NOT NULL CHECK (length(receipt) > 0),
    PRIMARY KEY (collaboration, first),
    UNIQUE (collaboration, size)
) STRICT;

CREATE TRIGGER mirror_receipts_follow_one_another BEFORE INSERT ON mirror_receipts
WHEN NEW.first <> COALESCE(
        (SELECT MAX(size) FROM mirror_receipts WHERE collaboration = NEW.collaboration), 0)
    OR NEW.size > (SELECT size FROM heads WHERE collaboration = NEW.collaboration)
BEGIN SELECT RAISE(ABORT, 'a receipt follows the one before, within the log'); END;

CREATE TRIGGER mirror_receipts_are_never_changed BEFORE UPDATE ON mirror_receipts
BEGIN SELECT RAISE(ABORT, 'receipts are never changed'); END;

CREATE TRIGGER mirror_receipts_are_never_deleted BEFORE DELETE ON mirror_receipts
BEGIN SELECT RAISE(ABORT, 'receipts are never deleted'); END;

CREATE TRIGGER mirror_services_are_never_changed BEFORE UPDATE ON mirror_services
BEGIN SELECT RAISE(ABORT, 'certificates are never changed'); END;

CREATE TRIGGER mirror_services_are_never_deleted BEFORE DELETE ON mirror_services
BEGIN SELECT RAISE(ABORT, 'certificates are never deleted'); END;
