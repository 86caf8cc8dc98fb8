//! Reviews of who holds what: those that there are, and setting up another one.

use ralex_api::access::RoleName;
use ralex_api::access_reviews::{
    AccessReview, AccessReviewState, NewAccessReview, ReviewDecision, ReviewRepeats, ReviewedKind,
};
use ralex_kernel::Name;
use yew::prelude::*;

use super::access_review::OneReview;
use super::add_person::places;
use super::call_rule_subjects::{Found, Named, Several, use_bearers};
use crate::api;
use crate::components::meter::share_meter;
use crate::components::{
    Badge, Button, Check, Column, Dialog, Empty, Form, Icon, Kind, More, SelectField, Table,
    TextField, Tone, When, failed, show, use_toast,
};
use crate::hooks::input::{anything, count, parses};
use crate::hooks::{Pages, keep, use_action, use_input, use_load, use_pages, use_query};
use crate::session::use_org;

const COLUMNS: [Column; 5] = [
    Column::text("Review"),
    Column::text("Where").wide(),
    Column::text("Opens").wide(),
    Column::text("Decided"),
    Column::text("State"),
];

/// The part of the people's page that is about them: one, where the address names it, or all.
#[component]
pub fn AccessReviews() -> Html {
    let (query, go) = use_query();
    let read = query.find("review").unwrap_or_default().to_owned();
    let open =
        Callback::from(move |id: String| go.emit(query.with("review", &id).with("which", "")));
    if read.is_empty() {
        html! { <All {open} /> }
    } else {
        html! { <OneReview id={read} onback={open.reform(|()| String::new())} /> }
    }
}

#[derive(Properties, PartialEq)]
struct AllProps {
    open: Callback<String>,
}

#[component]
fn All(props: &AllProps) -> Html {
    let org = use_org();
    let adds = use_state(|| false);
    let toast = use_toast();
    let list = use_pages(org.slug(), |org, cursor| api::access_reviews::list(&org, cursor));
    let set = keep(&adds);
    let ondone = {
        let (set, again) = (set.clone(), list.again.clone());
        Callback::from(move |made: AccessReview| {
            set.emit(false);
            again.emit(());
            let how =
                if made.state == AccessReviewState::Open { "is open" } else { "is scheduled" };
            toast.emit(format!("{} {how}.", made.name).into());
        })
    };
    html! {
        <>
            <div class="list-head">
                <p class="faint">{ "Who keeps which role: decided again, with evidence." }</p>
                if org.can_everywhere("review.manage") { <Button kind={Kind::Primary} icon={Icon::Plus} onclick={set.reform(|()| true)}>{ "New review" }</Button> }
            </div>
            { show(&list.state, &list.again, |pages| table(pages, &list.more, &props.open)) }
            if *adds { <New {ondone} onclose={set.reform(|()| false)} /> }
        </>
    }
}

fn table(pages: &Pages<AccessReview>, more: &Callback<()>, open: &Callback<String>) -> Html {
    if pages.items.is_empty() {
        return html! { <Empty icon={Icon::Check} title="No reviews yet"><p>{ "In a review, people decide for everything that is held whether it is kept." }</p></Empty> };
    }
    let row = |review: &AccessReview| {
        let id = review.id.to_string();
        let onclick = open.reform(move |_: MouseEvent| id.clone());
        html! {
            <tr key={review.id.to_string()} class="clickable" {onclick}>
                <td class="strong"><button type="button" class="row-open">{ review.name.to_string() }</button></td>
                <td class="wide" title={review.scope.clone()}>{ review.scope_name.clone() }</td>
                <td class="wide"><When at={review.opens_at} /></td>
                <td>{ progress(review) }</td>
                <td>{ badge(review) }</td>
            </tr>
        }
    };
    html! {
        <>
            <Table caption="Access reviews" columns={COLUMNS.to_vec()}>{ for pages.items.iter().map(row) }</Table>
            <More shown={pages.items.len()} noun="review" more={pages.next.is_some()} fetching={pages.fetching}
                problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

/// How much of it is decided.
pub fn progress(review: &AccessReview) -> Html {
    let counts = &review.counts;
    if counts.items == 0 {
        return html! { <span class="faint">{ "–" }</span> };
    }
    let done = counts.items.saturating_sub(counts.undecided);
    let share = f64::from(done) / f64::from(counts.items);
    let said = format!("{done} of {}", counts.items);
    html! { <span class="share">{ share_meter(share, said.clone()) }<span>{ said }</span></span> }
}

pub fn badge(review: &AccessReview) -> Html {
    let (tone, word) = match review.state {
        AccessReviewState::Scheduled => (Tone::Plain, "Scheduled"),
        AccessReviewState::Open => (Tone::Warn, "Open"),
        AccessReviewState::Closing => (Tone::Warn, "Closing"),
        AccessReviewState::Closed if review.signed_at.is_some() => (Tone::Good, "Signed"),
        AccessReviewState::Closed => (Tone::Good, "Closed"),
        AccessReviewState::Cancelled => (Tone::Plain, "Cancelled"),
    };
    html! { <Badge {tone}>{ word }</Badge> }
}

#[derive(Properties, PartialEq)]
struct NewProps {
    ondone: Callback<AccessReview>,
    onclose: Callback<()>,
}

#[component]
fn New(props: &NewProps) -> Html {
    let slug = use_org().slug();
    let (load, again) = use_load(slug.clone(), |org| async move { places(&org).await });
    let (name, days) = (use_input("", parses::<Name>), use_input("14", count));
    let roles = use_input("", anything);
    let reviewers = use_state(Vec::<Named>::new);
    let Found { all: bearers, note } = use_bearers();
    // A program decides nothing.
    let decides = |id: &str| id.starts_with("user:") || id.starts_with("group:");
    let all: Vec<Named> = bearers.into_iter().filter(|(id, _)| decides(id)).collect();
    let (scope, removes) = (use_state(|| "org".to_owned()), use_state(|| false));
    let (repeats, whose) = (use_state(|| "never".to_owned()), use_state(String::new));
    let create = use_action(props.ondone.clone());
    let inputs = vec![name.clone(), days.clone(), roles.clone()];
    let onsubmit = {
        let (create, [name, days, roles]) =
            (create.clone(), [&name, &days, &roles].map(Clone::clone));
        let reviewers = reviewers.clone();
        let (scope, removes) = (scope.clone(), removes.clone());
        let (repeats, whose) = (repeats.clone(), whose.clone());
        Callback::from(move |()| {
            let (Some(name), Some(due_days)) = (name.parsed(), days.parsed()) else { return };
            let removes = *removes;
            let new = NewAccessReview {
                name,
                scope: Some((*scope).clone()),
                roles: words(&roles.text()).map(RoleName).collect(),
                subjects: ReviewedKind::named(&whose).into_iter().collect(),
                reviewers: reviewers.iter().map(|(id, _)| id.clone()).collect(),
                opens_at: None,
                due_days,
                undecided: if removes { ReviewDecision::Remove } else { ReviewDecision::Keep },
                repeats: ReviewRepeats::named(&repeats).unwrap_or(ReviewRepeats::Never),
            };
            create.run(api::access_reviews::create(&slug, &new));
        })
    };
    let mut where_to: Vec<(AttrValue, AttrValue)> =
        vec![("org".into(), "The whole organisation".into())];
    if let Some(found) = load.ready() {
        where_to.clone_from(&**found);
    }
    html! {
        <Dialog title="New review" onclose={props.onclose.clone()}>
            <Form {inputs} verb="Open it" running={create.running()} problem={create.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                { failed(&load, &again) }
                <TextField label="Name" path="name" input={name} />
                <div class="pair">
                    <SelectField label="Where" path="scope" options={where_to} value={(*scope).clone()} onchange={keep(&scope)} />
                    <SelectField label="Whose roles" path="subjects" options={kinds()} value={(*whose).clone()} onchange={keep(&whose)} />
                </div>
                <TextField label="Only these roles" path="roles" input={roles} hint="Names with spaces between them, such as owner admin; all when empty." />
                { note }
                <Several label="Who decides" path="reviewers" first="Whoever could take such a role away" {all} chosen={(*reviewers).clone()} onchange={keep(&reviewers)} />
                <div class="pair">
                    <TextField label="Open for days" path="due_days" input={days} hint="1 to 90." />
                    <SelectField label="Again" path="repeats" options={rhythms()} value={(*repeats).clone()} onchange={keep(&repeats)} />
                </div>
                <Check label="Take away what nobody decides" on={*removes} onchange={keep(&removes)} hint="As far as you could take it away yourself. It is kept otherwise." />
            </Form>
        </Dialog>
    }
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned)
}

fn kinds() -> Vec<(AttrValue, AttrValue)> {
    vec![
        ("".into(), "Everybody's".into()),
        ("user".into(), "People's".into()),
        ("service_account".into(), "Programs'".into()),
        ("group".into(), "Groups'".into()),
    ]
}

fn rhythms() -> Vec<(AttrValue, AttrValue)> {
    vec![
        ("never".into(), "Once".into()),
        ("monthly".into(), "Every month".into()),
        ("quarterly".into(), "Every three months".into()),
        ("yearly".into(), "Every year".into()),
    ]
}
