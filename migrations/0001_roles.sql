-- The two roles that queries run as. Neither owns a table nor bypasses row level security.
-- Roles belong to the whole cluster, so another database of it may have made them already.
do $$
begin
    begin
        create role ralex_app nologin nosuperuser nobypassrls;
    exception when duplicate_object or unique_violation then null;
    end;
    begin
        create role ralex_system nologin nosuperuser nobypassrls;
    exception when duplicate_object or unique_violation then null;
    end;
    -- Two databases of one cluster may migrate at once; the grant is then made by the other.
    begin
        execute format('grant ralex_app, ralex_system to %I', current_user);
    exception when others then
        if not (pg_has_role(current_user, 'ralex_app', 'member')
            and pg_has_role(current_user, 'ralex_system', 'member')) then
            raise;
        end if;
    end;
end
$$;

grant usage on schema public to ralex_app, ralex_system;

-- Gives a table of tenant data its two policies. The sub-select makes PostgreSQL read the setting
-- once per query and not once per row; nullif, since a setting that was local to an ended
-- transaction reads as the empty text.
create function protect_tenant_table(name regclass) returns void language plpgsql as $$
begin
    execute format('alter table %s enable row level security', name);
    execute format('alter table %s force row level security', name);
    execute format('create policy tenant on %s to ralex_app
        using (org_id = (select nullif(current_setting(''app.org'', true), '''')::uuid))
        with check (org_id = (select nullif(current_setting(''app.org'', true), '''')::uuid))', name);
    execute format('create policy system on %s to ralex_system using (true) with check (true)', name);
end
$$;
