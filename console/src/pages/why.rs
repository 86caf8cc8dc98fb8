//! Why somebody may do something at a place, or may not, and who can: asked of the rules that
//! decide, now or at a moment that is past.

use chrono::{DateTime, Utc};
use ralex_api::access::{
    Able, Binding, ExplainQuestion, ExplainReason, Explanation, RoleName, WhoCanQuestion,
};
use ralex_kernel::{BudgetId, SecretId};
use yew::prelude::*;

use super::add_person::places;
use super::as_of::AsOf;
use crate::api;
use crate::components::{
    Banner, Column, Dialog, More, SelectField, Table, Tone, When, show, show_with,
};
use crate::hooks::{Pages, keep, use_load, use_pages};
use crate::session::use_org;

const COLUMNS: [Column; 3] =
    [Column::text("Name"), Column::text("Kind").wide(), Column::text("By")];
const KEY_COLUMNS: [Column; 4] =
    [Column::text("Name"), Column::text("Kind").wide(), Column::text("Can"), Column::text("By")];

#[derive(Properties, PartialEq)]
pub struct Props {
    /// Whose right it is, as in `user:<id>`; everybody's when absent.
    #[prop_or_default]
    pub subject: Option<AttrValue>,
    /// Another number asks again.
    #[prop_or_default]
    pub round: u32,
    /// The moment that is asked about; asked for here where nobody is named.
    #[prop_or_default]
    pub at: Option<DateTime<Utc>>,
}

/// The question, and its answer as soon as either half of it changes.
#[component]
pub fn Why(props: &Props) -> Html {
    let org = use_org();
    let permission = use_state(|| "llm.invoke".to_owned());
    let place = use_state(|| "org".to_owned());
    let moment = use_state(|| None::<DateTime<Utc>>);
    let (load, again) = use_load(org.slug(), |org| async move {
        let known = api::identity::permissions(&org).await?.items;
        Ok((known, places(&org).await?))
    });
    show(&load, &again, |found| {
        let (known, places) = &**found;
        let names = known.iter().map(|one| (one.name.clone().into(), one.name.clone().into()));
        let chosen = known.iter().find(|one| one.name == *permission);
        let hint = chosen.map_or_else(String::new, |one| one.description.clone());
        let (asked, at) = ((*permission).clone(), (*place).clone());
        html! {
            <>
                // A question is not what a form around it would lose.
                <div class="pair" oninput={|event: InputEvent| event.stop_propagation()}>
                    <SelectField label="Permission" options={names.collect::<Vec<_>>()} value={asked.clone()} onchange={keep(&permission)} {hint} />
                    <SelectField label="At" options={places.clone()} value={at.clone()} onchange={keep(&place)} />
                </div>
                if let Some(subject) = props.subject.clone() {
                    <Explained {subject} permission={asked} {at} round={props.round} moment={props.at} />
                } else {
                    <div oninput={|event: InputEvent| event.stop_propagation()}><AsOf onchange={keep(&moment)} /></div>
                    <AllWhoCan asked={Of::Right(asked, at, *moment)} />
                }
            </>
        }
    })
}

/// What all are asked about.
#[derive(Clone, PartialEq)]
enum Of {
    Right(String, String, Option<DateTime<Utc>>),
    Budget(BudgetId),
    Key(SecretId),
}

impl Of {
    fn question(&self, cursor: Option<String>) -> WhoCanQuestion {
        let (permission, scope, at) = match self {
            Self::Right(permission, scope, at) => {
                (Some(permission.clone()), Some(scope.clone()), *at)
            }
            Self::Budget(_) | Self::Key(_) => (None, None, None),
        };
        let budget = if let Self::Budget(budget) = self { Some(*budget) } else { None };
        let key = if let Self::Key(key) = self { Some(*key) } else { None };
        WhoCanQuestion { permission, scope, budget, key, at, cursor, limit: None }
    }
}

#[derive(Properties, PartialEq)]
pub struct SpendersProps {
    pub budget: BudgetId,
    pub onclose: Callback<()>,
}

/// Whose calls a budget pays.
#[component]
pub fn Spenders(props: &SpendersProps) -> Html {
    let asked = Of::Budget(props.budget);
    html! {
        <Dialog title="Who can spend it?" onclose={props.onclose.clone()}>
            <p class="prose">{ "Everybody whose calls it pays. Call rules and a token\u{2019}s own list of models may leave less." }</p>
            <AllWhoCan {asked} />
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
pub struct KeyUsersProps {
    pub secret: SecretId,
    pub onclose: Callback<()>,
}

/// Who uses a key, replaces it and destroys it.
#[component]
pub fn KeyUsers(props: &KeyUsersProps) -> Html {
    let asked = Of::Key(props.secret);
    html! {
        <Dialog title="Who can use it?" onclose={props.onclose.clone()}>
            <p class="prose">{ "In calls, while its provider is on and where it was when the key was stored; and who can replace or destroy it. Nobody sees it." }</p>
            <AllWhoCan {asked} />
        </Dialog>
    }
}

#[derive(Clone, Properties, PartialEq)]
struct ExplainedProps {
    subject: AttrValue,
    permission: String,
    at: String,
    round: u32,
    moment: Option<DateTime<Utc>>,
}

#[component]
fn Explained(props: &ExplainedProps) -> Html {
    let org = use_org();
    let (load, again) = use_load((org.slug(), props.clone()), |(org, asked)| {
        let ExplainedProps { subject, permission, at, moment, .. } = asked;
        let subject = subject.to_string();
        let asked = ExplainQuestion { subject, permission, scope: Some(at), at: moment };
        api::identity::explain(&org, &asked)
    });
    show_with(&load, &again, Html::default(), |told| {
        let end = told.binding.as_ref().and_then(|binding| binding.expires_at);
        let roles: Vec<&str> = told.roles.iter().map(RoleName::as_str).collect();
        html! {
            <Banner tone={if told.allowed { Tone::Good } else { Tone::Warn }}>
                <p><strong>{ if told.allowed { "Yes. " } else { "No. " } }</strong>{ reason(told) }</p>
                if let Some(at) = told.at { <p class="faint">{ "As it was " }<When {at} /></p> }
                if let Some(end) = end { <p class="faint">{ "It ends " }<When at={end} /></p> }
                if told.reason == ExplainReason::NotHeld {
                    <p class="faint">{ format!("Roles that give it: {}.", roles.join(", ")) }</p>
                }
            </Banner>
        }
    })
}

fn reason(told: &Explanation) -> String {
    let binding = || told.binding.as_ref().map_or_else(String::new, |one| held(one, &told.subject));
    match told.reason {
        ExplainReason::Role => format!("It is given by {}.", binding()),
        ExplainReason::Home => "Programs hold this at their home by themselves.".to_owned(),
        ExplainReason::Denied => {
            format!("It is taken away by {}, and a denial beats every role.", binding())
        }
        ExplainReason::BreakGlass => {
            "It is given by the break-glass access, which is open.".to_owned()
        }
        ExplainReason::NotHeld => "Nothing that is held gives it there.".to_owned(),
        ExplainReason::Disabled => "The account is disabled.".to_owned(),
        ExplainReason::Suspended => "Suspended in this organisation.".to_owned(),
    }
}

fn held(binding: &Binding, by: &str) -> String {
    let place = match binding.scope.as_str() {
        "org" => "in the whole organisation".to_owned(),
        place => format!("at {place}"),
    };
    let through = if binding.subject == by {
        String::new()
    } else {
        format!(", through {}", binding.subject)
    };
    format!("the role {} {place}{through}", binding.role)
}

#[derive(Properties, PartialEq)]
struct AllProps {
    asked: Of,
}

#[component]
fn AllWhoCan(props: &AllProps) -> Html {
    let org = use_org();
    let wants = (org.slug(), props.asked.clone());
    let list = use_pages(wants, |(org, asked), cursor| {
        api::identity::who_can(&org, &asked.question(cursor))
    });
    let of_key = matches!(props.asked, Of::Key(_));
    show(&list.state, &list.again, |pages| all(pages, of_key, &list.more))
}

fn all(pages: &Pages<Able>, of_key: bool, more: &Callback<()>) -> Html {
    if pages.items.is_empty() {
        return html! { <p class="faint">{ "Nobody can." }</p> };
    }
    html! {
        <>
            <Table caption="Who can" columns={if of_key { KEY_COLUMNS.to_vec() } else { COLUMNS.to_vec() }}>
                { for pages.items.iter().map(|able| row(able, of_key)) }
            </Table>
            <More shown={pages.items.len()} noun="holder" more={pages.next.is_some()} fetching={pages.fetching} problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

/// What somebody may of a key.
fn of_a_key(able: &Able) -> String {
    let words = [("llm.invoke", "use"), ("secret.rotate", "replace"), ("secret.delete", "destroy")];
    let held = |name: &str| able.permissions.iter().any(|permission| permission == name);
    let words: Vec<&str> =
        words.iter().filter(|(name, _)| held(name)).map(|(_, word)| *word).collect();
    words.join(", ")
}

fn row(able: &Able, of_key: bool) -> Html {
    let kind = match able.subject.split(':').next() {
        Some("user") => "Person",
        Some("service_account") => "Service account",
        Some(_) | None => "Token of a team",
    };
    html! {
        <tr key={able.subject.clone()}>
            <td class="strong">{ able.subject_name.clone() }</td>
            <td class="wide">{ kind }</td>
            if of_key { <td>{ of_a_key(able) }</td> }
            <td>{ able.role.as_ref().map_or_else(|| "Its home".to_owned(), ToString::to_string) }</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    fn told(reason: &str, subject: &str, scope: &str) -> String {
        let binding = json!({
            "id": "01890a5d-ac96-774b-bcce-b302099a8057", "subject": subject, "subject_name": "Night shift",
            "role": "developer", "scope": scope, "effect": "allow", "created_by": "ann@example.com",
            "created_at": "2026-01-01T00:00:00Z",
        });
        let told = json!({
            "subject": "user:kim", "subject_name": "Kim", "permission": "llm.invoke", "scope": "org",
            "allowed": reason == "role", "reason": reason, "binding": binding, "roles": [],
        });
        super::reason(&serde_json::from_value(told).unwrap())
    }

    #[test]
    fn a_reason_names_the_role_where_it_holds_and_through_whom() {
        assert_eq!(
            told("role", "group:night", "team:blue"),
            "It is given by the role developer at team:blue, through group:night."
        );
        assert_eq!(
            told("denied", "user:kim", "org"),
            "It is taken away by the role developer in the whole organisation, and a denial beats every role."
        );
    }
}
