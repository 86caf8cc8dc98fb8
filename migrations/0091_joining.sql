-- Failed tries are looked through by their age, to be forgotten.
create index throttle_age on throttle (last_at);
