-- Usage summed up, behind a cursor of transactions. What is summed up here and what has ended since the
-- cursor, read from the calls themselves, are together every call once: a call carries the transaction
-- that ended it, and the cursor passes only transactions that have surely ended.

-- Words of the caller's own, to sum up by.
alter table call
    add column tags        text[] not null default '{}',
    -- The transaction that ended it; none while it is under way.
    -- Calls before this are below any cursor.
    add column settled_xid xid8 default '1';
alter table call alter column settled_xid drop default;

create index call_settled_xid on call (settled_xid);

-- What a call that had been counted no longer is: a lost call's worst case, once what it really
-- cost is known. It is entered twice, as it was counted and taken off again, so that whoever sums up
-- sees both, the latter, or neither, and never the former alone.
create table usage_correction (
    org_id             uuid not null references org (id),
    call_id            uuid not null,
    -- 1 under the transaction that it was counted with, -1 under the one that takes it off.
    sign               smallint not null,
    settled_xid        xid8 not null,
    started_at         timestamptz not null,
    tags               text[] not null,
    model              text not null,
    provider           text not null,
    task_type          text,
    team_id            uuid,
    project_id         uuid,
    user_id            uuid,
    token_id           uuid,
    failed             smallint not null,
    input_tokens       bigint not null,
    output_tokens      bigint not null,
    cache_read_tokens  bigint not null,
    cache_write_tokens bigint not null,
    reasoning_tokens   bigint not null,
    duration_ms        bigint not null,
    cost               bigint not null,
    saved              bigint not null,
    primary key (org_id, call_id, sign, settled_xid),
    constraint usage_correction_sign check (sign in (-1, 1))
);
create index usage_correction_xid on usage_correction (settled_xid);
select protect_tenant_table('usage_correction');

-- Sums over the calls that started in one hour or day of UTC. Each call is in the row without a tag, and
-- once more in that of each of its tags. The nil id and the empty text stand for none.
--
-- A slice is how finely calls are told apart: `time` by no more than that, `what` by what was called,
-- `who` by who called, `all` by both; a question is answered from the smallest slice that can.
create table usage_sum (
    slice              text not null,
    org_id             uuid not null,
    starts_at          timestamptz not null,
    tag                text not null,
    model              text not null,
    provider           text not null,
    task_type          text not null,
    team_id            uuid not null,
    project_id         uuid not null,
    user_id            uuid not null,
    token_id           uuid not null,
    calls              bigint not null,
    failed             bigint not null,
    refused            bigint not null,
    input_tokens       bigint not null,
    output_tokens      bigint not null,
    cache_read_tokens  bigint not null,
    cache_write_tokens bigint not null,
    reasoning_tokens   bigint not null,
    duration_ms        bigint not null,
    cost               bigint not null,
    saved              bigint not null,
    primary key (org_id, slice, starts_at, tag, model, provider, task_type, team_id, project_id, user_id, token_id),
    constraint usage_sum_org foreign key (org_id) references org (id)
) partition by list (slice);
select protect_tenant_table('usage_sum');
do $$
declare
    slice text;
begin
    foreach slice in array array['time_hour', 'time_day', 'what_hour', 'what_day', 'who_hour', 'who_day', 'all_hour', 'all_day'] loop
        execute format('create table usage_%s partition of usage_sum for values in (%L) with (fillfactor = 70)',
            slice, slice);
        perform protect_tenant_table(('usage_' || slice)::regclass);
    end loop;
end
$$;

-- Every call whose `settled_xid` is below this is in the sums; none at or above it is.
create table usage_cursor (
    one boolean primary key default true,
    xid xid8 not null,
    constraint usage_cursor_is_one check (one)
);

-- Calls that ended, each once without a tag and once under each of its tags. Those that only counted
-- tokens are no use of a model.
create view usage_of_calls with (security_invoker = true) as
    select c.org_id, c.settled_xid, c.started_at, date_trunc('hour', c.started_at, 'UTC') as hour,
        t.tag, c.model, c.provider, coalesce(c.task_type, '') as task_type,
        coalesce(c.team_id, '00000000-0000-0000-0000-000000000000') as team_id,
        coalesce(c.project_id, '00000000-0000-0000-0000-000000000000') as project_id,
        coalesce(c.user_id, '00000000-0000-0000-0000-000000000000') as user_id,
        coalesce(c.token_id, '00000000-0000-0000-0000-000000000000') as token_id,
        (c.state <> 'refused')::int::bigint as calls,
        (c.state not in ('success', 'refused'))::int::bigint as failed,
        (c.state = 'refused')::int::bigint as refused,
        c.input_tokens + c.cache_read_tokens + c.cache_write_tokens as input_tokens,
        c.output_tokens, c.cache_read_tokens, c.cache_write_tokens, c.reasoning_tokens,
        coalesce(c.duration_ms, 0)::bigint as duration_ms, c.cost, c.cost_saved as saved
    from call c
    cross join lateral unnest('{""}'::text[] || c.tags) as t (tag)
    where c.state <> 'open' and c.purpose is distinct from 'count';

-- The same with corrections: what is to be added up from the cursor on.
create view usage_line with (security_invoker = true) as
    select * from usage_of_calls
    union all
    select x.org_id, x.settled_xid, x.started_at, date_trunc('hour', x.started_at, 'UTC'), t.tag,
        x.model, x.provider, coalesce(x.task_type, ''),
        coalesce(x.team_id, '00000000-0000-0000-0000-000000000000'),
        coalesce(x.project_id, '00000000-0000-0000-0000-000000000000'),
        coalesce(x.user_id, '00000000-0000-0000-0000-000000000000'),
        coalesce(x.token_id, '00000000-0000-0000-0000-000000000000'),
        x.sign::bigint, (x.sign * x.failed)::bigint, 0::bigint, x.sign * x.input_tokens,
        x.sign * x.output_tokens, x.sign * x.cache_read_tokens, x.sign * x.cache_write_tokens,
        x.sign * x.reasoning_tokens, x.sign * x.duration_ms, x.sign * x.cost, x.sign * x.saved
    from usage_correction x
    cross join lateral unnest('{""}'::text[] || x.tags) as t (tag);

create function mark_settled_call() returns trigger language plpgsql as $$
begin
    new.settled_xid := pg_current_xact_id();
    return new;
end
$$;
-- Here and not in a statement, so that whatever ends a call has it counted. Twice, since only an
-- update has an old row to tell by.
create trigger settled before insert on call for each row
    when (new.state <> 'open') execute function mark_settled_call();
create trigger settled_later before update on call for each row
    when (new.state <> 'open' and (old.state = 'open' or old.cost <> new.cost or old.state <> new.state))
    execute function mark_settled_call();

create function correct_usage() returns trigger language plpgsql as $$
begin
    insert into usage_correction
    select old.org_id, old.id, k.sign, k.xid, old.started_at, old.tags, old.model, old.provider,
        old.task_type, old.team_id, old.project_id, old.user_id, old.token_id,
        (old.state <> 'success')::int, old.input_tokens + old.cache_read_tokens + old.cache_write_tokens,
        old.output_tokens, old.cache_read_tokens, old.cache_write_tokens, old.reasoning_tokens,
        coalesce(old.duration_ms, 0), old.cost, old.cost_saved
    from (values (1, old.settled_xid), (-1, new.settled_xid)) as k (sign, xid);
    return null;
end
$$;
create trigger corrected after update on call for each row
    when (old.state not in ('open', 'refused') and (old.cost <> new.cost or old.state <> new.state)
          and old.settled_xid is distinct from new.settled_xid and old.purpose is distinct from 'count')
    execute function correct_usage();

-- Adds lines, summed up by all that tells them apart and by the hour, to the sums of every slice. Both
-- what has just ended and everything anew come this way.
create function add_usage(of_transactions_from xid8, up_to xid8) returns bigint language sql
as $$
    with lines as materialized (
        select org_id, hour, tag, model, provider, task_type, team_id, project_id, user_id, token_id,
            sum(calls) as calls, sum(failed) as failed, sum(refused) as refused,
            sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
            sum(cache_read_tokens) as cache_read_tokens, sum(cache_write_tokens) as cache_write_tokens,
            sum(reasoning_tokens) as reasoning_tokens, sum(duration_ms) as duration_ms,
            sum(cost) as cost, sum(saved) as saved
        from usage_line
        where settled_xid >= of_transactions_from and settled_xid < up_to
        group by org_id, hour, tag, model, provider, task_type, team_id, project_id, user_id, token_id),
    added as (
        insert into usage_sum as u
        select s.slice, l.org_id, date_trunc(s.grain, l.hour, 'UTC'), l.tag,
            case when s.what then l.model else '' end, case when s.what then l.provider else '' end,
            case when s.what then l.task_type else '' end, case when s.who then l.team_id else n.nil end,
            case when s.who then l.project_id else n.nil end, case when s.who then l.user_id else n.nil end,
            case when s.who then l.token_id else n.nil end,
            sum(l.calls), sum(l.failed), sum(l.refused), least(sum(l.input_tokens), n.most),
            least(sum(l.output_tokens), n.most), least(sum(l.cache_read_tokens), n.most),
            least(sum(l.cache_write_tokens), n.most), least(sum(l.reasoning_tokens), n.most),
            least(sum(l.duration_ms), n.most), least(sum(l.cost), n.most), least(sum(l.saved), n.most)
        from lines l
        cross join (values ('time_hour', 'hour', false, false), ('time_day', 'day', false, false),
            ('what_hour', 'hour', true, false), ('what_day', 'day', true, false),
            ('who_hour', 'hour', false, true), ('who_day', 'day', false, true),
            ('all_hour', 'hour', true, true), ('all_day', 'day', true, true))
            as s (slice, grain, what, who)
        cross join (values ('00000000-0000-0000-0000-000000000000'::uuid, 9223372036854775807::numeric))
            as n (nil, most)
        group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, n.most
        on conflict (org_id, slice, starts_at, tag, model, provider, task_type, team_id, project_id,
            user_id, token_id)
        do update set calls = u.calls + excluded.calls, failed = u.failed + excluded.failed,
            refused = u.refused + excluded.refused,
            input_tokens = least(u.input_tokens::numeric + excluded.input_tokens, 9223372036854775807),
            output_tokens = least(u.output_tokens::numeric + excluded.output_tokens, 9223372036854775807),
            cache_read_tokens =
                least(u.cache_read_tokens::numeric + excluded.cache_read_tokens, 9223372036854775807),
            cache_write_tokens =
                least(u.cache_write_tokens::numeric + excluded.cache_write_tokens, 9223372036854775807),
            reasoning_tokens =
                least(u.reasoning_tokens::numeric + excluded.reasoning_tokens, 9223372036854775807),
            duration_ms = least(u.duration_ms::numeric + excluded.duration_ms, 9223372036854775807),
            cost = least(u.cost::numeric + excluded.cost, 9223372036854775807),
            saved = least(u.saved::numeric + excluded.saved, 9223372036854775807)
        returning 1)
    select count(*) from added
$$;

insert into usage_cursor (xid) values (pg_current_xact_id());
-- Once, so it may take what it needs.
set local work_mem = '256MB';
select add_usage('0', pg_current_xact_id());
set local work_mem to default;

grant select on usage_sum, usage_correction, usage_cursor, usage_of_calls, usage_line to ralex_app, ralex_system;
grant insert on usage_correction to ralex_system;
grant insert, update, delete on usage_sum to ralex_system;
grant update on usage_cursor to ralex_system;
grant delete on usage_correction to ralex_system;
