//! One review: what is decided and what is not, decisions about many at once, and its end.

use std::collections::BTreeSet;

use ralex_api::access_reviews::{
    AccessReview, AccessReviewItem, AccessReviewState, DecideReview, ReviewAdvice, ReviewDecision,
    ReviewOutcome,
};
use ralex_kernel::BindingId;
use yew::prelude::*;

use super::access_reviews::{badge, progress};
use crate::api;
use crate::components::segments::Segments;
use crate::components::{
    Badge, Button, Column, Confirm, Dialog, Empty, Form, Icon, Kind, More, Stat, Table, TextArea,
    Tone, When, show, use_toast,
};
use crate::hooks::input::{anything, needed};
use crate::hooks::{Pages, keep, use_action, use_input, use_load, use_pages, use_query};
use crate::session::use_org;
use crate::text::number::counted;
use crate::text::time::exact;

const COLUMNS: [Column; 7] = [
    Column::text(""),
    Column::text("Who"),
    Column::text("Role"),
    Column::text("Where").wide(),
    Column::text("Last use").wide(),
    Column::text("Recommended"),
    Column::text("Decision"),
];

/// What is open over the review.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Decide(ReviewDecision),
    Close,
    Cancel,
    Sign,
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub id: AttrValue,
    pub onback: Callback<()>,
}

#[component]
pub fn OneReview(props: &Props) -> Html {
    let slug = use_org().slug();
    let over = use_state(|| Over::Nothing);
    let (query, go) = use_query();
    let only = query.find("which").unwrap_or_default().to_owned();
    let ononly = Callback::from(move |which: String| go.emit(query.with("which", &which)));
    let chosen = use_state(BTreeSet::<BindingId>::new);
    let toast = use_toast();
    let id = props.id.clone();
    let (load, again) = use_load((slug.clone(), id.clone()), |(org, id)| async move {
        api::access_reviews::find(&org, &id).await
    });
    let list = use_pages((slug.clone(), id, only.clone()), |(org, id, only), cursor| {
        let only = Some(only.as_str()).filter(|only| !only.is_empty());
        api::access_reviews::items(&org, &id, only, cursor)
    });
    let set = keep(&over);
    let onclose = set.reform(|()| Over::Nothing);
    let ondone = {
        let (set, again, items) = (set.clone(), again.clone(), list.again.clone());
        let chosen = keep(&chosen);
        Callback::from(move |said: AttrValue| {
            set.emit(Over::Nothing);
            chosen.emit(BTreeSet::new());
            again.emit(());
            items.emit(());
            toast.emit(said);
        })
    };
    let picked: Vec<AccessReviewItem> = list.state.ready().map_or_else(Vec::new, |pages| {
        pages.items.iter().filter(|item| chosen.contains(&item.binding)).cloned().collect()
    });
    html! {
        <>
            <div><Button icon={Icon::List} onclick={props.onback.clone()}>{ "All reviews" }</Button></div>
            { show(&load, &again, |review| html! {
                <>
                    { head(review, &slug, &set) }
                    { figures(review) }
                    { dialogs(review, &over, &picked, (&ondone, &onclose)) }
                </>
            }) }
            <div class="list-head">
                <Segments label="Which" options={filters()} value={only} onchange={ononly} />
                <div class="panel-actions">{ bulk(list.state.ready().map(|pages| &**pages), &chosen, &set) }</div>
            </div>
            { show(&list.state, &list.again, |pages| table(pages, &list.more, &chosen)) }
        </>
    }
}

fn head(review: &AccessReview, slug: &str, set: &Callback<Over>) -> Html {
    let press = |over: Over| set.reform(move |()| over.clone());
    let href = api::access_reviews::evidence_url(slug, &review.id.to_string());
    html! {
        <div class="list-head">
            <h2>{ review.name.to_string() }{ " " }{ badge(review) }</h2>
            <div class="panel-actions">
                if review.may_export { <a class="button" {href} download="">{ Icon::Download.show() }<span>{ "Evidence" }</span></a> }
                if review.may_cancel { <Button icon={Icon::Stop} onclick={press(Over::Cancel)}>{ "Cancel review" }</Button> }
                if review.may_close { <Button kind={Kind::Primary} icon={Icon::Check} onclick={press(Over::Close)}>{ "Close review" }</Button> }
                if review.may_sign { <Button kind={Kind::Primary} icon={Icon::Edit} onclick={press(Over::Sign)}>{ "Sign" }</Button> }
            </div>
        </div>
    }
}

fn figures(review: &AccessReview) -> Html {
    let counts = &review.counts;
    let until = review.due_at.unwrap_or(review.opens_at);
    let ended = matches!(review.state, AccessReviewState::Closing | AccessReviewState::Closed);
    html! {
        <>
            <div class="tiles">
                <Stat label="Undecided" value={counts.undecided.to_string()}>{ progress(review) }</Stat>
                if ended {
                    <Stat label="Kept" value={counts.kept.to_string()} />
                    <Stat label="Removed" value={counts.removed.to_string()}>{ left(review) }</Stat>
                } else {
                    <Stat label="To keep" value={counts.keep.to_string()} />
                    <Stat label="To remove" value={counts.remove.to_string()}>{ "Taken away when it closes." }</Stat>
                }
                <Stat label={if review.due_at.is_some() { "Closes" } else { "Opens" }} value={until.format("%Y-%m-%d").to_string()} title={Some(AttrValue::from(exact(until)))}>
                    { match review.undecided {
                        ReviewDecision::Keep => "What nobody decides is kept.",
                        ReviewDecision::Remove => "What nobody decides is taken away.",
                    } }
                </Stat>
            </div>
            if let (Some(by), Some(note)) = (&review.signed_by, &review.signed_note) {
                <p class="note">{ format!("Signed by {by}: {note}") }</p>
            }
        </>
    }
}

/// What was not done as it was decided.
fn left(review: &AccessReview) -> String {
    let counts = &review.counts;
    let stays = counts.refused + counts.changed;
    if stays == 0 { String::new() } else { format!("{stays} could not be; see why below.") }
}

fn filters() -> Vec<(AttrValue, AttrValue)> {
    vec![
        ("".into(), "All".into()),
        ("undecided".into(), "Undecided".into()),
        ("advised".into(), "Recommended to go".into()),
        ("remove".into(), "To remove".into()),
        ("refused".into(), "Refused".into()),
    ]
}

fn bulk(
    pages: Option<&Pages<AccessReviewItem>>,
    chosen: &UseStateHandle<BTreeSet<BindingId>>,
    set: &Callback<Over>,
) -> Html {
    let items = pages.into_iter().flat_map(|pages| pages.items.iter());
    let open: BTreeSet<BindingId> =
        items.filter(|item| item.may_decide).map(|item| item.binding).collect();
    if open.is_empty() {
        return Html::default();
    }
    let all = open.iter().all(|binding| chosen.contains(binding));
    let next = if all { BTreeSet::new() } else { open };
    let pick = {
        let chosen = chosen.clone();
        Callback::from(move |()| chosen.set(next.clone()))
    };
    let verdict = |decision: ReviewDecision| set.reform(move |()| Over::Decide(decision));
    let none = chosen.is_empty().then(|| AttrValue::from("Choose something first."));
    html! {
        <>
            <span class="faint">{ format!("{} chosen", chosen.len()) }</span>
            <Button onclick={pick}>{ if all { "Choose none" } else { "Choose all shown" } }</Button>
            <Button icon={Icon::Check} blocked={none.clone()} onclick={verdict(ReviewDecision::Keep)}>{ "Keep" }</Button>
            <Button icon={Icon::Trash} kind={Kind::Danger} blocked={none} onclick={verdict(ReviewDecision::Remove)}>{ "Remove" }</Button>
        </>
    }
}

fn table(
    pages: &Pages<AccessReviewItem>,
    more: &Callback<()>,
    chosen: &UseStateHandle<BTreeSet<BindingId>>,
) -> Html {
    if pages.items.is_empty() {
        return html! { <Empty icon={Icon::Check} title="Nothing here"><p>{ "There is nothing of this kind in the review." }</p></Empty> };
    }
    html! {
        <>
            <Table caption="What is reviewed" columns={COLUMNS.to_vec()}>{ for pages.items.iter().map(|item| row(item, chosen)) }</Table>
            <More shown={pages.items.len()} noun="role" more={pages.next.is_some()} fetching={pages.fetching}
                problem={pages.problem.clone()} onmore={more.clone()} />
        </>
    }
}

fn row(item: &AccessReviewItem, chosen: &UseStateHandle<BTreeSet<BindingId>>) -> Html {
    let (binding, is_in) = (item.binding, chosen.contains(&item.binding));
    let onchange = {
        let chosen = chosen.clone();
        Callback::from(move |_: Event| {
            let mut next = (*chosen).clone();
            if !next.remove(&binding) {
                next.insert(binding);
            }
            chosen.set(next);
        })
    };
    let label = format!("{}, {}", item.subject_name, item.role);
    let given = format!("Given by {} on {}", item.given_by, exact(item.given_at));
    let people = (item.people_count > 1 || !item.people.is_empty())
        .then(|| counted(item.people_count.into(), "person"));
    html! {
        <tr key={item.binding.to_string()}>
            <td>if item.may_decide { <input type="checkbox" aria-label={label} checked={is_in} {onchange} /> }</td>
            <td class="strong" title={item.people.join(", ")}>{ item.subject_name.clone() }if let Some(people) = people { <span class="faint">{ format!(" {people}") }</span> }</td>
            <td title={given}>{ item.role.to_string() }</td>
            <td class="wide">{ item.scope.clone() }</td>
            <td class="wide">{ match item.last_used_at { Some(at) => html! { <When {at} /> }, None => html! { <span class="faint">{ "Not known" }</span> } } }</td>
            <td>{ advice(item) }</td>
            <td>{ verdict(item) }</td>
        </tr>
    }
}

fn advice(item: &AccessReviewItem) -> Html {
    let why = match item.advice_why {
        ReviewAdvice::Used => "Used lately",
        ReviewAdvice::New => "New",
        ReviewAdvice::Ends => "Ends by itself",
        ReviewAdvice::Unused => "Not used for 90 days",
        ReviewAdvice::NeverUsed => "Never used",
        ReviewAdvice::Suspended => "Suspended",
        ReviewAdvice::NotMember => "No member any more",
        ReviewAdvice::Disabled => "Disabled",
        ReviewAdvice::EmptyGroup => "Nobody is in it",
        ReviewAdvice::HeldWider => "Held for more as well",
        ReviewAdvice::RoleGone => "No such role",
    };
    match item.advice {
        ReviewDecision::Keep => html! { <span class="faint">{ why }</span> },
        ReviewDecision::Remove => html! { <Badge tone={Tone::Warn}>{ why }</Badge> },
    }
}

/// What came of it, or what is decided.
fn verdict(item: &AccessReviewItem) -> Html {
    let (tone, word) = match (item.outcome, item.decision) {
        (Some(ReviewOutcome::Kept), _) => (Tone::Good, "Kept"),
        (Some(ReviewOutcome::Removed), _) => (Tone::Plain, "Removed"),
        (Some(ReviewOutcome::Refused), _) => (Tone::Bad, "Could not be removed"),
        (Some(ReviewOutcome::Gone), _) => (Tone::Plain, "Was gone"),
        (Some(ReviewOutcome::Changed), _) => (Tone::Warn, "Changed since"),
        (Some(ReviewOutcome::Cancelled), _) => (Tone::Plain, "Cancelled"),
        (None, Some(ReviewDecision::Keep)) => (Tone::Good, "Keep"),
        (None, Some(ReviewDecision::Remove)) => (Tone::Bad, "Remove"),
        (None, None) => return html! { <span class="faint">{ "–" }</span> },
    };
    let by = item.decided_by.clone().unwrap_or_else(|| "Nobody in time".to_owned());
    let said = item.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    html! {
        <>
            <span title={format!("{by}{said}")}><Badge {tone}>{ word }</Badge></span>
            if let Some(why) = &item.outcome_why { <p class="faint">{ why.clone() }</p> }
        </>
    }
}

fn dialogs(
    review: &AccessReview,
    over: &Over,
    picked: &[AccessReviewItem],
    (ondone, onclose): (&Callback<AttrValue>, &Callback<()>),
) -> Html {
    let (review, ondone, onclose) = (review.clone(), ondone.clone(), onclose.clone());
    match over {
        Over::Nothing => Html::default(),
        Over::Decide(decision) => {
            html! { <Decide id={review.id.to_string()} items={picked.to_vec()} decision={*decision} {ondone} {onclose} /> }
        }
        Over::Close => html! { <End {review} verb="close" {ondone} {onclose} /> },
        Over::Cancel => html! { <End {review} verb="cancel" {ondone} {onclose} /> },
        Over::Sign => html! { <Sign id={review.id.to_string()} {ondone} {onclose} /> },
    }
}

#[derive(Properties, PartialEq)]
struct DecideProps {
    id: AttrValue,
    items: Vec<AccessReviewItem>,
    decision: ReviewDecision,
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Decide(props: &DecideProps) -> Html {
    let slug = use_org().slug();
    let decision = props.decision;
    let removes = decision == ReviewDecision::Remove;
    let against = props.items.iter().any(|item| item.advice == ReviewDecision::Remove);
    let reason = use_input("", if removes || against { needed } else { anything });
    let many = counted(u64::try_from(props.items.len()).unwrap_or(u64::MAX), "role");
    let done = many.clone();
    let act = use_action(props.ondone.reform(move |_: AccessReview| {
        let what = if removes { "taken away when the review closes" } else { "kept" };
        format!("{done}: {what}.").into()
    }));
    let onsubmit = {
        let (act, reason, id) = (act.clone(), reason.clone(), props.id.clone());
        let bindings: Vec<_> = props.items.iter().map(|item| item.binding).collect();
        Callback::from(move |()| {
            let (bindings, reason) = (bindings.clone(), reason.filled());
            let decide = DecideReview { bindings, decision, reason };
            act.run(api::access_reviews::decide(&slug, &id, &decide));
        })
    };
    let (title, verb) = if removes { ("Remove", "Remove") } else { ("Keep", "Keep") };
    let hint = if !removes && against {
        "Some of it is recommended to go, so it needs a reason."
    } else if removes {
        "For the evidence, and for those whose it is."
    } else {
        "Not needed, since it is recommended."
    };
    html! {
        <Dialog title={format!("{title} {many}")} onclose={props.onclose.clone()}>
            <Form inputs={vec![reason.clone()]} {verb} running={act.running()} problem={act.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <TextArea label="Reason" path="reason" input={reason} {hint} />
            </Form>
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
struct EndProps {
    review: AccessReview,
    verb: &'static str,
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn End(props: &EndProps) -> Html {
    let slug = use_org().slug();
    let (review, closes) = (&props.review, props.verb == "close");
    let act = use_action(props.ondone.reform(move |_: AccessReview| {
        if closes { "The review is closed." } else { "The review is cancelled." }.into()
    }));
    let onconfirm = {
        let (act, id, verb) = (act.clone(), review.id.to_string(), props.verb);
        Callback::from(move |()| act.run(api::access_reviews::act(&slug, &id, verb)))
    };
    let (title, verb) = if closes {
        (format!("Close “{}”?", review.name), "Close review")
    } else {
        (format!("Cancel “{}”?", review.name), "Cancel review")
    };
    let remove = counted(review.counts.remove.into(), "role");
    html! {
        <Confirm {title} {verb} running={act.running()} problem={act.problem()} {onconfirm} onclose={props.onclose.clone()}>
            if closes { <p>{ format!("{remove} will be taken away now, on every server within a second.") }</p> }
            else { <p>{ "Nothing that was decided in it is done. The next one of its series, if there is one, stays." }</p> }
        </Confirm>
    }
}

#[derive(Properties, PartialEq)]
struct SignProps {
    id: AttrValue,
    ondone: Callback<AttrValue>,
    onclose: Callback<()>,
}

#[component]
fn Sign(props: &SignProps) -> Html {
    let slug = use_org().slug();
    let note = use_input("", needed);
    let act = use_action(props.ondone.reform(|_: AccessReview| "The review is signed.".into()));
    let onsubmit = {
        let (act, note, id) = (act.clone(), note.clone(), props.id.clone());
        Callback::from(move |()| act.run(api::access_reviews::sign(&slug, &id, note.text())))
    };
    html! {
        <Dialog title="Sign what came of it" onclose={props.onclose.clone()}>
            <Form inputs={vec![note.clone()]} verb="Sign" running={act.running()} problem={act.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <TextArea label="What you sign" path="note" input={note} hint="A sentence, with your name and the time below it." />
            </Form>
        </Dialog>
    }
}
