//! What is exported and what is not, read from the catalog, so that no new column is forgotten; and pages.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use ralex_kernel::OrgId;
use ralex_store::testing::Database;
use sqlx::{Executor, PgConnection};

use crate::sql;
use crate::withheld::withheld;

struct Column {
    table: String,
    name: String,
    exported: bool,
}

async fn columns(conn: &mut PgConnection) -> Vec<Column> {
    sqlx::query_as!(
        Column,
        r#"select c.relname::text as "table!", a.attname::text as "name!",
                  (has_column_privilege('ralex_exporter', c.oid, a.attnum, 'select')
                   and exists (select from pg_policy p
                               where p.polrelid = c.oid and p.polname = 'exporting')) as "exported!"
           from pg_class c join pg_attribute a on a.attrelid = c.oid
           where c.relkind in ('r', 'p') and not c.relispartition
             and c.relnamespace = 'public'::regnamespace and c.relname <> '_sqlx_migrations'
             and a.attnum > 0 and not a.attisdropped"#
    )
    .fetch_all(conn)
    .await
    .unwrap()
}

#[tokio::test]
async fn every_column_is_exported_or_withheld_with_a_reason_and_never_both() {
    let database = Database::fresh().await;
    let columns = columns(&mut database.owner().await).await;
    let withheld = withheld().unwrap();
    let mut known = BTreeSet::new();
    let mut wrong = Vec::new();
    for Column { table, name, exported } in &columns {
        let whole = withheld.contains_key(table);
        let part = format!("{table}.{name}");
        let is_withheld = whole || withheld.contains_key(&part);
        known.extend([table.clone(), part.clone()]);
        match (exported, is_withheld) {
            (true, true) => wrong.push(format!("{part} is exported, and listed as withheld")),
            (false, false) => wrong.push(format!(
                "{part}: a migration lets it be exported (let_export), or \
                 policies/export/withheld.toml says why it is not"
            )),
            (true, false) | (false, true) => {}
        }
        if whole && withheld.contains_key(&part) {
            wrong.push(format!("{part} is withheld with its whole table already"));
        }
    }
    for (name, reason) in &withheld {
        if !known.contains(name) || reason.trim().is_empty() {
            wrong.push(format!("{name} is no table and no column, or has no reason"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Columns that sound like a secret or hold bytes, and are neither a secret nor a digest of one.
const HARMLESS: [&str; 10] = [
    // Names of rows, as they are compared.
    "access_history.key",
    "alert_rule.name_key",
    "audit_sink.name_key",
    "scim_group.name_key",
    "scim_user.user_name_key",
    // The id of an access key, or the fingerprint of a certificate.
    "audit_sink.credential",
    // Of a report: its files, what it says they are, and the public key that signed the log.
    "report.key",
    "report.root",
    "report_chunk.data",
    "report_file.sha256",
];

#[tokio::test]
async fn no_exported_column_sounds_like_a_secret_but_those_that_were_looked_at() {
    let database = Database::fresh().await;
    let suspicious = sqlx::query_scalar!(
        r#"select c.relname::text || '.' || a.attname::text as "name!"
           from pg_class c join pg_policy p on p.polrelid = c.oid and p.polname = 'exporting'
           join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
           where has_column_privilege('ralex_exporter', c.oid, a.attnum, 'select')
             and (format_type(a.atttypid, a.atttypmod) like 'bytea%'
                  or format_type(a.atttypid, a.atttypmod) in ('text', 'text[]', 'jsonb')
                     and a.attname ~ 'secret|digest|sealed|passw|hash|wrapped|key|token|fingerprint|credential|salt|cookie')"#
    )
    .fetch_all(&mut database.owner().await)
    .await
    .unwrap();
    let unseen: Vec<_> = suspicious.iter().filter(|it| !HARMLESS.contains(&it.as_str())).collect();
    assert!(unseen.is_empty(), "are these no secrets? {unseen:?}");
    let gone: Vec<_> =
        HARMLESS.iter().filter(|it| !suspicious.iter().any(|one| one == *it)).collect();
    assert!(gone.is_empty(), "{gone:?}");
}

#[tokio::test]
async fn whatever_goes_with_a_deleted_organisation_is_exported_or_withheld_by_name() {
    let database = Database::fresh().await;
    let mut conn = database.owner().await;
    // As `org_erase` finds what it deletes.
    let erased = sqlx::query_scalar!(
        r#"select c.relname::text as "name!"
           from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id' and not a.attisdropped
           where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace
             and c.relname <> 'audit_super_leaf'
           union all select 'org'"#
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let mut exported: BTreeMap<String, bool> = BTreeMap::new();
    for column in columns(&mut conn).await {
        *exported.entry(column.table).or_default() |= column.exported;
    }
    let withheld = withheld().unwrap();
    let lost: Vec<_> =
        erased.iter().filter(|table| !exported[*table] && !withheld.contains_key(*table)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(erased.len() > 80, "{erased:?}");
}

#[tokio::test]
async fn whoever_exports_sees_one_organisation_and_of_it_no_key_whatever_they_ask() {
    let database = Database::fresh().await;
    let mut conn = database.owner().await;
    let loose = sqlx::query_scalar!(
        r#"select c.relname::text as "name!" from pg_policy p join pg_class c on c.oid = p.polrelid
           where 'ralex_exporter'::regrole = any (p.polroles)
             and (p.polname <> 'exporting' or p.polcmd <> 'r' or not p.polpermissive
                  or pg_get_expr(p.polqual, p.polrelid) not like
                     '%id = ( SELECT (NULLIF(current_setting(''app.org''::text, true), ''''::text))::uuid%')
           union all
           select c.relname::text from pg_class c
           where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
             and (has_table_privilege('ralex_exporter', c.oid, 'select')
                  or has_any_column_privilege('ralex_exporter', c.oid, 'insert')
                  or has_any_column_privilege('ralex_exporter', c.oid, 'update')
                  or has_table_privilege('ralex_exporter', c.oid, 'delete'))
             and c.relname not in (select relname from pg_class c join pg_policy p on p.polrelid = c.oid
                                   where p.polname = 'exporting')"#
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert!(loose.is_empty(), "sees or does more than it should: {loose:?}");
    conn.execute("set role ralex_exporter").await.unwrap();
    for asked in [
        "select digest from token",
        "select * from token",
        "select blob from secret_version",
        "select password_hash from app_user",
        "select wrapped from org_key",
        "select digest from session",
        "select secret from totp",
        "delete from team",
        "update team set name = 'Mine'",
    ] {
        let refused = conn.execute(asked).await.unwrap_err();
        let refused = refused.as_database_error().unwrap().code().map(|it| it.to_string());
        assert_eq!(refused.as_deref(), Some("42501"), "{asked}");
    }
    conn.execute("set role ralex_app").await.unwrap();
    let called = "select org_export_page('team', gen_random_uuid(), null, 1, 1)";
    assert!(conn.execute(called).await.is_err(), "a tenant's transaction calls it");
}

/// Two organisations with as many aliases each.
async fn aliases(database: &Database, count: i32) -> [OrgId; 2] {
    let mut conn = database.owner().await;
    let orgs = [OrgId::generate(), OrgId::generate()];
    for (org, slug) in orgs.iter().zip(["acme", "other"]) {
        let made = format!(
            "insert into org (id, slug, name) values ('{org}', '{slug}', '{slug}');
             insert into model_alias (org_id, name, target)
             select '{org}', 'alias ' || n, '{slug}' from generate_series(1, {count}) n"
        );
        conn.execute(sqlx::AssertSqlSafe(made)).await.unwrap();
    }
    orgs
}

#[tokio::test]
async fn pages_are_small_and_come_to_every_row_once_while_others_write() {
    const COUNT: i32 = 200_000;
    let database = Database::fresh().await;
    let [org, other] = aliases(&database, COUNT).await;
    let mut snapshot = database.db().snapshot("a test").await.unwrap();
    assert!(sql::take_turn(&mut snapshot, org).await.unwrap());
    let mut conn = database.owner().await;
    let (mut seen, mut after) = (HashSet::new(), None::<Vec<String>>);
    let mut pages = 0;
    loop {
        let limits = (2_000, 1 << 16);
        let page = sql::page(&mut snapshot, ("model_alias", org), after.as_deref(), limits).await;
        let page = page.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        // As many as fit, and what the database had fetched ahead at most.
        let characters: usize = page.iter().map(|row| row.line.len()).sum();
        assert!(page.len() <= 2_000 && characters < (1 << 16) + 1_000, "{characters}");
        for row in page {
            assert!(!row.line.contains(&other.to_string()), "{}", row.line);
            assert!(row.line.contains("\"target\":\"acme\""), "{}", row.line);
            assert!(seen.insert(row.key), "a row comes twice");
        }
        pages += 1;
        if pages == 3 {
            let written = format!(
                "delete from model_alias where org_id = '{org}' and name like 'alias 9%';
                 update model_alias set target = 'changed' where org_id = '{org}';
                 insert into model_alias (org_id, name, target) values ('{org}', 'zzz', 'new')"
            );
            conn.execute(sqlx::AssertSqlSafe(written)).await.unwrap();
        }
    }
    assert_eq!(seen.len(), usize::try_from(COUNT).unwrap());
    assert!(pages > 100, "{pages}");
}

#[tokio::test]
async fn one_export_of_an_organisation_at_a_time_however_the_first_ends() {
    let database = Database::fresh().await;
    let [org, other] = [OrgId::generate(), OrgId::generate()];
    let db = database.db();
    let mut first = db.snapshot("a test").await.unwrap();
    let mut second = db.snapshot("a test").await.unwrap();
    assert!(sql::take_turn(&mut first, org).await.unwrap());
    assert!(!sql::take_turn(&mut second, org).await.unwrap());
    assert!(sql::take_turn(&mut second, other).await.unwrap());
    first.rollback().await.unwrap();
    assert!(sql::take_turn(&mut second, org).await.unwrap());
}

#[tokio::test]
async fn every_exported_table_can_be_read_by_pages() {
    let database = Database::fresh().await;
    let [org, _] = aliases(&database, 3).await;
    let mut snapshot = database.db().snapshot("a test").await.unwrap();
    let tables = sql::tables(&mut snapshot).await.unwrap();
    assert!(tables.len() > 75 && tables.contains(&"call".to_owned()), "{tables:?}");
    for table in &tables {
        let mut after: Option<Vec<String>> = None;
        let mut count = 0;
        loop {
            let page = sql::page(&mut snapshot, (table, org), after.as_deref(), (1, 1)).await;
            let page = page.unwrap_or_else(|error| panic!("{table}: {error}"));
            let Some(row) = page.into_iter().next() else { break };
            let json: serde_json::Value = serde_json::from_str(&row.line).unwrap();
            assert!(json.is_object(), "{table}: {json}");
            after = Some(row.key);
            count += 1;
            assert!(count <= 3, "{table} has no end");
        }
    }
}
