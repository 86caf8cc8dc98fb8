-- Calls are found by their tags; those without any need no entry.
create index call_by_tag on call using gin (tags) where tags <> '{}';
