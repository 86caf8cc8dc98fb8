-- Who may make tokens only by a role that they hold for a while makes tokens that end with it.
alter table token add column rests_on uuid;
comment on column token.rests_on is 'The binding that its maker held for a while. It is no key: the binding goes when it ends, and the token with it.';
