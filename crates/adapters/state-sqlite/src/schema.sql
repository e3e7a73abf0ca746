-- One row: the store's revision, and the revision up to which removed documents may be forgotten.
CREATE TABLE meta (
    only      INTEGER PRIMARY KEY CHECK (only = 1),
    revision  INTEGER NOT NULL,
    compacted INTEGER NOT NULL
) STRICT;
INSERT INTO meta (only, revision, compacted) VALUES (1, 0, 0);

-- A document without a value was removed (is_deleted = 1) or swept after it expired (0); only its last change is remembered.
CREATE TABLE document (
    path       TEXT PRIMARY KEY NOT NULL,
    revision   INTEGER NOT NULL,
    value      BLOB,
    expires    INTEGER,
    is_deleted INTEGER NOT NULL
) STRICT;
CREATE INDEX document_by_revision ON document (revision, path, is_deleted);
CREATE INDEX document_gone ON document (revision) WHERE value IS NULL;
CREATE INDEX document_expiring ON document (expires) WHERE expires IS NOT NULL;
