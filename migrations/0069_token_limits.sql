-- What a token is narrowed to, of what its holder may: names of permissions, and networks that it is shown
-- from. Nothing is no limit.
alter table token add column permissions text[], add column addresses text[];
alter table personal_token add column permissions text[], add column addresses text[];
alter table token add constraint token_narrowed check (cardinality(permissions) > 0 and cardinality(addresses) > 0);
alter table personal_token add constraint personal_token_narrowed check (cardinality(permissions) > 0 and cardinality(addresses) > 0);

-- A token that gets a new secret keeps its id, and so its budgets, its limits and its line in the usage. The
-- former secret works for a while beside the new one, so that programs are changed one by one.
alter table token
    add column former_digest bytea,
    add column former_last_four text,
    add column former_until timestamptz,
    add column former_used_at timestamptz,
    add column rotated_at timestamptz;
alter table token add constraint token_former check ((former_digest is null) = (former_until is null) and (former_digest is null) = (former_last_four is null));
alter table token add constraint token_former_digest unique (former_digest);
alter table personal_token
    add column former_digest bytea,
    add column former_last_four text,
    add column former_until timestamptz,
    add column former_used_at timestamptz,
    add column rotated_at timestamptz;
alter table personal_token add constraint personal_token_former check ((former_digest is null) = (former_until is null) and (former_digest is null) = (former_last_four is null));
alter table personal_token add constraint personal_token_former_digest unique (former_digest);

-- When it was last shown from elsewhere, so that the log hears of it once an hour and not once a request.
alter table token add column misplaced_at timestamptz;
alter table personal_token add column misplaced_at timestamptz;
