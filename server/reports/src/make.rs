//! Making a report: its document, its files, and the one transaction in which it is done.

use std::collections::BTreeMap;

use ralex_access::Permission;
use ralex_api::reports::{ReportFormat, ReportKind};
use ralex_audit::{Author, Event, Hashed, ReportEvent, record};
use ralex_kernel::{Code, Credential, Problem, ScopePath, Subject};
use ralex_store::{Leadership, problem};
use tokio::sync::Mutex;

use crate::Inner;
use crate::document::{Document, Room};
use crate::frame::{self, Cover, Frame};
use crate::kinds;
use crate::packed::{Packed, pack};
use crate::pdf::pdf;
use crate::report::{Ask, formats, unknown};
use crate::sql::record::{self as sql, Due, Finish};
use crate::sql::{file, people};
use crate::work::Work;

impl Inner {
    /// Makes it, unless its asker may no longer, and writes it down.
    pub(crate) async fn make(&self, due: &Due, lead: &Mutex<Leadership>) -> Result<(), Problem> {
        let kind = ReportKind::named(&due.kind).ok_or_else(unknown)?;
        self.still_may(due, kind).await?;
        let mut work = self.begin(due, kind).await?;
        let document = kinds::document(&mut work).await?;
        work.at(88, "Writes the files").await?;
        let head = work.head().await?;
        let Work { frame, bundle, .. } = work;
        let cover = Cover {
            report: due.id,
            made_at: self.clock.now(),
            made_by: due.asker.clone(),
            sha256: String::new(),
            bundle_sha256: bundle.as_ref().map(|bundle| hex::encode(bundle.sha256)),
            head,
        };
        let most = self.limits.bytes;
        let wanted = formats(&due.formats);
        // Drawing takes its time, and other tasks of this thread should not wait for it.
        let written = tokio::task::spawn_blocking(move || {
            let mut files = Files::write(&frame, &document, cover, &wanted, most)?;
            files.packed.extend(bundle.map(|bundle| (ReportFormat::Bundle, bundle)));
            files.rows = document.rows();
            Ok::<_, Problem>((files, frame))
        });
        let (files, frame) = written.await.map_err(|_| broken())??;
        self.finish(due, kind, &files, &frame, lead).await
    }

    async fn begin(&self, due: &Due, kind: ReportKind) -> Result<Work<'_>, Problem> {
        let ask: Ask = serde_json::from_value(due.ask.clone()).map_err(|_| unknown())?;
        let mut tx = self.db.tenant(due.org).await?;
        let (slug, name) = people::org(&mut tx, due.org).await.map_err(problem)?;
        tx.rollback().await.map_err(problem)?;
        let frame = Frame {
            kind,
            org: due.org,
            slug,
            name,
            from: due.from_at,
            to: due.to_at,
            filters: ask.filters,
            sample: None,
        };
        let author = Author {
            org: due.org,
            subject: Subject::User(due.asked_by),
            credential: Credential::Internal,
            request: None,
            address: None,
        };
        Ok(Work {
            inner: self,
            id: due.id,
            frame,
            author,
            room: Room::of(self.limits.bytes),
            // One whose seed nobody drew, as a schedule's, has its own id for one.
            sample: ask.sample.map(|it| (it.size, it.seed.unwrap_or_else(|| due.id.to_string()))),
            wants_bundle: due.formats.iter().any(|it| it == ReportFormat::Bundle.as_str()),
            bundle: None,
        })
    }

    /// A right that was taken away meanwhile makes no report any more.
    async fn still_may(&self, due: &Due, kind: ReportKind) -> Result<(), Problem> {
        let subject = Subject::User(due.asked_by);
        let judged =
            self.access.judge(subject, due.org, Permission::ReportCreate, ScopePath::Org).await?;
        if judged.is_allowed() && self.may(subject, due.org, kind).await? {
            return Ok(());
        }
        let detail = "Who asked for this report, or set up its schedule, may no longer read what it \
                      shows. Somebody who may has to ask for it.";
        Err(Problem::new(Code::Forbidden, detail))
    }

    async fn finish(
        &self,
        due: &Due,
        kind: ReportKind,
        made: &Files,
        frame: &Frame,
        lead: &Mutex<Leadership>,
    ) -> Result<(), Problem> {
        let head = made.cover.head.as_ref();
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let done = Finish {
            tree_size: head.map(|head| signed(head.tree_size)),
            root: head.map(|head| head.root.as_slice()),
            key: head.map(|head| head.key.as_str()),
            rows: signed(made.rows),
            seed: frame.sample.as_ref().map(|it| it.seed.as_str()),
            population: frame.sample.as_ref().map(|it| signed(it.population)),
            kept_days: i32::try_from(self.limits.days).unwrap_or(i32::MAX),
        };
        let mut tx = self.db.system("keep a report").await?;
        lead.lock().await.check(&mut tx).await?;
        if !sql::finish(&mut tx, due.org, due.id, &done).await.map_err(problem)? {
            // It was deleted while it was made.
            return Ok(());
        }
        for (format, packed) in &made.packed {
            let kept = file::insert(&mut tx, due.org, due.id, (format.as_str(), packed)).await;
            kept.map_err(problem)?;
        }
        let hashed = made.packed.iter().map(|(format, packed)| Hashed {
            format: format.as_str(),
            bytes: packed.bytes,
            sha256: hex::encode(packed.sha256),
        });
        let mut files: Vec<Hashed> = hashed.collect();
        files.sort_by_key(|file| file.format);
        let event = ReportEvent::Finished {
            report: due.id,
            kind: kind.as_str(),
            rows: made.rows,
            tree_size: head.map_or(0, |head| head.tree_size),
            files,
        };
        let author = Author::system(due.org);
        record(&mut tx, &author, Event::Report(event)).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }
}

fn broken() -> Problem {
    Problem::new(Code::Internal, "Writing the report's files broke off.")
}

/// What came of a document.
struct Files {
    packed: BTreeMap<ReportFormat, Packed>,
    cover: Cover,
    rows: u64,
}

impl Files {
    fn write(
        frame: &Frame,
        document: &Document,
        mut cover: Cover,
        wanted: &[ReportFormat],
        most: usize,
    ) -> Result<Self, Problem> {
        let json = pack(&frame::json(frame, document)?, most)?;
        cover.sha256 = hex::encode(json.sha256);
        let mut files = BTreeMap::from([(ReportFormat::Json, json)]);
        for format in wanted {
            match format {
                ReportFormat::Json | ReportFormat::Bundle => {}
                ReportFormat::Csv => {
                    files.insert(*format, pack(&frame::csv(frame, document)?, most)?);
                }
                ReportFormat::Pdf => {
                    files.insert(*format, pack(&pdf(frame, &cover, document)?, most)?);
                }
            }
        }
        Ok(Self { packed: files, cover, rows: 0 })
    }
}
