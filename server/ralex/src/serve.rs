//! `ralex serve`: every part built once, started in order, and ended in the reverse one.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use anyhow::Context;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use ralex_access::{Access, Policies};
use ralex_approvals::Approvals;
use ralex_audit::Audit;
use ralex_broker::{Broker, Parts as BrokerParts};
use ralex_budgets::{Budgets, Rates};
use ralex_changes::{Changes, Sources as ChangeSources};
use ralex_glass::{BreakGlass, Sources as GlassSources};
use ralex_guardrails::{Guards, Packs};
use ralex_identity::Identity;
use ralex_kernel::{Clock, NodeId};
use ralex_mail::Mailer;
use ralex_monitor::{Alerts, Parts as AlertParts};
use ralex_portability::Portability;
use ralex_providers::{Client, EgressPolicy, Post};
use ralex_reports::{Reports, Sources as ReportSources};
use ralex_retention::Retention;
use ralex_routing::{Catalogue, Routing};
use ralex_rules::CallRules;
use ralex_scim::Scim;
use ralex_sinks::Sinks;
use ralex_sso::Sso;
use ralex_store::Db;
use ralex_usage::Usage;
use ralex_vault::Vault;
use tokio::task::JoinHandle;
use tracing::info;
use url::Url;

use crate::database::Database;
use crate::first_start;
use crate::http::server::{self, Edge, Parts};
use crate::listen::{address, announce, listen};
use crate::overview::Health;
use crate::settings::Settings;
use crate::shutdown::{self, Shutdown};
use crate::upkeep::upkeep;
use crate::{audit_log, limits, logging, say};

/// How long the last calls may take to be written when the server ends.
const LAST_WRITES: Duration = Duration::from_secs(20);

/// Serves until asked to end.
pub async fn serve(settings: Settings) -> anyhow::Result<()> {
    logging::start(&settings.log, settings.log_json);
    limits::raise_open_files();
    limits::forbid_core_files();
    // Built while PostgreSQL starts, so that the first calls do not wait for it.
    tokio::task::spawn_blocking(ralex_providers::warm_up);
    tokio::task::spawn_blocking(ralex_routing::classify::warm_up);
    // Bound first: where the port is taken, nothing has been made or changed.
    let listener = listen(&settings)?;
    let database = Database::start(&settings).await?;
    let shutdown = Shutdown::new();
    let outcome = run(&settings, listener, &database, &shutdown).await;
    shutdown.give();
    database.stop().await;
    outcome
}

async fn run(
    settings: &Settings,
    listener: TcpListener,
    database: &Database,
    shutdown: &Shutdown,
) -> anyhow::Result<()> {
    let recorder = PrometheusBuilder::new().install_recorder().context("metrics")?;
    let db = Db::connect(database.url(), settings.database_connections).await?;
    let built = build(settings, &db, shutdown).await?;
    let services = &built.services;
    let first = first_start::prepare(settings, &services.identity, &services.routing).await?;
    let edge = Edge {
        public_url: settings.public_url.clone(),
        trusted_proxies: settings.trusted_proxies.clone(),
        max_body: settings.max_body,
        max_file: settings.max_file,
    };
    let upkeep = tokio::spawn(upkeep(recorder.clone(), shutdown.heard()));
    let Built { node, services, jobs, writer, lending } = built;
    // It has a word of its own, since its part of the broker must be gone before the writer ends.
    let follow = Shutdown::new();
    let following = tokio::spawn({
        let (broker, heard) = (services.broker.clone(), follow.heard());
        async move { broker.follow_batches(heard).await }
    });
    let approvals = services.approvals.clone();
    let parts = services.parts(&db, recorder, edge);
    let address = address(settings, &listener);
    let server = server::serve(listener, parts)?;
    say::line(&format!("node {node}"));
    announce(settings, &address, first.as_ref());
    until_asked(server, || approvals.end_waits()).await?;
    follow.give();
    tokio::time::timeout(LAST_WRITES, following).await.ok();
    // The broker is gone with the handlers; its last calls are written before the jobs end.
    tokio::time::timeout(LAST_WRITES, writer).await.ok();
    shutdown.give();
    for job in jobs.into_iter().chain([upkeep, lending]) {
        tokio::time::timeout(LAST_WRITES, job).await.ok();
    }
    db.close().await;
    Ok(())
}

/// `ending` is called before what is under way is waited for.
async fn until_asked(server: actix_web::dev::Server, ending: impl FnOnce()) -> anyhow::Result<()> {
    let handle = server.handle();
    let served = tokio::spawn(server);
    let why = shutdown::asked().await?;
    info!("ending on {why}: calls under way may finish");
    ending();
    handle.stop(true).await;
    served.await?.context("the server ended badly")
}

/// All services, and the jobs behind them.
struct Built {
    node: NodeId,
    services: Services,
    jobs: Vec<JoinHandle<()>>,
    writer: JoinHandle<()>,
    /// Ends when nobody can ask for room in rate limits any more.
    lending: JoinHandle<()>,
}

struct Services {
    access: Arc<Access>,
    identity: Identity,
    changes: Changes,
    glass: BreakGlass,
    vault: Vault,
    guards: Guards,
    approvals: Approvals,
    routing: Routing,
    budgets: Arc<Budgets>,
    rates: Rates,
    audit: Audit,
    sinks: Sinks,
    sso: Sso,
    scim: Scim,
    alerts: Alerts,
    reports: Reports,
    retention: Retention,
    broker: Broker,
    usage: Usage,
    letters: (Mailer, Option<Url>),
}

impl Services {
    /// What handlers reach.
    fn parts(self, db: &Db, recorder: PrometheusHandle, edge: Edge) -> Parts {
        let health = Health {
            db: db.clone(),
            access: Arc::clone(&self.access),
            audit: self.audit.clone(),
            routing: self.routing.clone(),
            broker: self.broker.clone(),
            budgets: Arc::clone(&self.budgets),
            usage: self.usage.clone(),
        };
        let portability = Portability::new(db.clone(), self.audit.clone(), self.identity.clone());
        Parts {
            db: Data::new(db.clone()),
            access: Data::from(self.access),
            identity: Data::new(self.identity),
            changes: Data::new(self.changes),
            glass: Data::new(self.glass),
            vault: Data::new(self.vault),
            guards: Data::new(self.guards),
            rules: Data::new(self.broker.rules()),
            approvals: Data::new(self.approvals),
            routing: Data::new(self.routing),
            budgets: Data::from(self.budgets),
            rates: Data::new(self.rates),
            audit: Data::new(self.audit),
            sinks: Data::new(self.sinks),
            sso: Data::new(self.sso),
            scim: Data::new(self.scim),
            portability: Data::new(portability),
            alerts: Data::new(self.alerts),
            reports: Data::new(self.reports),
            retention: Data::new(self.retention),
            broker: Data::new(self.broker),
            usage: Data::new(self.usage),
            health: Data::new(health),
            recorder: Data::new(recorder),
            edge: Data::new(edge),
        }
    }

    /// What runs beside them until the server ends.
    fn jobs(&self, db: &Db, node: NodeId, shutdown: &Shutdown) -> Vec<JoinHandle<()>> {
        let [alerts, rights] = [self.alert_jobs(shutdown), self.right_jobs(shutdown)];
        let others = vec![
            tokio::spawn({
                let (breakers, db) = (self.routing.breakers().clone(), db.clone());
                let heard = shutdown.heard();
                async move { breakers.run(&db, node, heard).await }
            }),
            tokio::spawn({
                let (budgets, heard) = (Arc::clone(&self.budgets), shutdown.heard());
                async move { budgets.run_sweeper(node, heard).await }
            }),
            tokio::spawn({
                let (budgets, heard) = (Arc::clone(&self.budgets), shutdown.heard());
                async move { budgets.run_bookkeeper(heard).await }
            }),
            tokio::spawn({
                let (usage, heard) = (self.usage.clone(), shutdown.heard());
                async move { usage.run(heard).await }
            }),
            tokio::spawn(ralex_broker::run_cache_sweeper(db.clone(), shutdown.heard())),
            tokio::spawn({
                let (approvals, heard) = (self.approvals.clone(), shutdown.heard());
                async move { approvals.run(heard).await }
            }),
            tokio::spawn({
                let (audit, heard) = (self.audit.clone(), shutdown.heard());
                async move { audit.run(heard).await }
            }),
            tokio::spawn({
                let (audit, heard) = (self.audit.clone(), shutdown.heard());
                async move { audit.run_witnesses(heard).await }
            }),
            tokio::spawn({
                let (sinks, heard) = (self.sinks.clone(), shutdown.heard());
                async move { sinks.run(heard).await }
            }),
            tokio::spawn({
                let (retention, heard) = (self.retention.clone(), shutdown.heard());
                async move { retention.run(heard).await }
            }),
            tokio::spawn({
                let (reports, heard) = (self.reports.clone(), shutdown.heard());
                async move { reports.run(heard).await }
            }),
        ];
        others.into_iter().chain(alerts).chain(rights).collect()
    }

    /// What has rights end in time, and has them looked at.
    fn right_jobs(&self, shutdown: &Shutdown) -> [JoinHandle<()>; 3] {
        [
            tokio::spawn({
                let (access, (mailer, url)) = (Arc::clone(&self.access), self.letters.clone());
                let [first, second, third, last] = std::array::from_fn(|_| shutdown.heard());
                async move {
                    let (requests, reviews) =
                        (access.run_requests(second), access.run_reviews(third));
                    let letters = access.run_letters(&mailer, url.as_ref(), last);
                    tokio::join!(access.run(first), requests, reviews, letters);
                }
            }),
            tokio::spawn({
                let identity = self.identity.clone();
                let [first, second] = std::array::from_fn(|_| shutdown.heard());
                async move {
                    tokio::join!(identity.run_tenures(first), identity.run_tries(second));
                }
            }),
            tokio::spawn({
                let (changes, glass) = (self.changes.clone(), self.glass.clone());
                let [first, second] = std::array::from_fn(|_| shutdown.heard());
                async move {
                    tokio::join!(changes.run(first), glass.run(second));
                }
            }),
        ]
    }

    fn alert_jobs(&self, shutdown: &Shutdown) -> [JoinHandle<()>; 3] {
        let (follow, watch, deliver) =
            (self.alerts.clone(), self.alerts.clone(), self.alerts.clone());
        let heard = [shutdown.heard(), shutdown.heard(), shutdown.heard()];
        let [first, second, third] = heard;
        [
            tokio::spawn(async move { follow.follow(first).await }),
            tokio::spawn(async move { watch.watch(second).await }),
            tokio::spawn(async move { deliver.deliver(third).await }),
        ]
    }
}

/// What other services are made of.
struct Base {
    clock: Clock,
    node: NodeId,
    access: Arc<Access>,
    vault: Vault,
    audit: Audit,
    egress: EgressPolicy,
    post: Post,
    sinks: Sinks,
    routing: Routing,
    guards: Guards,
    approvals: Approvals,
    budgets: Arc<Budgets>,
    usage: Usage,
}

impl Base {
    async fn open(settings: &Settings, db: &Db) -> anyhow::Result<Self> {
        let (clock, node) = (Clock::system(), NodeId::generate());
        let deployment = ralex_store::deployment(db).await?;
        let policies = Policies::load(settings.policies.as_deref())?;
        let access = Arc::new(Access::open(db.clone(), policies, clock.clone()).await?);
        let seal = audit_log::seal(settings)?;
        let vault = Vault::open(db.clone(), Arc::clone(&access), deployment, seal).await?;
        let audit = audit_log::open(settings, db, deployment, &vault, clock.clone()).await?;
        let egress = EgressPolicy::new(settings.egress_allow.iter().copied());
        let post = Post::new(egress.clone())?;
        let sinks = Sinks::open(db.clone(), audit.clone(), &vault, post.clone()).await?;
        let catalogue = Catalogue::built_in()?;
        let routing = Routing::new(db.clone(), Arc::clone(&access), egress.clone(), catalogue);
        let guards = Guards::new(db.clone(), Arc::clone(&access), Packs::built_in()?)?;
        let fingerprints = vault.internal_key("approval-fingerprint").await?;
        let approvals = Approvals::new(db.clone(), Arc::clone(&access), fingerprints);
        let budgets = Arc::new(Budgets::new(db.clone(), Arc::clone(&access), clock.clone()));
        let usage = Usage::new(db.clone(), clock.clone());
        Ok(Self {
            clock,
            node,
            access,
            vault,
            audit,
            egress,
            post,
            sinks,
            routing,
            guards,
            approvals,
            budgets,
            usage,
        })
    }

    fn broker(
        &self,
        settings: &Settings,
        db: &Db,
        (identity, rates): (&Identity, &Rates),
    ) -> anyhow::Result<(Broker, JoinHandle<()>)> {
        let (access, most) = (Arc::clone(&self.access), settings.default_max_output);
        let parts = BrokerParts {
            access: Arc::clone(&self.access),
            identity: identity.clone(),
            routing: self.routing.clone(),
            budgets: Arc::clone(&self.budgets),
            rates: rates.clone(),
            vault: self.vault.clone(),
            guards: self.guards.clone(),
            rules: CallRules::new(db.clone(), access, identity.clone(), self.clock.clone(), most),
            approvals: self.approvals.clone(),
            client: Client::new(self.egress.clone(), settings.timeouts)?,
            clock: self.clock.clone(),
            node: self.node,
            default_max_output: most,
            resilience: settings.resilience,
            record_first: settings.record_first,
            places: settings.places,
            cache_bytes: settings.cache_bytes,
            folder: settings.data_dir.clone(),
        };
        Ok(Broker::start(db.clone(), parts))
    }

    fn scim(&self, settings: &Settings, db: &Db, identity: &Identity) -> Scim {
        let (access, identity) = (Arc::clone(&self.access), identity.clone());
        let most = settings.scim_requests;
        Scim::new(db.clone(), access, identity, self.clock.clone(), most)
    }

    async fn sso(&self, db: &Db, identity: &Identity) -> anyhow::Result<Sso> {
        let (access, identity) = (Arc::clone(&self.access), identity.clone());
        let (post, clock) = (self.post.clone(), self.clock.clone());
        Ok(Sso::open(db.clone(), access, identity, &self.vault, post, clock).await?)
    }

    fn changes(
        &self,
        settings: &Settings,
        db: &Db,
        (identity, sso): (&Identity, &Sso),
    ) -> anyhow::Result<Changes> {
        Ok(Changes::new(ChangeSources {
            db: db.clone(),
            access: Arc::clone(&self.access),
            budgets: Arc::clone(&self.budgets),
            identity: identity.clone(),
            sso: sso.clone(),
            vault: self.vault.clone(),
            mailer: mailer(settings)?,
            clock: self.clock.clone(),
            public_url: settings.public_url.clone(),
        }))
    }

    fn glass(&self, settings: &Settings, db: &Db) -> anyhow::Result<BreakGlass> {
        Ok(BreakGlass::new(GlassSources {
            db: db.clone(),
            access: Arc::clone(&self.access),
            mailer: mailer(settings)?,
            clock: self.clock.clone(),
            public_url: settings.public_url.clone(),
        }))
    }

    async fn alerts(&self, settings: &Settings, db: &Db) -> anyhow::Result<Alerts> {
        let parts = AlertParts {
            budgets: Arc::clone(&self.budgets),
            usage: self.usage.clone(),
            mailer: mailer(settings)?,
            post: self.post.clone(),
            clock: self.clock.clone(),
            public_url: settings.public_url.clone(),
        };
        Ok(Alerts::open(db.clone(), &self.vault, parts).await?)
    }

    fn reports(&self, settings: &Settings, db: &Db) -> anyhow::Result<Reports> {
        let sources = ReportSources {
            db: db.clone(),
            access: Arc::clone(&self.access),
            audit: self.audit.clone(),
            usage: self.usage.clone(),
            sinks: self.sinks.clone(),
            mailer: mailer(settings)?,
            clock: self.clock.clone(),
        };
        Ok(Reports::open(sources, settings.reports, settings.policies.as_deref())?)
    }
}

async fn build(settings: &Settings, db: &Db, shutdown: &Shutdown) -> anyhow::Result<Built> {
    let base = Base::open(settings, db).await?;
    let pepper = base.vault.internal_key("token-digest").await?;
    let (access, clock) = (Arc::clone(&base.access), base.clock.clone());
    let url = settings.public_url.as_ref();
    let identity = Identity::new(db.clone(), Arc::clone(&access), clock, pepper, url)?;
    let identity = identity.with_mail(mailer(settings)?);
    let identity = identity.asking_operators(settings.operators_need_factor);
    let sso = base.sso(db, &identity).await?;
    let scim = base.scim(settings, db, &identity);
    let changes = base.changes(settings, db, (&identity, &sso))?;
    let glass = base.glass(settings, db)?;
    let (audit, routing) = (base.audit.clone(), base.routing.clone());
    let archive = settings.audit_archive.clone();
    let retention = Retention::new(db.clone(), Arc::clone(&access), audit, routing, archive)?;
    let (rates, lending) = Rates::start(db, Arc::clone(&access), base.node);
    let (broker, writer) = base.broker(settings, db, (&identity, &rates))?;
    base.routing.breakers().configure(settings.breakers);
    let alerts = base.alerts(settings, db).await?;
    let reports = base.reports(settings, db)?;
    let node = base.node;
    let services = Services {
        access,
        identity,
        changes,
        glass,
        vault: base.vault,
        guards: base.guards,
        approvals: base.approvals,
        routing: base.routing,
        budgets: base.budgets,
        rates,
        audit: base.audit,
        sinks: base.sinks,
        sso,
        scim,
        alerts,
        reports,
        retention,
        broker,
        usage: base.usage,
        letters: (mailer(settings)?, settings.public_url.clone()),
    };
    let jobs = services.jobs(db, node, shutdown);
    Ok(Built { node, services, jobs, writer, lending })
}

/// Sends mail by the server that the settings name, if they name one.
pub(crate) fn mailer(settings: &Settings) -> anyhow::Result<Mailer> {
    let Some(server) = &settings.mail else { return Ok(Mailer::absent()) };
    Mailer::new(server).map_err(|why| anyhow::anyhow!(why))
}
