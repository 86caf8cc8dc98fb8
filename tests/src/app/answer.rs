//! An answer, whole, with the questions that tests ask of it.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The method and path that were asked, for messages.
    pub asked: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub(super) async fn read(asked: String, response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        match response.text().await {
            Ok(text) => Self { asked, status, headers, text },
            Err(error) => panic!("{asked}: the answer ended early: {error:?}"),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Every cookie that it sets, with its attributes.
    pub fn cookies(&self) -> Vec<&str> {
        let all = self.headers.get_all("set-cookie").into_iter();
        all.filter_map(|value| value.to_str().ok()).collect()
    }

    /// The cookie of the session that it opens, with its attributes.
    pub fn session(&self) -> Option<&str> {
        self.cookies().into_iter().find(|it| it.contains("ralex_session="))
    }

    /// The same as a browser sends it back; nothing where it opens none.
    pub fn cookie(&self) -> String {
        let set = self.session().unwrap_or_default();
        set.split(';').next().unwrap_or_default().to_owned()
    }

    /// The body as JSON; null where there is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        if self.text.is_empty() {
            return Value::Null;
        }
        match serde_json::from_str(&self.text) {
            Ok(value) => value,
            Err(error) => panic!("{self:?} is no JSON: {error}"),
        }
    }

    /// The body of a success.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status), "should succeed: {self:?}");
        self.json()
    }

    /// The problem of a refusal with this status and code.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        let problem = self.problem();
        assert_eq!((self.status, problem["code"].as_str()), (status, Some(code)), "{self:?}");
        problem
    }

    /// A problem as RFC 9457 has it: of its type, complete, and found again in the log by its id.
    #[track_caller]
    pub fn problem(&self) -> Value {
        assert!(self.status >= 400, "should be refused: {self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        for field in ["type", "title", "detail", "code", "request_id"] {
            let said = problem[field].as_str().unwrap_or_default();
            assert!(!said.is_empty(), "no `{field}` in {self:?}");
        }
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"), "{self:?}");
        problem
    }
}
