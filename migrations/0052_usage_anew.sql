-- Sums of usage are made anew day by day, each in a transaction of its own, while calls and questions
-- go on.

-- Sums of days before this are to be made anew; none are where it is absent.
alter table usage_cursor add column anew_before timestamptz;

-- What calls that began from one time to another come to in every slice, those that transactions from
-- one to another ended. For each call that is the same whenever one looks, once all of those
-- transactions have ended: what changes it later is of a later one, and kept apart as a correction.
create function usage_sums_of(of_transactions_from xid8, up_to xid8, starting timestamptz, ending timestamptz)
returns setof usage_sum language sql stable as $$
    with lines as materialized (
        select org_id, hour, tag, model, provider, task_type, team_id, project_id, user_id, token_id,
            sum(calls) as calls, sum(failed) as failed, sum(refused) as refused,
            sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens,
            sum(cache_read_tokens) as cache_read_tokens, sum(cache_write_tokens) as cache_write_tokens,
            sum(reasoning_tokens) as reasoning_tokens, sum(duration_ms) as duration_ms,
            sum(cost) as cost, sum(saved) as saved
        from usage_line
        where settled_xid >= of_transactions_from and settled_xid < up_to
          and org_id = any (array(select id from org)) and started_at >= starting and started_at < ending
        group by org_id, hour, tag, model, provider, task_type, team_id, project_id, user_id, token_id)
    select s.slice, l.org_id, date_trunc(s.grain, l.hour, 'UTC') as starts_at, l.tag,
        case when s.what then l.model else '' end, case when s.what then l.provider else '' end,
        case when s.what then l.task_type else '' end, case when s.place then l.team_id else n.nil end,
        case when s.place then l.project_id else n.nil end, case when s.who then l.user_id else n.nil end,
        case when s.who then l.token_id else n.nil end,
        sum(l.calls)::bigint, sum(l.failed)::bigint, sum(l.refused)::bigint,
        least(sum(l.input_tokens), n.most)::bigint, least(sum(l.output_tokens), n.most)::bigint,
        least(sum(l.cache_read_tokens), n.most)::bigint, least(sum(l.cache_write_tokens), n.most)::bigint,
        least(sum(l.reasoning_tokens), n.most)::bigint, least(sum(l.duration_ms), n.most)::bigint,
        least(sum(l.cost), n.most)::bigint, least(sum(l.saved), n.most)::bigint
    from lines l
    cross join (values ('time_hour', 'hour', false, false, false), ('time_day', 'day', false, false, false),
        ('what_hour', 'hour', true, false, false), ('what_day', 'day', true, false, false),
        ('place_hour', 'hour', false, true, false), ('place_day', 'day', false, true, false),
        ('who_hour', 'hour', false, true, true), ('who_day', 'day', false, true, true),
        ('all_hour', 'hour', true, true, true), ('all_day', 'day', true, true, true))
        as s (slice, grain, what, place, who)
    cross join (values ('00000000-0000-0000-0000-000000000000'::uuid, 9223372036854775807::numeric))
        as n (nil, most)
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, n.most
$$;

-- As it was, by that function. Planned for what is asked: a plan for any transactions and any time would
-- go through all of an index.
create or replace function add_usage(of_transactions_from xid8, up_to xid8) returns bigint language plpgsql
set plan_cache_mode = force_custom_plan as $$
declare
    changed bigint;
begin
    -- By itself, or the planner would sort all that is to be added up instead of what that comes to.
    with sums as materialized (
        select * from usage_sums_of(of_transactions_from, up_to, '-infinity', 'infinity')),
    added as (
        insert into usage_sum as u
        select * from sums
        -- What is asked for lies together then: a range of time, which is most of all questions.
        order by slice, org_id, starts_at
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
    select count(*) into changed from added;
    return changed;
end
$$;

-- Puts the sums of one day right by the calls of transactions before `up_to`, and returns how many
-- were wrong. Only those are written, so what is right costs no more than looking. The planner takes a
-- day's sums for few and would sort all that is added up; by hashing it takes a third of the time.
create function remake_usage(day timestamptz, up_to xid8) returns bigint language plpgsql
set plan_cache_mode = force_custom_plan set enable_sort = off as $$
declare
    wrong bigint;
begin
    with sums as materialized (
        select * from usage_sums_of('0', up_to, day, day + interval '24 hours')),
    there as materialized (
        select * from usage_sum
        where org_id = any (array(select id from org)) and starts_at >= day
          and starts_at < day + interval '24 hours'
          and slice in ('time_hour', 'time_day', 'what_hour', 'what_day', 'place_hour', 'place_day',
              'who_hour', 'who_day', 'all_hour', 'all_day')),
    gone as (
        delete from usage_sum u
        using (select org_id, slice, starts_at, tag, model, provider, task_type, team_id, project_id, user_id,
                   token_id from there
               except
               select org_id, slice, starts_at, tag, model, provider, task_type, team_id, project_id, user_id,
                   token_id from sums) as g
        where u.org_id = g.org_id and u.slice = g.slice and u.starts_at = g.starts_at and u.tag = g.tag
          and u.model = g.model and u.provider = g.provider and u.task_type = g.task_type
          and u.team_id = g.team_id and u.project_id = g.project_id and u.user_id = g.user_id
          and u.token_id = g.token_id
        returning 1),
    put as (
        insert into usage_sum
        select * from (select * from sums except select * from there) as differing
        order by slice, org_id, starts_at
        on conflict (org_id, slice, starts_at, tag, model, provider, task_type, team_id, project_id,
            user_id, token_id)
        do update set calls = excluded.calls, failed = excluded.failed, refused = excluded.refused,
            input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
            cache_read_tokens = excluded.cache_read_tokens,
            cache_write_tokens = excluded.cache_write_tokens,
            reasoning_tokens = excluded.reasoning_tokens, duration_ms = excluded.duration_ms,
            cost = excluded.cost, saved = excluded.saved
        returning 1)
    select (select count(*) from gone) + (select count(*) from put) into wrong;
    return wrong;
end
$$;

-- The newest day before a time that has calls or sums.
create function usage_day_before(before timestamptz) returns timestamptz language sql stable as $$
    select date_trunc('day', max(newest.at), 'UTC')
    from org o
    cross join lateral (
        (select c.started_at as at from call c where c.org_id = o.id and c.started_at < before
         order by c.started_at desc limit 1)
        union all
        (select p.hour from usage_pruned p where p.org_id = o.id and p.hour < before
         order by p.hour desc limit 1)
        union all
        select s.starts_at
        from unnest(array['time_hour', 'time_day', 'what_hour', 'what_day', 'place_hour', 'place_day',
            'who_hour', 'who_day', 'all_hour', 'all_day']) as k (slice)
        cross join lateral (
            select u.starts_at from usage_sum u
            where u.org_id = o.id and u.slice = k.slice and u.starts_at < before
            order by u.starts_at desc limit 1) as s) as newest
$$;
