-- Questions by the hour: from the teams' and projects' own sums, and those of single callers found by
-- who they are.

-- One more slice: `place` tells calls apart by team and project, and by no more than that.
do $$
declare
    slice text;
begin
    foreach slice in array array['place_hour', 'place_day'] loop
        execute format('create table usage_%s partition of usage_sum for values in (%L) with (fillfactor = 70)',
            slice, slice);
        perform protect_tenant_table(('usage_' || slice)::regclass);
    end loop;
end
$$;

-- The same as in the sums by callers, which are of the same calls. Nobody folds meanwhile.
lock table usage_cursor in exclusive mode;
insert into usage_sum
select k.place, u.org_id, u.starts_at, u.tag, '', '', '', u.team_id, u.project_id,
    '00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000',
    sum(u.calls), sum(u.failed), sum(u.refused), least(sum(u.input_tokens), n.most),
    least(sum(u.output_tokens), n.most), least(sum(u.cache_read_tokens), n.most),
    least(sum(u.cache_write_tokens), n.most), least(sum(u.reasoning_tokens), n.most),
    least(sum(u.duration_ms), n.most), least(sum(u.cost), n.most), least(sum(u.saved), n.most)
from usage_sum u
join (values ('who_hour', 'place_hour'), ('who_day', 'place_day')) as k (who, place) on k.who = u.slice
cross join (values (9223372036854775807::numeric)) as n (most)
group by 1, 2, 3, 4, 8, 9, n.most
order by 1, 2, 3;

-- What one caller used, hour by hour, and what one team's did.
create index usage_who_hour_token on usage_who_hour (org_id, token_id, starts_at);
create index usage_who_hour_user on usage_who_hour (org_id, user_id, starts_at);
create index usage_who_hour_team on usage_who_hour (org_id, team_id, starts_at);
create index usage_all_hour_team on usage_all_hour (org_id, team_id, starts_at);

-- As it was, with the slice, and in order: rows that are made at once lie where their time is.
create or replace function add_usage(of_transactions_from xid8, up_to xid8) returns bigint language sql
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
    -- By itself, or the planner would sort all that is to be added up instead of what that comes to.
    sums as materialized (
        select s.slice, l.org_id, date_trunc(s.grain, l.hour, 'UTC') as starts_at, l.tag,
            case when s.what then l.model else '' end, case when s.what then l.provider else '' end,
            case when s.what then l.task_type else '' end, case when s.place then l.team_id else n.nil end,
            case when s.place then l.project_id else n.nil end, case when s.who then l.user_id else n.nil end,
            case when s.who then l.token_id else n.nil end,
            sum(l.calls), sum(l.failed), sum(l.refused), least(sum(l.input_tokens), n.most),
            least(sum(l.output_tokens), n.most), least(sum(l.cache_read_tokens), n.most),
            least(sum(l.cache_write_tokens), n.most), least(sum(l.reasoning_tokens), n.most),
            least(sum(l.duration_ms), n.most), least(sum(l.cost), n.most), least(sum(l.saved), n.most)
        from lines l
        cross join (values ('time_hour', 'hour', false, false, false), ('time_day', 'day', false, false, false),
            ('what_hour', 'hour', true, false, false), ('what_day', 'day', true, false, false),
            ('place_hour', 'hour', false, true, false), ('place_day', 'day', false, true, false),
            ('who_hour', 'hour', false, true, true), ('who_day', 'day', false, true, true),
            ('all_hour', 'hour', true, true, true), ('all_day', 'day', true, true, true))
            as s (slice, grain, what, place, who)
        cross join (values ('00000000-0000-0000-0000-000000000000'::uuid, 9223372036854775807::numeric))
            as n (nil, most)
        group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, n.most),
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
    select count(*) from added
$$;
