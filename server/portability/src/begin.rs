//! How an export begins: whether it may, whose turn it is, and the record of it before its first byte.

use ralex_access::Scope;
use ralex_api::audit::ExportFormat;
use ralex_api::portability::NewOrgExport;
use ralex_audit::{Author, Event, Export, OperatorEvent};
use ralex_identity::operator::Operating;
use ralex_kernel::{Code, OrgId, Problem};
use ralex_store::{System, problem};
use sha2::Digest;
use tokio::sync::mpsc;

use crate::archive::Archive;
use crate::manifest::{ExportedLog, ExportedOrg, FORM, Manifest};
use crate::send::{Came, QUEUE, Sending};
use crate::{Outgoing, Portability, recipient, sql, withheld};
use age::x25519::Recipient;

/// How long the snapshot may wait between two pages. The task that sends them gives up sooner; this is for a
/// server that is gone.
const PATIENCE: &str = "6h";

/// Who asks for which export.
struct Asked {
    author: Author,
    by_operator: bool,
    recipients: Vec<Recipient>,
}

impl Portability {
    /// The organisation's export for its own people, encrypted where they say to whom.
    ///
    /// # Errors
    /// `conflict` while another one is under way.
    pub async fn export(&self, scope: &Scope, new: &NewOrgExport) -> Result<Outgoing, Problem> {
        let recipients = recipient::parsed(&new.recipients)?;
        let author = scope.author().clone();
        self.begin(Asked { author, by_operator: false, recipients }).await
    }

    /// An organisation's export for an operator, who carries it to those whom its owners have named and can
    /// read nothing of it. It may be closed, and wait to be deleted.
    ///
    /// # Errors
    /// `conflict` where its owners have named nobody, or while another one is under way.
    pub async fn export_for_operator(
        &self,
        by: Operating<'_>,
        word: &str,
    ) -> Result<Outgoing, Problem> {
        let org = self.0.identity.managed_org(by, word).await?.id;
        let mut tx = self.0.db.system("tell to whom an operator may carry an export").await?;
        let texts = sql::recipients_of(&mut tx, org).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        if texts.is_empty() {
            let detail = "The owners of this organisation have named nobody to whom its export may be carried, \
                          and an operator gets none that is not encrypted. An owner sets a public key of age: \
                          `ralex org export-key set age1…`, or People → Export in the console.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        let recipients = recipient::parsed(&texts)?;
        let author = Author::of(by.caller(), org);
        self.begin(Asked { author, by_operator: true, recipients }).await
    }

    async fn begin(&self, asked: Asked) -> Result<Outgoing, Problem> {
        let org = asked.author.org;
        let turn = self.0.turns.clone().try_acquire_owned().map_err(|_| busy())?;
        let mut snapshot = self.0.db.snapshot("export an organisation").await?;
        if !sql::take_turn(&mut snapshot, org).await.map_err(problem)? {
            return Err(under_way());
        }
        sql::be_patient(&mut snapshot, PATIENCE).await.map_err(problem)?;
        let manifest = manifest(&mut snapshot, org).await?;
        let log = self.0.audit.export_within(org, ExportFormat::Jsonl).await?;
        self.record_begun(&asked, &log).await?;
        let sent = Came::default();
        let ready = self.ready(&asked, snapshot, manifest, log).await;
        let (filename, sending) = match ready {
            Ok(ready) => ready,
            Err(why) => {
                self.record_ended(&asked.author, &sent).await;
                return Err(why);
            }
        };
        let (to, parts) = mpsc::channel(QUEUE);
        let (portability, author) = (self.clone(), asked.author);
        tokio::spawn(async move {
            Box::pin(sending.run(&portability, &author, to)).await;
            drop(turn);
        });
        let parts = futures_util::stream::unfold(parts, async |mut parts| {
            let part = parts.recv().await?;
            Some((part, parts))
        });
        Ok(Outgoing { filename, encrypted: !asked.recipients.is_empty(), parts: Box::pin(parts) })
    }

    /// What an operator takes away is in the deployment's own log as well before the first byte leaves.
    async fn ready(
        &self,
        asked: &Asked,
        snapshot: System,
        mut manifest: Manifest,
        log: Export,
    ) -> Result<(String, Sending), Problem> {
        let org = asked.author.org;
        if asked.by_operator && !self.0.audit.is_anchored(org).await? {
            let detail = "The deployment's log has no record of this export yet, so nothing is exported; try \
                          again in a moment.";
            return Err(Problem::new(Code::Unavailable, detail).with_retry_after(5));
        }
        let disclosures = self.0.audit.export_within(org, ExportFormat::Disclosures).await?;
        manifest.audit = ExportedLog { tree_size: log.tree_size, root: log.root.clone() };
        let archive =
            Archive::new(&asked.recipients).map_err(|error| crate::send::failed(&error))?;
        let day = manifest.taken_at.format("%Y-%m-%d");
        let ending = if asked.recipients.is_empty() { "zip" } else { "zip.age" };
        let filename = format!("ralex-{}-{day}.{ending}", manifest.org.slug);
        let (log, disclosures) = (log.parts, disclosures.parts);
        Ok((filename, Sending { org, snapshot, manifest, archive, log, disclosures }))
    }

    async fn record_begun(&self, asked: &Asked, log: &Export) -> Result<(), Problem> {
        let org = asked.author.org;
        let told = |key: &Recipient| recipient::fingerprint(&key.to_string());
        let event = OperatorEvent::ExportBegun {
            org,
            by_operator: asked.by_operator,
            recipients: asked.recipients.iter().map(told).collect(),
            tree_size: log.tree_size,
            root: log.root.clone(),
        };
        let mut tx = self.0.db.system("record that an organisation is exported").await?;
        ralex_audit::record(&mut tx, &asked.author, Event::Operator(event))
            .await
            .map_err(problem)?;
        tx.commit().await.map_err(problem)
    }

    /// Records how it ended. There is nobody left to tell that this failed but the server's own log.
    pub(crate) async fn record_ended(&self, author: &Author, came: &Came) {
        let outcome = if came.manifest.is_some() { "whole" } else { "broken" };
        metrics::counter!("ralex_org_exports_total", "outcome" => outcome).increment(1);
        if let Err(why) = self.try_record_ended(author, came).await {
            let org = author.org;
            tracing::error!(
                org.id = %org,
                "that the export of organisation {org} has ended cannot be recorded: {}",
                why.detail
            );
        }
    }

    async fn try_record_ended(&self, author: &Author, came: &Came) -> Result<(), Problem> {
        let event = OperatorEvent::ExportEnded {
            org: author.org,
            whole: came.manifest.is_some(),
            files: came.files,
            rows: came.rows,
            bytes: came.bytes,
            sha256: hex::encode(came.digest.clone().finalize()),
            manifest: came.manifest.clone(),
        };
        let mut tx = self.0.db.system("record that an export has ended").await?;
        ralex_audit::record(&mut tx, author, Event::Operator(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }
}

/// What is known of an archive before it is written.
async fn manifest(snapshot: &mut System, org: OrgId) -> Result<Manifest, Problem> {
    let row = sql::org(snapshot, org).await.map_err(problem)?;
    let row = row.ok_or_else(|| Problem::not_found("organisation"))?;
    Ok(Manifest {
        ralex_org_export: FORM,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        schema: ralex_store::migrate::newest(),
        org: ExportedOrg { id: org.to_string(), slug: row.slug, name: row.name },
        taken_at: row.at,
        audit: ExportedLog { tree_size: 0, root: String::new() },
        files: Vec::new(),
        withheld: withheld::withheld()?,
    })
}

fn under_way() -> Problem {
    let detail = "An export of this organisation is under way; wait until it has ended, or end it where it is \
                  being read, and try again.";
    Problem::new(Code::Conflict, detail)
}

fn busy() -> Problem {
    let detail = "This server is busy with other exports; try again in some minutes.";
    Problem::new(Code::Unavailable, detail).with_retry_after(60)
}
