-- Receipts of a mirror: that batches of entries are in a ledger of somebody else's.

-- Certificates of the services that receipts were verified under.
CREATE TABLE mirror_services (
    digest      BYTEA NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    certificate BYTEA NOT NULL CHECK (length(certificate) > 0)
);

-- first: position of the batch's first entry. size and root: of the log after it. kind: what stands
-- behind the mirror. txid: the transaction there.
CREATE TABLE mirror_receipts (
    collaboration UUID   NOT NULL,
    first         BIGINT NOT NULL CHECK (first >= 0),
    size          BIGINT NOT NULL CHECK (size > first),
    root          BYTEA  NOT NULL CHECK (length(root) = 32),
    kind          TEXT   NOT NULL,
    txid          TEXT   NOT NULL,
    service       BYTEA  NOT NULL REFERENCES mirror_services (digest),
    receipt       BYTEA  NOT NULL CHECK (length(receipt) > 0),
    PRIMARY KEY (collaboration, first),
    UNIQUE (collaboration, size)
);

-- Rows are written one by one, with the head's row locked.
CREATE FUNCTION mirror_receipts_follow_one_another() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.first <> COALESCE(
            (SELECT MAX(size) FROM mirror_receipts WHERE collaboration = NEW.collaboration), 0)
        OR NEW.size > COALESCE(
            (SELECT size FROM heads WHERE collaboration = NEW.collaboration), 0)
    THEN
        RAISE EXCEPTION 'a receipt follows the one before, within the log'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER mirror_receipts_follow_one_another BEFORE INSERT ON mirror_receipts
FOR EACH ROW EXECUTE FUNCTION mirror_receipts_follow_one_another();

CREATE TRIGGER mirror_receipts_are_never_changed BEFORE UPDATE ON mirror_receipts
FOR EACH ROW EXECUTE FUNCTION refuse('receipts are never changed');
CREATE TRIGGER mirror_receipts_are_never_deleted BEFORE DELETE ON mirror_receipts
FOR EACH ROW EXECUTE FUNCTION refuse('receipts are never deleted');
CREATE TRIGGER mirror_receipts_are_never_truncated BEFORE TRUNCATE ON mirror_receipts
FOR EACH STATEMENT EXECUTE FUNCTION refuse('receipts are never deleted');

CREATE TRIGGER mirror_services_are_never_changed BEFORE UPDATE ON mirror_services
FOR EACH ROW EXECUTE FUNCTION refuse('certificates are never changed');
CREATE TRIGGER mirror_services_are_never_deleted BEFORE DELETE ON mirror_services
FOR EACH ROW EXECUTE FUNCTION refuse('certificates are never deleted');
CREATE TRIGGER mirror_services_are_never_truncated BEFORE TRUNCATE ON mirror_services
FOR EACH STATEMENT EXECUTE FUNCTION refuse('certificates are never deleted');
