-- An answer that was given upon a fresh proof of who somebody is is given again upon one only.
alter table idempotency add column proven boolean not null default false;

-- A provider may let somebody in without saying when they proved there who they are: such a session is no fresh
-- proof of anything.
alter table session add column unproven boolean not null default false;
-- Since when they must have proven it, where they were sent away to do so anew.
alter table sso_flow add column proof_since timestamptz;
