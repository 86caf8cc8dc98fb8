-- The roots of the perfect subtrees at the size that was signed, so that the next checkpoint is
-- recomputed from the last signed state and not from all leaves since the beginning. They need no
-- trust of their own: they must give the signed root.
alter table audit_checkpoint add column peaks bytea[] not null default '{}';
