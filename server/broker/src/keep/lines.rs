//! A file of requests on its way to a provider: every line is read, judged and counted like the
//! call that it will be, and written as the provider wants it.
//!
//! Read line by line from the disk and written there again, so that a large file takes no memory;
//! and whole before anything is sent, so that nothing of a file goes out that has one bad line.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read as _, Seek, Write as _};
use std::sync::Arc;

use ralex_api::guardrails::Noted;
use ralex_guardrails::Policy;
use ralex_kernel::{Code, Problem};
use ralex_providers::{Endpoint, Line};
use ralex_routing::{Bound, Plan};

use crate::guard::{self, Guard};
use crate::ready::bound;
use crate::rules::{Asking, Barred};

/// More lines than this no provider takes.
const MOST_LINES: usize = 50_000;
/// A longer line is no request.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// What the lines of a file are measured by.
pub(crate) struct Measure {
    pub plan: Arc<Plan>,
    /// What is looked for in their texts; nothing where nothing is.
    pub policy: Option<Arc<Policy>>,
    /// What rules want to know of them; nothing where none is about anything.
    pub asking: Option<Asking>,
    /// The word for these guardrails.
    pub guarded_by: String,
    pub default_max_output: u64,
}

/// A file that was read, and as it goes to the provider.
#[derive(Debug)]
pub(crate) struct Read {
    pub file: File,
    pub bytes: u64,
    /// The endpoint as the lines write it.
    pub url: String,
    /// Who is to answer them.
    pub model: String,
    pub input_tokens: Vec<i64>,
    pub output_tokens: Vec<i64>,
    pub caches_an_hour: bool,
    pub holds_audio: bool,
    /// The guardrails that they passed, and what those found: rules and counts.
    pub guarded_by: String,
    pub found: Vec<Noted>,
}

impl Read {
    pub fn lines(&self) -> i32 {
        i32::try_from(self.input_tokens.len()).unwrap_or(i32::MAX)
    }
}

/// What is wrong with a file.
pub(crate) struct Wrong {
    /// From one on.
    pub line: u32,
    pub problem: Problem,
    /// The request in that line, where a guardrail refuses it.
    pub blocked: Option<Box<(Line, Guard)>>,
    /// The same where a rule about calls does.
    pub barred: Option<Box<(Line, Barred)>>,
}

impl Wrong {
    fn at(line: usize, problem: Problem) -> Self {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        let problem = Problem { detail: format!("Line {line}: {}", problem.detail), ..problem };
        Self { line, problem, blocked: None, barred: None }
    }
}

/// The first request of a file: its model is that of all others.
pub(crate) fn first(file: &mut File) -> Result<Line, Wrong> {
    let mut lines = Lines::of(file)?;
    match lines.next()? {
        Some((at, raw)) => Line::read(&raw).map_err(|problem| Wrong::at(at, problem)),
        None => Err(Wrong::at(
            1,
            Problem::new(Code::InvalidRequest, "There is no request in the file."),
        )),
    }
}

/// Reads all requests of a file and writes them to `out` as the provider gets them.
pub(crate) fn read(file: &mut File, out: File, measure: &Measure) -> Result<Read, Wrong> {
    let (mut lines, mut sum) = (Lines::of(file)?, Sum::new(out));
    while let Some((at, raw)) = lines.next()? {
        if at > MOST_LINES {
            let detail = format!("There are more than {MOST_LINES} requests in the file.");
            return Err(Wrong::at(at, Problem::new(Code::InvalidRequest, detail)));
        }
        let line = Line::read(&raw).map_err(|problem| Wrong::at(at, problem))?;
        carried(&line).map_err(|problem| Wrong::at(at, problem))?;
        let line = ruled(line, measure, at)?;
        let line = guarded(line, &raw, measure, at, &mut sum.found)?;
        sum.add(&line, measure).map_err(|problem| Wrong::at(at, problem))?;
    }
    sum.finish(measure).map_err(|problem| Wrong { line: 0, problem, blocked: None, barred: None })
}

/// Refuses what a line names of a provider's store, where nobody looks whose it is.
fn carried(line: &Line) -> Result<(), Problem> {
    let detail = if !line.inbound.file_ids().is_empty() {
        "`file_id` is not carried in a batch. Put the file's content into the line."
    } else if !line.inbound.kept_ids()?.is_empty() {
        "`previous_response_id` is not carried in a batch, nor is what else an earlier answer told \
         of (a container). Put what was said before into the line."
    } else {
        return Ok(());
    };
    Err(Problem::new(Code::Unsupported, detail))
}

/// The line, where no rule about calls refuses it.
fn ruled(line: Line, measure: &Measure, at: usize) -> Result<Line, Wrong> {
    let Some(asking) = &measure.asking else { return Ok(line) };
    match asking.line(&line.inbound, &measure.plan) {
        Ok(()) => Ok(line),
        Err(barred) => {
            let wrong = Wrong::at(at, barred.problem.clone());
            Err(Wrong { barred: Some(Box::new((line, *barred))), ..wrong })
        }
    }
}

/// The line without what a guardrail takes out of it.
fn guarded(
    line: Line,
    raw: &[u8],
    measure: &Measure,
    at: usize,
    found: &mut Vec<Noted>,
) -> Result<Line, Wrong> {
    let Some(policy) = &measure.policy else { return Ok(line) };
    let body: serde_json::Value = serde_json::from_slice(raw).unwrap_or_default();
    let body = body.get("body").map(ToString::to_string).unwrap_or_default();
    let looked = guard::look(Arc::clone(policy), &line.inbound, body.as_bytes())
        .map_err(|problem| Wrong::at(at, problem))?;
    if let Some(problem) = looked.blocked {
        let wrong = Wrong::at(at, problem);
        return Err(Wrong { blocked: Some(Box::new((line, looked.guard))), ..wrong });
    }
    for noted in looked.guard.noted {
        let same = |other: &&mut Noted| Noted { count: noted.count, ..(**other).clone() } == noted;
        match found.iter_mut().find(same) {
            Some(known) => known.count = known.count.saturating_add(noted.count),
            None => found.push(noted),
        }
    }
    Ok(match looked.inbound {
        Some(inbound) => Line { inbound, ..line },
        None => line,
    })
}

/// What the lines so far come to.
struct Sum {
    out: BufWriter<File>,
    bytes: u64,
    /// The endpoint, how it was written, and the model: the same for all lines.
    common: Option<(Endpoint, String, String)>,
    ids: HashSet<String>,
    input_tokens: Vec<i64>,
    output_tokens: Vec<i64>,
    caches_an_hour: bool,
    holds_audio: bool,
    found: Vec<Noted>,
}

impl Sum {
    fn new(out: File) -> Self {
        Self {
            out: BufWriter::new(out),
            bytes: 0,
            common: None,
            ids: HashSet::new(),
            input_tokens: Vec::new(),
            output_tokens: Vec::new(),
            caches_an_hour: false,
            holds_audio: false,
            found: Vec::new(),
        }
    }

    fn add(&mut self, line: &Line, measure: &Measure) -> Result<(), Problem> {
        let this = (line.endpoint, line.url.clone(), line.inbound.model().to_owned());
        let common = self.common.get_or_insert_with(|| this.clone());
        if common.0 != this.0 || common.1 != this.1 {
            let message = format!("must be {} as in the first line: a batch has one", common.1);
            return Err(Problem::field("url", message));
        }
        if common.2 != this.2 {
            let message = format!("must be {} as in the first line: a batch has one", common.2);
            return Err(Problem::field("body.model", message));
        }
        if !self.ids.insert(line.custom_id.clone()) {
            return Err(Problem::field("custom_id", "stands in another line already"));
        }
        let prepared = line.prepare(&measure.plan.target, measure.default_max_output)?;
        let bound = bound(&line.inbound, line.inbound.input_tokens(), &prepared, &measure.plan);
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.input_tokens.push(signed(bound.input_tokens));
        self.output_tokens.push(signed(bound.output_tokens));
        self.caches_an_hour |= bound.may_cache_for_an_hour;
        self.holds_audio |= bound.may_hold_audio;
        let mut written = Vec::new();
        line.write(&prepared, &mut written);
        self.bytes += written.len() as u64;
        self.out.write_all(&written).map_err(|error| disk(&error))
    }

    fn finish(self, measure: &Measure) -> Result<Read, Problem> {
        let mut file = self.out.into_inner().map_err(|error| disk(error.error()))?;
        file.rewind().map_err(|error| disk(&error))?;
        let (_, url, _) = self.common.ok_or_else(|| {
            Problem::new(Code::InvalidRequest, "There is no request in the file.")
        })?;
        Ok(Read {
            file,
            bytes: self.bytes,
            url,
            model: measure.plan.name.clone(),
            guarded_by: measure.guarded_by.clone(),
            input_tokens: self.input_tokens,
            output_tokens: self.output_tokens,
            caches_an_hour: self.caches_an_hour,
            holds_audio: self.holds_audio,
            found: self.found,
        })
    }
}

/// The lines of a file, with their numbers. Only the end may be empty.
struct Lines<'a> {
    file: BufReader<&'a mut File>,
    at: usize,
}

impl<'a> Lines<'a> {
    fn of(file: &'a mut File) -> Result<Self, Wrong> {
        file.rewind().map_err(|error| Wrong::at(1, disk(&error)))?;
        Ok(Self { file: BufReader::new(file), at: 0 })
    }

    fn next(&mut self) -> Result<Option<(usize, Vec<u8>)>, Wrong> {
        let mut raw = Vec::new();
        self.at += 1;
        let read = (&mut self.file).take(LONGEST_LINE + 1).read_until(b'\n', &mut raw);
        read.map_err(|error| Wrong::at(self.at, disk(&error)))?;
        if raw.len() as u64 > LONGEST_LINE {
            let detail = format!("It has more than {LONGEST_LINE} bytes.");
            return Err(Wrong::at(self.at, Problem::new(Code::InvalidRequest, detail)));
        }
        if raw.iter().all(u8::is_ascii_whitespace) {
            // What follows may be more of nothing, or a line out of its place.
            let rest = self.file.fill_buf().map_err(|error| Wrong::at(self.at, disk(&error)))?;
            if rest.iter().all(u8::is_ascii_whitespace) && rest.len() < 64 {
                return Ok(None);
            }
            let empty = Problem::new(Code::InvalidRequest, "It is empty.");
            return Err(Wrong::at(self.at, empty));
        }
        Ok(Some((self.at, raw)))
    }
}

pub(crate) fn disk(error: &std::io::Error) -> Problem {
    tracing::error!(%error, "a file could not be kept on its way: {error}");
    Problem::new(Code::Internal, "The server could not keep the file on its way.")
}

/// What one line can use at most, as it was read.
pub(crate) fn line_bound(input: i64, output: i64, caches_an_hour: bool, audio: bool) -> Bound {
    let count = |count: i64| u64::try_from(count).unwrap_or(0);
    Bound {
        input_tokens: count(input),
        output_tokens: count(output),
        units: 0,
        may_cache_for_an_hour: caches_an_hour,
        may_hold_audio: audio,
    }
}
