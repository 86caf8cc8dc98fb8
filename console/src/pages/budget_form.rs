//! The form of a budget: for whom, how often, how much.

use ralex_api::Problem;
use ralex_api::budgets::{Budget, NewBudget};
use ralex_kernel::{Money, Period, YearStart};
use yew::prelude::*;

use super::budgets::each;
use crate::api;
use crate::components::{Check, Form, SelectField, TextField};
use crate::hooks::input::{anything, positive_money};
use crate::hooks::{keep, use_input, use_load};
use crate::session::use_org;

/// What the form holds when it is good.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    pub scope: String,
    /// `model:<name>`, `provider:<slug>`, or nothing.
    pub only: String,
    pub period: Period,
    pub limit: Money,
    pub hard: bool,
    pub time_zone: Option<String>,
    pub year_start: Option<YearStart>,
    pub degrade_at: Option<u8>,
    pub days: Option<u16>,
    pub carry_over: bool,
    pub carry_over_at_most: Option<Money>,
}

impl From<Written> for NewBudget {
    fn from(written: Written) -> Self {
        Self {
            model: written.only.strip_prefix("model:").map(Into::into),
            provider: written.only.strip_prefix("provider:").map(Into::into),
            scope: written.scope,
            period: written.period,
            limit: written.limit,
            hard: written.hard,
            time_zone: written.time_zone,
            year_start: written.year_start,
            degrade_at: written.degrade_at,
            days: written.days,
            carry_over: written.carry_over,
            carry_over_at_most: written.carry_over_at_most,
        }
    }
}

#[derive(Properties, PartialEq)]
pub struct Props {
    /// The budget to change; its scope and period stay.
    pub budget: Option<Budget>,
    pub verb: AttrValue,
    pub running: bool,
    pub problem: Option<Problem>,
    pub onsubmit: Callback<Written>,
    #[prop_or_default]
    pub oncancel: Option<Callback<()>>,
}

#[component]
pub fn BudgetForm(props: &Props) -> Html {
    let budget = props.budget.as_ref();
    let scope = use_state(|| "org".to_owned());
    let only = use_state(String::new);
    let period = use_state(|| Period::Month);
    let hard = use_state(|| budget.is_none_or(|budget| budget.hard));
    let limit = use_input(
        &budget.map(|budget| budget.limit.to_string()).unwrap_or_default(),
        positive_money,
    );
    let (carries, most) = (use_state(|| false), use_input("", no_or_positive));
    let days = use_input("30", |text| {
        let wrong = number_of_days(text).is_none();
        wrong.then(|| "Enter a number of days from 1 to 366.".to_owned())
    });
    let zone = use_input("", anything);
    let year = use_input("", |text| {
        let wrong = !text.trim().is_empty() && year_start(text).is_none();
        wrong.then(|| "Enter a month and a day from 1 to 28, such as 04-06.".to_owned())
    });
    let degrade = budget.and_then(|budget| budget.degrade_at).map(|percent| percent.to_string());
    let degrade = use_input(&degrade.unwrap_or_default(), |text| {
        let wrong = !text.trim().is_empty() && percent(text).is_none();
        wrong.then(|| "Enter 1 to 99 percent, or nothing.".to_owned())
    });
    let onsubmit = {
        let (scope, period, hard, limit, zone) =
            (scope.clone(), period.clone(), hard.clone(), limit.clone(), zone.clone());
        let (year, degrade, only) = (year.clone(), degrade.clone(), only.clone());
        let (days, carries, most) = (days.clone(), carries.clone(), most.clone());
        let tell = props.onsubmit.clone();
        Callback::from(move |()| {
            if let Some(limit) = limit.parsed() {
                tell.emit(Written {
                    scope: (*scope).clone(),
                    only: (*only).clone(),
                    period: *period,
                    limit,
                    hard: *hard,
                    time_zone: zone.filled(),
                    year_start: year_start(&year.text()).filter(|_| period.follows_year()),
                    degrade_at: percent(&degrade.text()).filter(|_| only.is_empty()),
                    days: number_of_days(&days.text()).filter(|_| *period == Period::Rolling),
                    carry_over: *carries && period.carries(),
                    carry_over_at_most: most.parsed().filter(|_| *carries && period.carries()),
                });
            }
        })
    };
    let mut inputs = vec![year.clone(), limit.clone(), degrade.clone()];
    if budget.is_none() && *period == Period::Rolling {
        inputs.push(days.clone());
    }
    if budget.is_none() && *carries && period.carries() {
        inputs.push(most.clone());
    }
    // One model has no cheaper one to turn to.
    let of_all = budget.map_or(only.is_empty(), |it| it.model.is_none() && it.provider.is_none());
    let onperiod = keep(&period).reform(|name: String| named(&name));
    let periods = Period::ALL.map(|period| (period.as_str().into(), each(period).into())).to_vec();
    let hint = budget.map(|budget| {
        format!(
            "{} is spent or held in this period; a limit cannot be less.",
            crate::text::money::short(budget.spent + budget.held)
        )
    });
    html! {
        <Form inputs={inputs} verb={props.verb.clone()} running={props.running}
            problem={props.problem.clone()} {onsubmit} oncancel={props.oncancel.clone()}>
            if budget.is_none() {
                <ScopeField value={(*scope).clone()} onchange={keep(&scope)} />
                <OnlyField value={(*only).clone()} onchange={keep(&only)} />
                <div class="pair">
                    <SelectField label="Period" path="period" options={periods} value={period.as_str()} onchange={onperiod} />
                    <TextField label="Time zone" path="time_zone" input={zone} placeholder="UTC" hint="Whose midnights bound it, such as Europe/Berlin." />
                </div>
                if *period == Period::Rolling {
                    <TextField label="Days" path="days" input={days.clone()} hint="How far it looks back, today included. A day leaves at each midnight." />
                }
                if period.carries() {
                    <Check label="Carry over" on={*carries} onchange={keep(&carries)} hint="What is left of a period goes on to the next." />
                    if *carries {
                        <TextField label="Carry over at most" path="carry_over_at_most" input={most.clone()} before="$" placeholder="everything" />
                    }
                }
                if period.follows_year() {
                    <TextField label="Year starts on" path="year_start" input={year} placeholder="01-01" hint="Month and day. Months and quarters begin by it too." />
                }
            }
            <TextField label="Limit" path="limit" input={limit} before="$" placeholder="100.00" autofocus=true hint={hint.unwrap_or_else(|| "US dollars in each period.".to_owned())} />
            <Check label="Hard" on={*hard} onchange={keep(&hard)} hint="Refuse a call whose worst case does not fit. A soft budget only tells." />
            if of_all {
                <TextField label="Cheaper models below" path="degrade_at" input={degrade} placeholder="never" hint="Percent left, below which routes leave dear models out." />
            }
        </Form>
    }
}

/// `MM-DD`.
fn year_start(text: &str) -> Option<YearStart> {
    let (month, day) = text.trim().split_once('-')?;
    YearStart::new(month.parse().ok()?, day.parse().ok()?)
}

/// Nothing, or an amount that is more than that.
fn no_or_positive(text: &str) -> Option<String> {
    if text.trim().is_empty() { None } else { positive_money(text) }
}

fn number_of_days(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|days| (1..=366).contains(days))
}

fn percent(text: &str) -> Option<u8> {
    text.trim().parse().ok().filter(|percent| (1..=99).contains(percent))
}

fn named(period: &str) -> Period {
    let found = Period::ALL.into_iter().find(|known| known.as_str() == period);
    found.unwrap_or(Period::Month)
}

#[derive(Properties, PartialEq)]
pub struct ScopeProps {
    pub value: AttrValue,
    pub onchange: Callback<String>,
}

/// The organisation, its teams, its projects, its people, its service accounts and its tokens.
#[component]
pub fn ScopeField(props: &ScopeProps) -> Html {
    let org = use_org();
    let (load, _) = use_load(org.slug(), |org| async move {
        let teams = api::identity::teams(&org, None).await?.items;
        let projects = api::identity::projects(&org, None).await?.items;
        // A picker of tokens is a help; a reader without the right to list them picks above.
        let tokens =
            api::identity::tokens(&org, None).await.map(|page| page.items).unwrap_or_default();
        let people =
            api::identity::members(&org, None).await.map(|page| page.items).unwrap_or_default();
        let accounts = api::identity::service_accounts(&org, None).await;
        let accounts = accounts.map(|page| page.items).unwrap_or_default();
        Ok((teams, projects, tokens, people, accounts))
    });
    let mut options: Vec<(AttrValue, AttrValue)> =
        vec![("org".into(), format!("Organisation {}", org.name()).into())];
    if let Some(found) = load.ready() {
        let (teams, projects, tokens, people, accounts) = &**found;
        options.extend(teams.iter().map(|team| {
            (format!("team:{}", team.slug).into(), format!("Team {}", team.name).into())
        }));
        options.extend(projects.iter().map(|project| {
            (
                format!("project:{}", project.slug).into(),
                format!("Project {} of {}", project.name, project.team_slug).into(),
            )
        }));
        options.extend(people.iter().map(|member| {
            let user = &member.user;
            (format!("user:{}", user.id).into(), format!("Person {}", user.name).into())
        }));
        options.extend(accounts.iter().map(|account| {
            let scope = format!("service_account:{}", account.slug);
            (scope.into(), format!("Service account {}", account.name).into())
        }));
        options.extend(tokens.iter().filter(|token| token.revoked_at.is_none()).map(|token| {
            (
                format!("token:{}", token.id).into(),
                format!("Token {} (…{})", token.name, token.last_four).into(),
            )
        }));
    }
    html! { <SelectField label="For" path="scope" {options} value={props.value.clone()} onchange={props.onchange.clone()} /> }
}

/// All models, one of them, or all of one provider.
#[component]
pub fn OnlyField(props: &ScopeProps) -> Html {
    let org = use_org();
    let (load, _) = use_load(org.slug(), |org| async move {
        let providers = api::catalog::providers(&org).await?.items;
        Ok((providers, api::catalog::models(&org).await?.items))
    });
    let mut options: Vec<(AttrValue, AttrValue)> = vec![("".into(), "All models".into())];
    if let Some(found) = load.ready() {
        let (providers, models) = &**found;
        options.extend(providers.iter().map(|provider| {
            let slug = &provider.slug;
            (format!("provider:{slug}").into(), format!("Provider {slug}").into())
        }));
        options.extend(models.iter().map(|model| {
            let name = &model.name;
            (format!("model:{name}").into(), format!("Model {name}").into())
        }));
    }
    html! { <SelectField label="Counts" path="model" {options} value={props.value.clone()} onchange={props.onchange.clone()} /> }
}
