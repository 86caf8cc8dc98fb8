//! Files: sent, listed, read and deleted.

use std::fs::File;
use std::io::Seek as _;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use ralex_access::Scope;
use ralex_audit::{Author, Event};
use ralex_guardrails::Policy;
use ralex_kernel::{CallId, Code, FileId, Problem};
use ralex_providers::{Kept, Operation, Upload};
use ralex_store::problem;
use serde_json::{Value, json};

use super::find::Keeper;
use super::lines::{self, Measure, Read, Wrong, disk};
use super::send::{Told, pieces};
use super::shape::{list, name, object};
use super::sql::file::{self as sql, FileRow, Filter};
use super::{FILE, KeepRequest, Owner, meant};
use crate::Broker;
use crate::exchange::Failure;
use crate::rules::Barred;

/// What a file may be kept for here. What trains models has no price here, and is not kept.
const PURPOSES: [&str; 4] = ["assistants", "batch", "user_data", "vision"];
/// How many files a list holds at most, as OpenAI's does.
const MOST: i64 = 10_000;

/// A file that a caller sends, on the disk.
#[derive(Debug)]
pub struct NewFile {
    pub purpose: String,
    pub filename: String,
    pub content_type: Option<String>,
    /// Whatever else the form says, as it came.
    pub fields: Vec<(String, String)>,
    /// A model of the provider that is to keep it.
    pub model: Option<String>,
    pub content: File,
    pub bytes: u64,
    /// SHA-256 of the content, in hexadecimal.
    pub digest: String,
}

/// A file's content on its way to a caller.
pub struct Content {
    pub content_type: String,
    pub bytes: BoxStream<'static, std::io::Result<bytes::Bytes>>,
}

/// A file that is ready to be sent.
struct Sending {
    id: FileId,
    org: ralex_kernel::OrgId,
    author: Author,
    keeper: Keeper,
    upload: Upload,
}

impl Broker {
    /// Sends a file to a provider, which keeps it.
    ///
    /// # Errors
    /// What any step refuses; before its row is durable nothing has been sent.
    pub async fn keep_file(&self, request: KeepRequest, new: NewFile) -> Result<Value, Failure> {
        let scope = self.allow_keep(&request).await?;
        if !PURPOSES.contains(&new.purpose.as_str()) {
            let message = format!("must be one of {}", PURPOSES.join(", "));
            return Err(Problem::field("purpose", message).into());
        }
        let (guarded_by, policy) = self.guards_now(&request).await?;
        let mut new = new;
        let (keeper, read) = if new.purpose == "batch" {
            let (keeper, read) =
                self.read_lines(&request, &scope, &mut new, (guarded_by, policy)).await?;
            (keeper, Some(read))
        } else {
            let keeper = self.keeper_for(&request, new.model.as_deref()).await?;
            self.look_at_text(&scope, &mut new, policy).await?;
            (keeper, None)
        };
        self.allow_key(&request, &keeper).await?;
        let row = FileRow {
            id: FileId::generate(),
            provider_id: keeper.plan.provider,
            provider: keeper.plan.provider_slug.to_string(),
            secret_id: keeper.key.as_ref().map(|key| key.secret),
            upstream_id: None,
            purpose: new.purpose.clone(),
            filename: name(&new.filename),
            bytes: i64::try_from(new.bytes).unwrap_or(i64::MAX),
            sha256: Some(new.digest.clone()),
            state: "sending".to_owned(),
            batch_id: None,
            created_at: self.parts.clock.now(),
            expires_at: None,
        };
        self.open_file(&request, &scope, &row, read.as_ref()).await?;
        let sending = Sending {
            id: row.id,
            org: request.org,
            author: scope.author().clone(),
            upload: upload(&row, new, read),
            keeper,
        };
        // In a task of its own: whoever hangs up meanwhile leaves no file that nobody knows of.
        let broker = self.clone();
        let sent = tokio::spawn(async move { broker.send_file(sending).await }).await;
        let lost = |_| Problem::new(Code::Internal, "The file was lost on its way.");
        let (upstream_id, expires_at) = sent.map_err(lost)??;
        Ok(object(&FileRow { upstream_id: Some(upstream_id), expires_at, ..row }))
    }

    /// Reads all lines of a file of requests, and finds who is to answer them.
    async fn read_lines(
        &self,
        request: &KeepRequest,
        scope: &Scope,
        new: &mut NewFile,
        (guarded_by, policy): (String, Option<Arc<Policy>>),
    ) -> Result<(Keeper, Read), Failure> {
        let mut content = new.content.try_clone().map_err(|error| disk(&error))?;
        let first = blocking(move || lines::first(&mut content)).await?;
        let first = match first {
            Ok(line) => line,
            Err(wrong) => return Err(self.refuse_file(request, scope, new, wrong).await),
        };
        let keeper = self.keeper_of_line(request, &first).await?;
        let asking = self.asking(&request.as_call(first.inbound)).await?;
        let measure = Measure {
            plan: Arc::clone(&keeper.plan),
            policy,
            asking,
            guarded_by,
            default_max_output: self.parts.default_max_output,
        };
        let mut content = new.content.try_clone().map_err(|error| disk(&error))?;
        let out = self.spool().map_err(|error| disk(&error))?;
        // Counting takes a processor for itself; others must get on.
        let _place = self.reading.acquire().await.map_err(|_| busy())?;
        match blocking(move || lines::read(&mut content, out, &measure)).await? {
            Ok(read) => Ok((keeper, read)),
            Err(wrong) => Err(self.refuse_file(request, scope, new, wrong).await),
        }
    }

    /// Records that a file was not sent, and says why.
    async fn refuse_file(
        &self,
        request: &KeepRequest,
        scope: &Scope,
        new: &NewFile,
        wrong: Wrong,
    ) -> Failure {
        metrics::counter!("ralex_files_total", "purpose" => "batch", "state" => "refused")
            .increment(1);
        if let Some(barred) = wrong.barred {
            let (line, barred) = *barred;
            let barred = Barred { problem: wrong.problem, ..barred };
            return self.barred(&request.as_call(line.inbound), scope, &barred).await;
        }
        if let Some(blocked) = wrong.blocked {
            let (line, guard) = *blocked;
            let call = request.as_call(line.inbound);
            let refused = (CallId::generate(), &guard);
            return self.blocked(&call, scope, refused, wrong.problem).await;
        }
        let event = Event::FileRefused {
            purpose: new.purpose.clone(),
            digest: new.digest.clone(),
            code: wrong.problem.code.as_str(),
            line: (wrong.line > 0).then_some(wrong.line),
        };
        match self.record_alone(request.org, scope.author(), event).await {
            Ok(()) => wrong.problem.into(),
            Err(unrecorded) => unrecorded.into(),
        }
    }

    /// Makes it durable that a file is about to be sent.
    async fn open_file(
        &self,
        request: &KeepRequest,
        scope: &Scope,
        row: &FileRow,
        read: Option<&Read>,
    ) -> Result<(), Problem> {
        let mut tx = self.tenant(request.org).await?;
        sql::insert(&mut tx, &request.owner(), row).await.map_err(problem)?;
        if let Some(read) = read {
            sql::insert_input(&mut tx, request.org, row.id, read).await.map_err(problem)?;
        }
        let event = Event::FileOpened {
            file: row.id,
            provider: row.provider.clone(),
            purpose: row.purpose.clone(),
            bytes: row.bytes.unsigned_abs(),
            digest: row.sha256.clone().unwrap_or_default(),
            scope: request.at,
            secret: row.secret_id,
        };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }

    /// Sends a file and records what became of it.
    async fn send_file(
        &self,
        sending: Sending,
    ) -> Result<(String, Option<DateTime<Utc>>), Failure> {
        let Sending { id, org, author, keeper, upload } = sending;
        let purpose = upload.fields.iter().find(|(name, _)| name == "purpose");
        let purpose = purpose.map(|(_, purpose)| purpose.clone()).unwrap_or_default();
        let key = keeper.key.as_ref().map(|key| self.parts.vault.open_key(key)).transpose()?;
        let sent = self.parts.client.upload(keeper.target(), key.as_ref(), upload).await;
        let failure = |upstream: ralex_providers::UpstreamError| Failure {
            problem: upstream.to_problem(),
            call: None,
            cost: ralex_kernel::Money::ZERO,
            upstream: Some(upstream),
        };
        let kept = match sent {
            Ok(told) => kept(&told).map_err(Failure::from),
            Err(upstream) => Err(failure(upstream)),
        };
        let (upstream_id, expires_at, code) = match &kept {
            Ok((id, expires_at)) => (Some(id.as_str()), *expires_at, None),
            Err(failure) => (None, None, Some(failure.problem.code)),
        };
        let state = if upstream_id.is_some() { "ready" } else { "failed" };
        let recorded = async {
            let mut tx = self.tenant(org).await?;
            sql::close(&mut tx, org, id, upstream_id, expires_at).await.map_err(problem)?;
            let event = Event::FileClosed { file: id, state, problem: code };
            ralex_audit::record(&mut tx, &author, event).await.map_err(problem)?;
            tx.commit().await.map_err(problem)
        };
        let recorded: Result<(), Problem> = recorded.await;
        let labels = [("purpose", purpose), ("state", state.to_owned())];
        metrics::counter!("ralex_files_total", &labels).increment(1);
        if let (Err(_), Some(upstream_id)) = (&recorded, upstream_id) {
            // Nobody could ever find it again.
            let below = format!("/{upstream_id}");
            let kept = Kept { method: "DELETE", below: &below, query: None };
            self.ask(&keeper, Operation::Files, kept, None).await.ok();
        }
        recorded?;
        kept
    }

    pub(super) async fn record_alone(
        &self,
        org: ralex_kernel::OrgId,
        author: &Author,
        event: Event,
    ) -> Result<(), Problem> {
        let mut tx = self.tenant(org).await?;
        ralex_audit::record(&mut tx, author, event).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }

    /// The caller's files, as OpenAI lists them.
    ///
    /// # Errors
    /// Where the caller may not call models, or a parameter makes no sense.
    pub async fn kept_files(
        &self,
        request: &KeepRequest,
        query: &FileQuery<'_>,
    ) -> Result<Value, Problem> {
        self.allow_keep(request).await?;
        let limit = query.limit.unwrap_or(MOST);
        if !(1..=MOST).contains(&limit) {
            return Err(Problem::field("limit", format!("must be 1 to {MOST}")));
        }
        let after = query.after.map(|after| {
            meant::<FileId>(FILE, after)
                .ok_or_else(|| Problem::field("after", "is no file of yours"))
        });
        let filter = Filter {
            only: None,
            purpose: query.purpose,
            after: after.transpose()?,
            oldest_first: query.oldest_first,
            at_most: limit + 1,
        };
        let mut tx = self.tenant(request.org).await?;
        let mut rows = sql::select(&mut tx, &request.owner(), filter).await.map_err(problem)?;
        let has_more = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(list(rows.iter().map(object).collect(), has_more))
    }

    /// One file of the caller's.
    ///
    /// # Errors
    /// `not_found` for what is not the caller's, whether it exists or not.
    pub async fn kept_file(&self, request: &KeepRequest, id: &str) -> Result<Value, Problem> {
        self.allow_keep(request).await?;
        self.file_of(&request.owner(), id).await.map(|row| object(&row))
    }

    /// Deletes a file, here and at its provider.
    ///
    /// # Errors
    /// `not_found` as above, `conflict` while a batch needs it, or what the provider says.
    pub async fn delete_kept_file(
        &self,
        request: &KeepRequest,
        id: &str,
    ) -> Result<Value, Failure> {
        let scope = self.allow_keep(request).await?;
        let row = self.file_of(&request.owner(), id).await?;
        let keeper = self.keeper_at(request.org, row.provider_id, row.secret_id).await?;
        self.allow_key(request, &keeper).await?;
        let mut tx = self.tenant(request.org).await?;
        if !sql::delete(&mut tx, request.org, row.id).await.map_err(problem)? {
            let detail = "A batch that has not ended needs this file. Cancel the batch first.";
            return Err(Problem::new(Code::Conflict, detail).into());
        }
        let event = Event::FileDeleted { file: row.id };
        ralex_audit::record(&mut tx, scope.author(), event).await.map_err(problem)?;
        tx.commit().await.map_err(problem)?;
        let below = format!("/{}", row.upstream_id.as_deref().unwrap_or_default());
        let kept = Kept { method: "DELETE", below: &below, query: None };
        match self.ask(&keeper, Operation::Files, kept, None).await {
            Ok(_) => {}
            Err(unasked) if unasked.is_missing() => {}
            Err(unasked) => {
                let mut tx = self.tenant(request.org).await?;
                sql::undelete(&mut tx, request.org, row.id).await.map_err(problem)?;
                tx.commit().await.map_err(problem)?;
                return Err(unasked.into());
            }
        }
        Ok(json!({ "id": id, "object": "file", "deleted": true }))
    }

    /// A file's content. Answers of a batch pass the guardrails of their scope like any answer.
    ///
    /// # Errors
    /// `not_found` as above, or what the provider says.
    pub async fn kept_content(&self, request: &KeepRequest, id: &str) -> Result<Content, Failure> {
        let scope = self.allow_keep(request).await?;
        let row = self.file_of(&request.owner(), id).await?;
        let keeper = self.keeper_at(request.org, row.provider_id, row.secret_id).await?;
        self.allow_key(request, &keeper).await?;
        let event = Event::FileRead { file: row.id };
        self.record_alone(request.org, scope.author(), event).await?;
        let upstream_id = row.upstream_id.as_deref().unwrap_or_default();
        let content = self.content(&keeper, upstream_id).await;
        let (content_type, bytes) = match content {
            // Its time was up, or somebody deleted it at the provider.
            Err(unasked) if unasked.is_missing() => return Err(Problem::not_found("file").into()),
            content => content?,
        };
        let policy = self.parts.guards.for_scope(request.org, request.at).await?;
        let bytes = match policy.output(None).filter(|_| row.batch_id.is_some()) {
            Some(output) => super::reckon::watched(bytes, output),
            None => bytes,
        };
        Ok(Content { content_type, bytes })
    }

    pub(super) async fn file_of(&self, owner: &Owner, id: &str) -> Result<FileRow, Problem> {
        let missing = || Problem::not_found("file");
        let only = Some(meant::<FileId>(FILE, id).ok_or_else(missing)?);
        let mut tx = self.tenant(owner.org).await?;
        let filter = Filter { only, at_most: 1, ..Filter::default() };
        let found = sql::select(&mut tx, owner, filter).await.map_err(problem)?;
        found.into_iter().next().ok_or_else(missing)
    }

    /// Files whose server died while it sent them will never be ready.
    pub(super) async fn close_abandoned(&self) -> Result<(), Problem> {
        let mut tx = self.db.system("close files that were never sent").await?;
        for (org, id) in sql::abandoned(&mut tx).await.map_err(problem)? {
            if sql::close(&mut tx, org, id, None, None).await.map_err(problem)? {
                let problem_code = Some(Code::Unavailable);
                let event = Event::FileClosed { file: id, state: "failed", problem: problem_code };
                let author = Author::system(org);
                ralex_audit::record(&mut tx, &author, event).await.map_err(problem)?;
            }
        }
        tx.commit().await.map_err(problem)
    }
}

/// What a list of files asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileQuery<'a> {
    pub purpose: Option<&'a str>,
    pub after: Option<&'a str>,
    pub limit: Option<i64>,
    pub oldest_first: bool,
}

/// The form that goes to the provider. What a batch's file is called tells whose it is, should its
/// answer be lost; others keep their names, which models read.
fn upload(row: &FileRow, new: NewFile, read: Option<Read>) -> Upload {
    let mut fields = vec![("purpose".to_owned(), new.purpose)];
    fields.extend(new.fields);
    let (content, length, filename) = match read {
        Some(read) => (read.file, read.bytes, format!("ralex-{}.jsonl", row.id)),
        None => (new.content, new.bytes, row.filename.clone()),
    };
    let mut content = content;
    // A file that cannot be read from its beginning fails when it is read.
    content.rewind().ok();
    let (content_type, boundary) = (new.content_type, rand::random());
    Upload { fields, filename, content_type, length, boundary, content: pieces(content) }
}

/// What a provider calls a file that it keeps now, and until when it does.
fn kept(told: &Told) -> Result<(String, Option<DateTime<Utc>>), Problem> {
    let id = told.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
    let malformed = || Problem::new(Code::UpstreamMalformed, "The provider named no file.");
    let until = told.get("expires_at").and_then(Value::as_i64);
    let until = until.and_then(|at| DateTime::from_timestamp(at, 0));
    Ok((id.ok_or_else(malformed)?.to_owned(), until))
}

/// Work that reads and counts, away from the threads that serve.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let lost = |_| Problem::new(Code::Internal, "The file could not be read.");
    tokio::task::spawn_blocking(work).await.map_err(lost)
}

fn busy() -> Problem {
    Problem::new(Code::Unavailable, "The server ends. Try again in a moment.").with_retry_after(1)
}
