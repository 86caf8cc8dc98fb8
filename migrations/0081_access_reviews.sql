-- Reviews of access: at intervals somebody looks at who holds what, and what nobody stands up for is taken
-- away. What is reviewed is written down when a review opens, as it was then; people only by their ids.
create table access_review (
    org_id        uuid not null references org (id),
    id            uuid not null,
    name          text not null,
    state         text not null,
    team_id       uuid,
    project_id    uuid,
    -- Which roles and whose; all where nothing is named.
    roles         text[] not null,
    subjects      text[] not null,
    -- What happens to what nobody decided in time.
    undecided     text not null,
    repeats       text not null,
    -- The how manyth of its series it is, and when the first one was to open: counted from there, the
    -- 31st of a month is followed by the last day of the next one and then by the 31st again.
    round         integer not null,
    series_at     timestamptz not null,
    previous_id   uuid,
    due_days      smallint not null,
    opens_at      timestamptz not null,
    created_by    uuid not null references app_user (id),
    created_at    timestamptz not null,
    opened_at     timestamptz,
    due_at        timestamptz,
    -- When its end was told of before it came.
    reminded_at   timestamptz,
    -- Since when nothing is decided any more, and by whom; by time where it was nobody.
    decided_at    timestamptz,
    closed_by     uuid,
    ended_at      timestamptz,
    signed_by     uuid,
    signed_at     timestamptz,
    signed_note   text,
    primary key (org_id, id),
    constraint access_review_state check (state in ('scheduled', 'open', 'closing', 'closed', 'cancelled')),
    constraint access_review_scope check (project_id is null or team_id is not null),
    constraint access_review_undecided check (undecided in ('keep', 'remove')),
    constraint access_review_repeats check (repeats in ('never', 'monthly', 'quarterly', 'yearly')),
    constraint access_review_days check (due_days between 1 and 90),
    constraint access_review_opened check ((opened_at is null) = (due_at is null) and (state not in ('open', 'closing', 'closed') or opened_at is not null)),
    constraint access_review_decided check (state in ('closing', 'closed') = (decided_at is not null)),
    constraint access_review_ended check (state in ('closed', 'cancelled') = (ended_at is not null)),
    constraint access_review_signed check (num_nonnulls(signed_by, signed_at, signed_note) in (0, 3) and (signed_by is null or state = 'closed'))
);
-- One review of a series follows another, once.
create unique index access_review_follows on access_review (org_id, previous_id) where previous_id is not null;
create index access_review_due on access_review (org_id) where state in ('scheduled', 'open', 'closing');
select protect_tenant_table('access_review');

-- Who decides, where it is not everybody who could take such roles away.
create table access_review_reviewer (
    org_id       uuid not null,
    review_id    uuid not null,
    subject_kind text not null,
    subject_id   uuid not null,
    constraint access_review_reviewer_once primary key (org_id, review_id, subject_kind, subject_id),
    constraint access_review_reviewer_kind check (subject_kind in ('user', 'grp')),
    constraint access_review_reviewer_review foreign key (org_id, review_id) references access_review (org_id, id) on delete cascade
);
select protect_tenant_table('access_review_reviewer');

-- One binding in one review.
create table access_review_item (
    org_id       uuid not null,
    review_id    uuid not null,
    binding_id   uuid not null,
    subject_kind text not null,
    subject_id   uuid not null,
    -- What a group or a program was called; a person is found by their id.
    written      text,
    subject_name text,
    role         text not null,
    team_id      uuid,
    project_id   uuid,
    scope        text not null,
    -- Who had it: the person, or everybody who was in the group.
    people       uuid[] not null,
    -- Who made the program, where it is one.
    made_by      uuid,
    not_before   timestamptz,
    expires_at   timestamptz,
    origin       text not null,
    given_by     text not null,
    given_at     timestamptz not null,
    last_used_at timestamptz,
    advice       text not null,
    advice_why   text not null,
    decision     text,
    -- Nobody where time decided.
    decided_by   uuid,
    decided_at   timestamptz,
    reason       text,
    outcome      text,
    outcome_why  text,
    ended_at     timestamptz,
    constraint access_review_item_once primary key (org_id, review_id, binding_id),
    constraint access_review_item_review foreign key (org_id, review_id) references access_review (org_id, id) on delete cascade,
    constraint access_review_item_kind check (subject_kind in ('user', 'sa', 'grp')),
    constraint access_review_item_origin check (origin in ('hand', 'single_sign_on', 'directory', 'request')),
    constraint access_review_item_advice check (advice in ('keep', 'remove')),
    constraint access_review_item_decision check (decision in ('keep', 'remove') and (decision is null) = (decided_at is null) and (decided_by is null or decision is not null)),
    constraint access_review_item_outcome check (outcome in ('kept', 'removed', 'refused', 'gone', 'changed', 'cancelled') and (outcome is null) = (ended_at is null))
);
create index access_review_item_left on access_review_item (org_id, review_id) where outcome is null;
select protect_tenant_table('access_review_item');

-- What reviewers are to be told by mail: of each occasion each of them once.
create table access_review_letter (
    org_id    uuid not null,
    review_id uuid not null,
    occasion  text not null,
    user_id   uuid not null,
    state     text not null,
    tries     integer not null default 0,
    next_at   timestamptz not null,
    constraint access_review_letter_once primary key (org_id, review_id, occasion, user_id),
    constraint access_review_letter_occasion check (occasion in ('opened', 'soon', 'closed')),
    constraint access_review_letter_state check (state in ('waiting', 'sent', 'failed')),
    constraint access_review_letter_review foreign key (org_id, review_id) references access_review (org_id, id) on delete cascade
);
create index access_review_letter_waiting on access_review_letter (org_id, next_at) where state = 'waiting';
select protect_tenant_table('access_review_letter');

grant select, insert, update on access_review, access_review_item, access_review_letter to ralex_app, ralex_system;
grant select, insert on access_review_reviewer to ralex_app, ralex_system;
