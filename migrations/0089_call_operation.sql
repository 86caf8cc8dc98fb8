-- What a call asks a provider to do, so that rules can be tried on it again: `generate`, `embeddings` and so on.
-- Nothing for calls of before; a column without a default is added without touching a row.
alter table call add column operation text;
grant select (operation) on call to ralex_exporter;
