//! A large organisation: its rows in a database, and what is asked about it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, ensure};
use chrono::Utc;
use ralex_access::{Access, Limits, Oracle, Permission, Policies, Snapshot};
use ralex_kernel::{Clock, OrgId, ProjectId, ScopePath, ServiceAccountId, Subject, TeamId, UserId};
use ralex_store::testing::Database;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::{AssertSqlSafe, Connection, Row};
use uuid::Uuid;

use crate::Size;

/// One of so many people and programs is a program.
const PROGRAMS: u32 = 5;
/// One of so many scopes below the organisation is a team.
const TEAMS: u32 = 20;
const GROUPS: u32 = 100;

/// `$n` are the organisation, and how many people, programs, teams, projects, and bindings there are.
/// Ids follow from numbers, so that what is asked can name them. One binding of five is a group's, one
/// of twenty denies, one of ten ends some day, and one of a hundred holds in the whole organisation.
const WRITE: &str = "
    create function pg_temp.id(kind bigint, n bigint) returns uuid language sql immutable
        as $f$ select lpad(to_hex(kind << 32 | n), 32, '0')::uuid $f$;
    insert into org (id, slug, name) values ('$1', '$1', 'Large');
    insert into policy_version (org_id) values ('$1');
    insert into app_user (id, email, email_key, name, password_hash)
        select pg_temp.id(1, n), e, e, 'Somebody', 'none'
        from generate_series(1, $2) as n cross join lateral (select n || '@example.com' as e) as e
        on conflict do nothing;
    insert into membership (org_id, user_id)
        select '$1', pg_temp.id(1, n) from generate_series(1, $2) as n;
    insert into team (org_id, id, slug, name)
        select '$1', pg_temp.id(3, n), 'team-' || n, 'Team' from generate_series(1, $4) as n;
    insert into project (org_id, id, team_id, slug, name)
        select '$1', pg_temp.id(4, n), pg_temp.id(3, 1 + n % $4), 'project-' || n, 'Project'
        from generate_series(1, $5) as n;
    insert into people_group (org_id, id, slug, name, created_by)
        select '$1', pg_temp.id(5, n), 'group-' || n, 'Group', 'system'
        from generate_series(1, $7) as n;
    insert into group_member (org_id, group_id, user_id, added_by)
        select '$1', pg_temp.id(5, 1 + n % $7), pg_temp.id(1, n), 'system'
        from generate_series(1, $2) as n;
    insert into binding (org_id, id, subject_kind, subject_id, role, team_id, project_id, effect,
            expires_at, created_by)
        select '$1', pg_temp.id(6, n), kind,
            case kind when 'user' then pg_temp.id(1, 1 + n * 7 % $2)
                      when 'sa' then pg_temp.id(2, 1 + n / 5 % $3)
                      else pg_temp.id(5, 1 + n / 5 % $7) end,
            (array['viewer', 'developer', 'team_admin', 'billing'])[1 + n / 7 % 4],
            case when n % 97 > 0 then pg_temp.id(3, team) end,
            case when n % 97 > 10 then pg_temp.id(4, project) end,
            case when n % 20 = 7 then 'deny' else 'allow' end,
            case when n % 10 = 3 then now() + interval '30 days' end, 'system'
        from generate_series(1, $6) as n
        cross join lateral (select 1 + n * 13 % $5 as project,
            case when n % 5 = 0 then 'grp' when n % 5 = 1 then 'sa' else 'user' end as kind) as p
        cross join lateral (select 1 + project % $4 as team) as t
        on conflict do nothing;
    analyze";

pub struct Company {
    pub access: Arc<Access>,
    pub org: OrgId,
    size: Size,
    programs: Vec<Subject>,
    _database: Database,
}

#[derive(Clone, Copy, Debug)]
pub struct Question {
    pub subject: Subject,
    pub permission: Permission,
    pub at: ScopePath,
}

impl Question {
    pub fn ask(&self, snapshot: &Snapshot) -> bool {
        snapshot.judge(self.subject, self.permission, self.at, Utc::now()).is_allowed()
    }

    pub fn ask_casbin(&self, casbin: &Oracle) -> anyhow::Result<bool> {
        Ok(casbin.allows(self.subject, self.permission, self.at, Utc::now())?)
    }
}

impl Company {
    pub async fn found(size: Size) -> anyhow::Result<Self> {
        let (database, org) = (Database::fresh().await, OrgId::generate());
        let (people, programs) = Self::split(size);
        let numbers = [people, programs, Self::teams(size), Self::projects(size), size.bindings];
        let mut write = WRITE.replace("$1", &org.to_string()).replace("$7", &GROUPS.to_string());
        for (at, number) in numbers.iter().enumerate() {
            write = write.replace(&format!("${}", at + 2), &number.to_string());
        }
        let mut owner = database.owner().await;
        sqlx::raw_sql(AssertSqlSafe(write)).execute(&mut owner).await?;
        let bindings = sqlx::raw_sql("select count(*) from binding").fetch_one(&mut owner).await?;
        ensure!(bindings.get::<i64, _>(0) == i64::from(size.bindings), "too few bindings");
        owner.close().await?;
        // Nothing is polled here, so that nothing else takes time.
        let limits = Limits { blind_after: Duration::from_hours(24), ..Limits::default() };
        let policies = Policies::load(None)?;
        let access = Access::open_with(database.db(), policies, Clock::system(), limits).await;
        let access = access.map_err(|problem| anyhow!("{problem:?}"))?;
        let programs = (1..=programs).map(|n| program(org, size, n)).collect();
        Ok(Self { access: Arc::new(access), org, size, programs, _database: database })
    }

    pub async fn snapshot(&self) -> anyhow::Result<Arc<Snapshot>> {
        self.access.snapshot(self.org).await.map_err(|problem| anyhow!("{problem:?}"))
    }

    pub async fn refresh(&self) -> anyhow::Result<()> {
        self.access.refresh(self.org).await.map_err(|problem| anyhow!("{problem:?}"))
    }

    pub fn programs(&self) -> &[Subject] {
        &self.programs
    }

    /// Anybody, anything, anywhere.
    pub fn questions(&self, count: usize) -> Vec<Question> {
        let mut random = StdRng::seed_from_u64(1);
        let (people, _) = Self::split(self.size);
        let question = |random: &mut StdRng| {
            let subject = if random.random_ratio(1, PROGRAMS) {
                self.programs[random.random_range(0..self.programs.len())]
            } else {
                let user = id(1, random.random_range(1..=people));
                Subject::User(UserId::from(user))
            };
            let permission = Permission::ALL[random.random_range(0..Permission::ALL.len())];
            let at = match random.random_range(0..10) {
                0 => ScopePath::Org,
                1 => team(random.random_range(1..=Self::teams(self.size))),
                _ => project(self.size, random.random_range(1..=Self::projects(self.size))),
            };
            Question { subject, permission, at }
        };
        (0..count).map(|_| question(&mut random)).collect()
    }

    const fn split(size: Size) -> (u32, u32) {
        let programs = size.principals / PROGRAMS;
        (size.principals - programs, programs)
    }

    const fn teams(size: Size) -> u32 {
        size.scopes / TEAMS
    }

    const fn projects(size: Size) -> u32 {
        size.scopes - Self::teams(size) - 1
    }
}

fn team(number: u32) -> ScopePath {
    ScopePath::Team { team: TeamId::from(id(3, number)) }
}

fn project(size: Size, number: u32) -> ScopePath {
    let team = TeamId::from(id(3, 1 + number % Company::teams(size)));
    ScopePath::Project { team, project: ProjectId::from(id(4, number)) }
}

fn program(org: OrgId, size: Size, number: u32) -> Subject {
    let scope = project(size, 1 + number % Company::projects(size));
    Subject::Service { account: ServiceAccountId::from(id(2, number)), org, scope }
}

fn id(kind: u128, number: u32) -> Uuid {
    Uuid::from_u128(kind << 32 | u128::from(number))
}
