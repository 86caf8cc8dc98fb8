//! Calls as people read them: in pages, and each with its whole story.

use chrono::{DateTime, Utc};
use ralex_access::Sight;
use ralex_api::page::{Page, PageQuery};
use ralex_api::usage::{Call, CallDetail, CallState, CallsQuery};
use ralex_kernel::{CallId, Code, Problem};
use ralex_store::{calls_from, problem};

use crate::sql::history as sql;
use crate::{Budgets, story};

impl Budgets {
    /// Calls, the newest first.
    pub async fn calls(
        &self,
        sight: &impl Sight,
        query: &CallsQuery,
    ) -> Result<Page<Call>, Problem> {
        let places = sight.places();
        let page = PageQuery { cursor: query.cursor.clone(), limit: query.limit };
        let filter = sql::Filter {
            within: &places,
            only: None,
            before: page.after()?,
            model: query.model.as_deref(),
            state: query.state.map(CallState::as_str),
            team: query.team.as_deref(),
            tag: query.tag.as_deref(),
            run: query.run.as_deref(),
            at_most: page.size() + 1,
        };
        let mut tx = self.db.tenant(sight.org()).await?;
        let listed = sql::calls(&mut tx, sight.org(), filter).await.map_err(problem)?;
        let items = listed.into_iter().map(call).collect::<Result<_, _>>()?;
        Ok(Page::of(items, page.size(), |call: &Call| call.id.to_string()))
    }

    /// One call with its whole story.
    pub async fn call(&self, sight: &impl Sight, id: CallId) -> Result<CallDetail, Problem> {
        let places = sight.places();
        let filter = sql::Filter {
            within: &places,
            only: Some(id),
            before: None,
            model: None,
            state: None,
            team: None,
            tag: None,
            run: None,
            at_most: 1,
        };
        let mut tx = self.db.tenant(sight.org()).await?;
        let listed = sql::calls(&mut tx, sight.org(), filter).await.map_err(problem)?;
        let Some(listed) = listed.into_iter().next() else {
            let all_from = calls_from(&mut tx, sight.org()).await.map_err(problem)?;
            return Err(missing(id, all_from));
        };
        let story = sql::story(&mut tx, sight.org(), id).await.map_err(problem)?;
        let tries = sql::tries(&mut tx, sight.org(), id).await.map_err(problem)?;
        Ok(story::detail(call(listed)?, story, tries))
    }

    /// How many calls are under way.
    pub async fn open_calls(&self, sight: &impl Sight) -> Result<u64, Problem> {
        let mut tx = self.db.tenant(sight.org()).await?;
        let open = sql::open(&mut tx, sight.org(), &sight.places()).await.map_err(problem)?;
        Ok(count(open))
    }
}

/// An id tells when its call began, so one whose record was pruned is not taken for one that never was.
fn missing(id: CallId, all_from: Option<DateTime<Utc>>) -> Problem {
    let began = id.uuid().get_timestamp().and_then(|at| {
        let (seconds, nanos) = at.to_unix();
        DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
    });
    match (began, all_from) {
        (Some(began), Some(all_from)) if began < all_from => {
            let from = all_from.format("%Y-%m-%d %H:%M:%S UTC");
            let detail = format!("Records of calls that began before {from} were pruned.");
            Problem::new(Code::NotFound, detail)
        }
        _ => Problem::not_found("call"),
    }
}

fn call(listed: sql::Listed) -> Result<Call, Problem> {
    let millis = |value: i32| u32::try_from(value).unwrap_or(0);
    Ok(Call {
        id: listed.id,
        started_at: listed.started_at,
        state: state(&listed.state)?,
        model: listed.model,
        provider: listed.provider,
        team: listed.team,
        service_account: listed.account,
        token: listed.token,
        streamed: listed.streamed,
        dialect: listed.dialect,
        input_tokens: count(listed.input_tokens),
        output_tokens: count(listed.output_tokens),
        estimated: listed.estimated,
        held: listed.held,
        cost: listed.cost,
        first_byte_ms: listed.first_byte_ms.map(millis),
        duration_ms: listed.duration_ms.map(millis),
        problem: listed.problem,
        asked_model: listed.asked_model,
        route: listed.route,
        attempts: u32::try_from(listed.attempts).unwrap_or(0),
        cached: listed.cached,
        purpose: listed.purpose,
        tags: listed.tags,
        run: listed.run,
    })
}

fn state(text: &str) -> Result<CallState, Problem> {
    let all = [
        CallState::Open,
        CallState::Success,
        CallState::Error,
        CallState::Canceled,
        CallState::Lost,
        CallState::Refused,
    ];
    let known = all.into_iter().find(|state| state.as_str() == text);
    known.ok_or_else(|| Problem::new(Code::Internal, "A stored state is not known."))
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
