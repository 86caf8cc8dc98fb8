-- An organisation's export: all that it has, as one archive that its own people can read.
--
-- Who reads it is nobody but one function: `ralex_exporter` is a role that no session has. It holds `select` on
-- single columns and on no table as a whole, so what is withheld (sealed keys, digests, whatever belongs to a
-- person and not to the organisation) cannot be read by a mistake in the function or in its caller: the database
-- refuses it. A column that comes later is refused as well until somebody decides; a test of the catalog wants
-- that decision for every column of every table. The tenant's own role would see those columns, and a role that
-- bypasses the policies would see other organisations.
do $$
begin
    begin
        create role ralex_exporter nologin nosuperuser nobypassrls;
    exception when duplicate_object or unique_violation then null;
    end;
    -- Two databases of one cluster may migrate at once; the grant is then made by the other.
    begin
        execute format('grant ralex_exporter to %I', current_user);
    exception when others then
        if not pg_has_role(current_user, 'ralex_exporter', 'member') then
            raise;
        end if;
    end;
end
$$;
grant usage on schema public to ralex_exporter;

-- To whom operators may carry it: public keys of age (age1…), of which the organisation's owners have the other
-- half. Without one, no operator exports anything.
create table org_export_recipient (
    org_id    uuid not null references org (id),
    recipient text not null,
    added_at  timestamptz not null default now(),
    added_by  uuid,
    primary key (org_id, recipient),
    constraint org_export_recipient_form check (recipient ~ '^age1[02-9ac-hj-np-z]{58}$')
);
select protect_tenant_table('org_export_recipient');
grant select, insert, delete on org_export_recipient to ralex_app;
grant select on org_export_recipient to ralex_system;

-- Has the rows of a table exported, but for the columns that are named. Each table of tenants comes with it, or
-- is withheld as a whole; policies/export/withheld.toml says why.
create function let_export(name regclass, withheld text[] default '{}') returns void language plpgsql as $$
declare
    columns text;
    whose text := 'org_id = (select nullif(current_setting(''app.org'', true), '''')::uuid)';
begin
    if name = 'org'::regclass then
        whose := replace(whose, 'org_id', 'id');
    elsif name = 'app_user'::regclass then
        whose := format('exists (select from membership m where m.user_id = app_user.id and m.%s)', whose);
    end if;
    select string_agg(quote_ident(a.attname), ', ') into columns
        from pg_attribute a
        where a.attrelid = name and a.attnum > 0 and not a.attisdropped and a.attname <> all (withheld);
    execute format('create policy exporting on %s for select to ralex_exporter using (%s)', name, whose);
    execute format('grant select (%s) on %s to ralex_exporter', columns, name);
end
$$;

-- The tables that were looked at, one by one, and of them the columns that stay. A table that is not here is
-- withheld as a whole until a later migration lets it be exported.
do $$
declare
    tables text[] := array[
        'access_approval', 'access_history', 'access_history_start', 'access_request', 'access_request_settings',
        'access_review', 'access_review_item', 'access_review_letter', 'access_review_reviewer', 'alert',
        'alert_channel', 'alert_cursor', 'alert_delivery', 'alert_read', 'alert_reader', 'alert_rule', 'approval',
        'approval_settings', 'audit_erasure', 'audit_hold', 'audit_request', 'audit_retention', 'audit_sink', 'batch',
        'batch_input', 'binding', 'break_glass', 'break_glass_letter', 'break_glass_opening', 'break_glass_person', 'budget', 'budget_adjustment', 'budget_increase', 'budget_period', 'budget_pruned',
        'budget_run', 'call', 'call_attempt', 'call_pruned', 'call_rule', 'call_rule_settings', 'change_request',
        'four_eyes', 'group_member', 'guardrail', 'kept_file', 'kept_id', 'membership', 'model', 'model_alias',
        'model_price', 'org_export_recipient', 'own_role', 'people_group', 'policy_version', 'project', 'provider',
        'rate_limit', 'report', 'report_chunk', 'report_file', 'report_schedule', 'response_cache', 'route',
        'routing_day', 'routing_preference', 'routing_setting', 'scim_connection', 'scim_group', 'scim_token',
        'scim_user', 'secret', 'secret_version', 'service_account', 'sso_enforcement', 'sso_link', 'sso_mapping',
        'sso_provider', 'team', 'token', 'usage_correction', 'usage_pruned', 'usage_sum'];
    stays jsonb := '{
        "alert_channel": ["sealed_secret"],
        "approval": ["fingerprint"],
        "audit_sink": ["sealed_secret", "previous_secret"],
        "scim_token": ["digest"],
        "secret_version": ["blob", "fingerprint"],
        "sso_provider": ["sealed_secret"],
        "token": ["digest", "former_digest"]
    }';
    name text;
begin
    foreach name in array tables
    loop
        perform let_export(name::regclass,
            coalesce((select array_agg(it) from jsonb_array_elements_text(stays -> name) it), '{}'));
    end loop;
end
$$;
select let_export('org');
-- Of a person, what their organisation knows them by. Everything else of their account is theirs.
select let_export('app_user', array['email_key', 'password_hash', 'password_one_time', 'created_at', 'disabled_at',
    'provisioned_by', 'made_by', 'made_at']);

-- A page of an organisation's rows of one table, in the order of its primary key, as lines of JSON, each with its
-- key: begin without one, and go on after the last. A page ends after so many rows or so many characters, whichever
-- comes first, so that neither millions of rows nor large ones are ever held at once; nothing comes after the last.
create function org_export_page(what text, whose uuid, after text[], at_most integer, characters bigint)
returns table (line text, key text[])
language plpgsql security definer set search_path = pg_catalog, public as $$
declare
    of_table regclass := to_regclass('public.' || quote_ident(what));
    columns text;
    keys text[];
    types text[];
    named text;
    beyond text := 'true';
    total bigint := 0;
begin
    if not exists (select from pg_policy p where p.polrelid = of_table and p.polname = 'exporting') then
        raise exception 'no table % is exported', what using errcode = 'undefined_table';
    end if;
    select string_agg(quote_ident(a.attname), ', ' order by a.attnum) into columns
        from pg_attribute a
        where a.attrelid = of_table and a.attnum > 0 and not a.attisdropped
          and has_column_privilege('ralex_exporter', of_table, a.attnum, 'select');
    -- The organisation is the same in all of them.
    select array_agg(a.attname order by place), array_agg(format_type(a.atttypid, a.atttypmod) order by place)
        into keys, types
        from pg_index i cross join unnest(i.indkey) with ordinality as part (number, place)
        join pg_attribute a on a.attrelid = of_table and a.attnum = part.number and a.attname <> 'org_id'
        where i.indrelid = of_table and i.indisprimary;
    if keys is null then
        if after is not null then
            return;
        end if;
        named := '''''';
    else
        select string_agg(format('%I', it), ', ' order by place) into named
            from unnest(keys) with ordinality as part (it, place);
    end if;
    if after is not null then
        -- Written out, so that the index serves for it.
        select format('(%s) > (%s)', named, string_agg(format('%L::%s', it, types[place]), ', ' order by place))
            into beyond
            from unnest(after) with ordinality as part (it, place);
    end if;
    -- The policies of the role let nothing else be seen either.
    perform set_config('app.org', whose::text, true);
    for line, key in execute format(
        'select row_to_json(page)::text, array[%s]
         from (select %s from %s where %s and %s order by %s limit $2) as page',
        (select string_agg(format('page.%I::text', it), ', ' order by place)
            from unnest(coalesce(keys, array['org_id'])) with ordinality as part (it, place)),
        columns, of_table,
        case when of_table = 'org'::regclass then 'id = $1'
             when of_table = 'app_user'::regclass
             then 'exists (select from membership m where m.org_id = $1 and m.user_id = app_user.id)'
             else 'org_id = $1' end,
        beyond, coalesce(nullif(named, ''''''), 'org_id'))
        using whose, at_most
    loop
        return next;
        total := total + length(line);
        exit when total >= characters;
    end loop;
end
$$;
grant create on schema public to ralex_exporter;
alter function org_export_page(text, uuid, text[], integer, bigint) owner to ralex_exporter;
revoke create on schema public from ralex_exporter;
revoke execute on function org_export_page(text, uuid, text[], integer, bigint) from public;
grant execute on function org_export_page(text, uuid, text[], integer, bigint) to ralex_system;
