//! What a provider is wished to be, checked field by field.

use ralex_api::sso::SsoClaims;
use ralex_kernel::{Email, Problem, Secret};
use ralex_providers::Post;
use url::Url;

const LONGEST: usize = 500;
const MOST_SCOPES: usize = 20;
const MOST_DOMAINS: usize = 100;
/// What is asked for where nothing else is said.
const USUAL_SCOPES: [&str; 3] = ["openid", "email", "profile"];

/// The issuer as the provider writes it: nothing is changed, since it is compared to the letter.
pub(crate) fn issuer(text: &str, post: &Post) -> Result<(), Problem> {
    let wrong = |rule: &str| Problem::field("issuer", rule);
    if text.len() > LONGEST || text.trim() != text {
        return Err(wrong("is too long, or has spaces around it"));
    }
    let url: Url = text.parse().map_err(|_| wrong("is no address; it begins with https://"))?;
    post.check(&url).map_err(|problem| Problem::field("issuer", problem.detail))
}

pub(crate) fn client_id(text: &str) -> Result<(), Problem> {
    plain("client_id", text)
}

pub(crate) fn client_secret(secret: &Secret) -> Result<(), Problem> {
    if secret.is_empty() || secret.expose().len() > LONGEST {
        return Err(Problem::field("client_secret", "must have 1 to 500 characters"));
    }
    Ok(())
}

/// What is asked for: `openid` first, and nothing twice.
pub(crate) fn scopes(wished: Option<Vec<String>>) -> Result<Vec<String>, Problem> {
    let usual = || USUAL_SCOPES.map(str::to_owned).to_vec();
    let wished = wished.unwrap_or_else(usual);
    let mut all = vec!["openid".to_owned()];
    for scope in wished {
        let is_word = !scope.is_empty()
            && scope.len() <= 100
            && scope.bytes().all(|it| it.is_ascii_graphic() && it != b'"' && it != b'\\');
        if !is_word {
            return Err(Problem::field("scopes", "must be words without spaces"));
        }
        if !all.contains(&scope) {
            all.push(scope);
        }
    }
    if all.len() > MOST_SCOPES {
        return Err(Problem::field("scopes", format!("may be {MOST_SCOPES} at most")));
    }
    Ok(all)
}

pub(crate) fn claims(claims: &SsoClaims) -> Result<(), Problem> {
    let SsoClaims { email, email_verified, name, groups } = claims;
    plain("claims.email", email)?;
    plain("claims.email_verified", email_verified)?;
    plain("claims.name", name)?;
    plain("claims.groups", groups)?;
    if email == email_verified {
        let rule = "must be another claim than the address: that there is one proves nothing";
        return Err(Problem::field("claims.email_verified", rule));
    }
    Ok(())
}

/// Domains as addresses are compared: in small letters, nothing twice.
pub(crate) fn domains(wished: Vec<String>) -> Result<Vec<String>, Problem> {
    let mut all: Vec<String> = Vec::new();
    for (at, domain) in wished.into_iter().enumerate() {
        let domain = domain.trim().trim_start_matches('@').to_lowercase();
        let fits = format!("a@{domain}").parse::<Email>().is_ok() && domain.contains('.');
        if !fits {
            return Err(Problem::field(format!("domains[{at}]"), "is no domain (acme.example)"));
        }
        if !all.contains(&domain) {
            all.push(domain);
        }
    }
    if all.len() > MOST_DOMAINS {
        return Err(Problem::field("domains", format!("may be {MOST_DOMAINS} at most")));
    }
    Ok(all)
}

pub(crate) fn minutes(wished: u32) -> Result<i32, Problem> {
    match i32::try_from(wished) {
        Ok(minutes) if (5..=10_080).contains(&minutes) => Ok(minutes),
        _ => Err(Problem::field("session_minutes", "must be between 5 and 10080 (a week)")),
    }
}

/// Who lets everybody in whom a provider knows lets in whoever has an account there: anybody at all,
/// with some of them.
pub(crate) fn newcomers(creates: bool, domains: &[String]) -> Result<(), Problem> {
    if creates && domains.is_empty() {
        let rule =
            "must name whose addresses may be new here, where people get accounts by logging in";
        return Err(Problem::field("domains", rule));
    }
    Ok(())
}

fn plain(field: &str, text: &str) -> Result<(), Problem> {
    let fits = !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
    if fits && text.trim() == text {
        return Ok(());
    }
    Err(Problem::field(field, "must have 1 to 500 characters, none of them around it a space"))
}
