-- An answer that was given upon a fresh proof of who somebody is is given again upon one only.
alter table idempotency add column proven boolean not null default false;
