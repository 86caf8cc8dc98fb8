//! Who asks: by bearer token, key header, or the console's session cookie.

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HOST, ORIGIN, USER_AGENT};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use ralex_access::{Access, Permission, Reach, Scope};
use ralex_identity::{Arrival, Identity, SignedIn};
use ralex_kernel::{Caller, Code, OrgId, Problem, RequestId, ScopePath};

use crate::http::problem::Failed;
use crate::http::server::Edge;

/// Somebody who proved who they are, and who may go on.
pub struct Who(pub SignedIn);

/// The same, also while a one-time password waits to be replaced.
pub struct Unrestricted(pub SignedIn);

/// Somebody who proved who they are a short while ago; only sessions can.
pub struct Proven(pub SignedIn);

/// Where a request comes from.
pub struct Arrived(pub Arrival);

/// Somebody who proved who they are, and the organisation that the path names.
pub struct OrgCaller {
    pub signed_in: SignedIn,
    pub org: OrgId,
    access: Arc<Access>,
    identity: Arc<Identity>,
}

impl OrgCaller {
    /// Nothing where the person behind a session proved who they are a short while ago. Programs are not asked.
    pub fn require_fresh(&self) -> Result<(), Problem> {
        self.identity.require_fresh_session(&self.signed_in)
    }

    pub fn caller(&self) -> &Caller {
        &self.signed_in.caller
    }

    /// The proof that the caller may, at the organisation as a whole.
    pub async fn allow(&self, permission: Permission) -> Result<Scope, Problem> {
        self.allow_at(permission, ScopePath::Org).await
    }

    pub async fn allow_at(&self, permission: Permission, at: ScopePath) -> Result<Scope, Problem> {
        self.access.allow(self.caller(), self.org, permission, at).await
    }

    /// Where the caller may do this, for lists.
    pub async fn reach(&self, permission: Permission) -> Result<Reach, Problem> {
        self.access.reach(self.caller(), self.org, permission).await
    }

    /// The proof that the caller may do this somewhere, for what belongs to no place.
    pub async fn allow_somewhere(&self, permission: Permission) -> Result<Scope, Problem> {
        self.access.allow_somewhere(self.caller(), self.org, permission).await
    }
}

/// Tells whoever is nothing to an organisation what is told of one that does not exist, before any name of
/// it is looked up: which teams it has would otherwise show in what is said of one that it has not. What a
/// member may is decided after this, by what they hold.
async fn refuse_strangers(access: &Access, caller: &Caller, org: OrgId) -> Result<(), Problem> {
    match access.belongs(caller, org).await {
        Err(problem) if problem.code == Code::NotFound => {}
        Ok(()) | Err(_) => return Ok(()),
    }
    if let (Some(user), Ok(snapshot)) = (caller.subject.user(), access.snapshot(org).await)
        && (snapshot.is_member(user) || snapshot.is_suspended(user))
    {
        return Ok(());
    }
    // Refused and recorded as the least that there is to ask.
    access.allow(caller, org, Permission::OrgRead, ScopePath::Org).await.map(drop)
}

/// The organisation by whose rules a request is answered.
pub struct PoliciesOf {
    access: Arc<Access>,
    org: OrgId,
}

impl PoliciesOf {
    /// The version of its policies that this node knows now.
    pub fn version(&self) -> i64 {
        self.access.version(self.org)
    }
}

/// A client that has seen a version of the policies may ask for an answer that is no older.
fn wanted_version(request: &HttpRequest) -> Result<Option<i64>, Problem> {
    const HEADER: &str = "If-Policy-Version-At-Least";
    let Some(value) = request.headers().get(HEADER) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    let number = number.filter(|number: &i64| *number >= 0);
    number.map(Some).ok_or_else(|| Problem::field(HEADER, "must be a whole number from 0"))
}

impl FromRequest for Unrestricted {
    type Error = Failed;
    type Future = LocalBoxFuture<'static, Result<Self, Failed>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move { Ok(Self(sign_in(&request).await?)) }.boxed_local()
    }
}

impl FromRequest for Who {
    type Error = Failed;
    type Future = LocalBoxFuture<'static, Result<Self, Failed>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let signed_in = sign_in(&request).await?;
            if signed_in.must_change_password {
                let detail = "Replace the one-time password first: POST /api/v1/auth/password.";
                return Err(Problem::new(Code::PasswordChangeRequired, detail).into());
            }
            Ok(Self(signed_in))
        }
        .boxed_local()
    }
}

impl FromRequest for Proven {
    type Error = Failed;
    type Future = LocalBoxFuture<'static, Result<Self, Failed>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let who = Who::from_request(request, payload);
        let request = request.clone();
        async move {
            let Who(signed_in) = who.await?;
            part::<Identity>(&request)?.require_fresh(&signed_in)?;
            Ok(Self(signed_in))
        }
        .boxed_local()
    }
}

impl FromRequest for Arrived {
    type Error = Failed;
    type Future = Ready<Result<Self, Failed>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let edge = part::<Edge>(request);
        ready(edge.map(|edge| Self(arrival(request, edge))).map_err(Failed::from))
    }
}

impl FromRequest for OrgCaller {
    type Error = Failed;
    type Future = LocalBoxFuture<'static, Result<Self, Failed>>;

    /// As resolved before the rest of the request was read ([`crate::http::middleware::org_caller`]).
    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if let Some(known) = request.extensions_mut().remove::<Self>() {
            return ready(Ok(known)).boxed_local();
        }
        let who = Who::from_request(request, payload);
        let request = request.clone();
        async move {
            let Who(signed_in) = who.await?;
            let access = Arc::clone(part::<Access>(&request)?);
            let reference = request.match_info().query("org");
            let wanted = wanted_version(&request)?;
            let org = access.org(reference).ok_or_else(|| Problem::not_found("organisation"))?;
            refuse_strangers(&access, &signed_in.caller, org).await?;
            if let Some(wanted) = wanted {
                access.keep_up(&signed_in.caller, org, wanted).await?;
            }
            let rules = PoliciesOf { access: Arc::clone(&access), org };
            request.extensions_mut().insert(rules);
            let identity = Arc::clone(part::<Identity>(&request)?);
            Ok(Self { signed_in, org, access, identity })
        }
        .boxed_local()
    }
}

/// Resolves whatever credential a request carries.
///
/// # Errors
/// `unauthenticated` without a valid one, `cross_site` where a cookie comes with another origin.
pub async fn sign_in(request: &HttpRequest) -> Result<SignedIn, Problem> {
    let identity = part::<Identity>(request)?;
    let edge = part::<Edge>(request)?;
    let arrival = arrival(request, edge);
    if let Some(token) = bearer(request) {
        let found = identity.resolve_token(token, &arrival).await?;
        return found
            .ok_or_else(|| unauthenticated("The token is not valid, has expired or was revoked."));
    }
    let Some(cookie) = request.cookie(edge.cookie_name()) else {
        return Err(unauthenticated("Send a token (`Authorization: Bearer rlx_…`) or log in."));
    };
    same_site(request, edge)?;
    let found = identity.resolve_session(cookie.value(), &arrival).await?;
    found.ok_or_else(|| unauthenticated("The session has ended. Log in again."))
}

/// Where a request comes from.
pub fn arrival(request: &HttpRequest, edge: &Edge) -> Arrival {
    let id = request.extensions().get::<RequestId>().copied();
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    Arrival {
        request: id.unwrap_or_else(RequestId::generate),
        address: address(request, edge),
        user_agent: header(USER_AGENT).map(str::to_owned),
        device: request.cookie(edge.device_cookie_name()).map(|it| it.value().to_owned()),
    }
}

/// The peer, or behind proxies that are trusted the last address that none of them vouches for.
fn address(request: &HttpRequest, edge: &Edge) -> Option<IpAddr> {
    let mut address = request.peer_addr()?.ip();
    let forwarded = request.headers().get_all("x-forwarded-for");
    let hops: Vec<_> = forwarded.filter_map(|value| value.to_str().ok()).collect();
    for hop in hops.join(",").rsplit(',') {
        if !edge.trusted_proxies.iter().any(|network| network.contains(&address)) {
            break;
        }
        let Ok(next) = hop.trim().parse() else { break };
        address = next;
    }
    Some(address)
}

/// The token of `Authorization: Bearer`.
pub fn authorization(request: &HttpRequest) -> Option<&str> {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok())?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let own = ["x-api-key", "api-key", "x-goog-api-key"];
    authorization(request).or_else(|| own.into_iter().find_map(header))
}

/// Refuses a cookie on a writing request of another site. A client that is no browser sends
/// neither header, and has no cookies that another site could ride on.
pub fn same_site(request: &HttpRequest, edge: &Edge) -> Result<(), Problem> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let allowed = match (header("sec-fetch-site"), header(ORIGIN.as_str())) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let own = header(HOST.as_str()).unwrap_or_default();
            let host = origin.split_once("://").map(|(_, host)| host);
            host == Some(own) || edge.is_public_origin(origin)
        }
        (None, None) => true,
    };
    if allowed {
        return Ok(());
    }
    let detail = "This request comes from another site, so its cookie does not count.";
    Err(Problem::new(Code::CrossSite, detail))
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::new(Code::Unauthenticated, detail)
}

fn part<T: 'static>(request: &HttpRequest) -> Result<&Arc<T>, Problem> {
    request
        .app_data::<Data<T>>()
        .map(std::ops::Deref::deref)
        .ok_or_else(|| Problem::new(Code::Internal, "A part of the server is missing."))
}
