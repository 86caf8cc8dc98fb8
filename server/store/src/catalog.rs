//! What every table must have, read from the catalog, so that a new one cannot forget it.

use sqlx::PgConnection;

use crate::testing::Database;

async fn owner(database: &Database) -> PgConnection {
    database.owner().await
}

#[tokio::test]
async fn every_table_of_tenants_has_forced_row_level_security() {
    let database = Database::fresh().await;
    let open = sqlx::query_scalar!(
        r#"select c.relname::text as "name!" from pg_class c
           join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id'
           where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
             and not (c.relrowsecurity and c.relforcerowsecurity)"#
    )
    .fetch_all(&mut owner(&database).await)
    .await
    .unwrap();
    assert!(open.is_empty(), "without forced row level security: {open:?}");
}

#[tokio::test]
async fn every_table_of_tenants_lets_the_app_read_and_write_its_own_organisation_only() {
    let database = Database::fresh().await;
    let open = sqlx::query_scalar!(
        r#"select c.relname::text as "name!" from pg_class c
           join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id'
           where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
             and (select count(*) from pg_policy p where p.polrelid = c.oid
                    and 'ralex_app'::regrole = any (p.polroles)) <> 1
              or exists (select from pg_policy p where p.polrelid = c.oid
                    and ('ralex_app'::regrole = any (p.polroles) or 0 = any (p.polroles))
                    and not (p.polcmd = '*' and p.polpermissive
                        and pg_get_expr(p.polqual, p.polrelid) like '(org_id = ( SELECT (NULLIF(current_setting(''app.org''::text, true), ''''::text))::uuid%'
                        and pg_get_expr(p.polwithcheck, p.polrelid) like '(org_id = ( SELECT (NULLIF(current_setting(''app.org''::text, true), ''''::text))::uuid%'))"#
    )
    .fetch_all(&mut owner(&database).await)
    .await
    .unwrap();
    assert!(open.is_empty(), "without the tenant policy, or with more than it: {open:?}");
}

#[tokio::test]
async fn every_table_of_tenants_has_an_index_that_starts_with_the_organisation() {
    let database = Database::fresh().await;
    let slow = sqlx::query_scalar!(
        r#"select c.relname::text as "name!" from pg_class c
           join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id'
           where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
             and not exists (select from pg_index i
                where i.indrelid = c.oid and i.indkey[0] = a.attnum and i.indpred is null)"#
    )
    .fetch_all(&mut owner(&database).await)
    .await
    .unwrap();
    assert!(slow.is_empty(), "without an index on the organisation first: {slow:?}");
}

#[tokio::test]
async fn every_reference_between_tables_of_tenants_includes_the_organisation() {
    let database = Database::fresh().await;
    let crossing = sqlx::query_scalar!(
        r#"select k.conname::text as "name!" from pg_constraint k
           join pg_attribute a on a.attrelid = k.conrelid and a.attname = 'org_id'
           join pg_attribute b on b.attrelid = k.confrelid and b.attname = 'org_id'
           where k.contype = 'f' and not exists (
             select from unnest(k.conkey, k.confkey) as pair (here, there)
             where pair.here = a.attnum and pair.there = b.attnum)"#
    )
    .fetch_all(&mut owner(&database).await)
    .await
    .unwrap();
    assert!(crossing.is_empty(), "can point into another organisation: {crossing:?}");
}

#[tokio::test]
async fn a_reference_that_empties_itself_empties_only_its_own_column() {
    let database = Database::fresh().await;
    let emptied = sqlx::query_scalar!(
        r#"select k.conname::text as "name!" from pg_constraint k
           join pg_attribute a on a.attrelid = k.conrelid and a.attname = 'org_id'
           where k.contype = 'f' and k.confdeltype in ('n', 'd') and a.attnotnull
             and a.attnum = any (coalesce(k.confdelsetcols, k.conkey))"#
    )
    .fetch_all(&mut owner(&database).await)
    .await
    .unwrap();
    assert!(emptied.is_empty(), "a delete would fail on org_id: {emptied:?}");
}

#[tokio::test]
async fn no_view_and_no_function_walks_around_the_policies() {
    let database = Database::fresh().await;
    let around = sqlx::query_scalar!(
        r#"select c.relname::text as "name!" from pg_class c
           where c.relnamespace = 'public'::regnamespace and (c.relkind = 'm' or c.relkind = 'v'
             and not coalesce(c.reloptions, '{}') && array['security_invoker=true', 'security_invoker=on'])
           union all
           select p.proname::text from pg_proc p
           where p.pronamespace = 'public'::regnamespace and p.prosecdef
             -- Pruning, and removing or exporting a whole organisation, is what no role of queries may do by
             -- itself: five narrow functions, of owners who may nothing else, that no tenant's transaction can call.
             and not ((p.proname in ('audit_prune', 'call_prune', 'run_prune') and p.proowner = 'ralex_pruner'::regrole
                  or p.proname = 'org_erase' and p.proowner = 'ralex_eraser'::regrole
                  or p.proname = 'org_export_page' and p.proowner = 'ralex_exporter'::regrole)
               and not has_function_privilege('ralex_app', p.oid, 'execute'))"#
    )
    .fetch_all(&mut owner(&database).await)
    .await
    .unwrap();
    assert!(around.is_empty(), "runs with its owner's rights: {around:?}");
}

#[tokio::test]
async fn an_organisation_can_be_removed_with_all_that_it_has() {
    let database = Database::fresh().await;
    // The log of logs goes on without it.
    let staying = sqlx::query_scalar!(
        r#"select c.relname::text as "name!" from pg_class c
           join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id' and not a.attisdropped
           where c.relkind in ('r', 'p') and not c.relispartition
             and c.relnamespace = 'public'::regnamespace and c.relname <> 'audit_super_leaf'
             and not (has_table_privilege('ralex_eraser', c.oid, 'delete')
               and exists (select from pg_policy p where p.polrelid = c.oid and p.polcmd = '*'
                           and p.polroles = array['ralex_eraser'::regrole::oid]
                           and pg_get_expr(p.polqual, p.polrelid) = 'true'))"#
    )
    .fetch_all(&mut owner(&database).await)
    .await
    .unwrap();
    assert!(staying.is_empty(), "stays when its organisation goes: {staying:?}");
}

#[tokio::test]
async fn the_roles_of_queries_own_nothing_and_bypass_nothing() {
    let database = Database::fresh().await;
    let mut conn = owner(&database).await;
    let mighty = sqlx::query_scalar!(
        r#"select rolname::text as "name!" from pg_roles
           where rolname in ('ralex_app', 'ralex_system')
             and (rolsuper or rolbypassrls or rolcanlogin or rolcreaterole or rolcreatedb)"#
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(mighty.is_empty(), "{mighty:?}");
    let owned = sqlx::query_scalar!(
        r#"select relname::text as "name!" from pg_class
           where relowner in ('ralex_app'::regrole, 'ralex_system'::regrole)"#
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(owned.is_empty(), "{owned:?}");
    let crossed = sqlx::query_scalar!(
        r#"select pg_has_role('ralex_app', 'ralex_system', 'member') as "is_member!""#
    );
    assert!(!crossed.fetch_one(&mut conn).await.unwrap(), "the app could become the system");
}
