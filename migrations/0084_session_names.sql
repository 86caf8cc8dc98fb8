-- People name their sessions, so that they know which one to end.
alter table session
    add column name text,
    add constraint session_name check (name is null or (char_length(name) between 1 and 100 and name = btrim(name)));
