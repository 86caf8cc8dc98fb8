//! What holds for a call that no rule is about, and the way to change it.

use ralex_api::call_rules::{CallEffect, CallRule, CallRuleSettings};
use yew::prelude::*;

use crate::api;
use crate::components::{Button, Confirm, Kind, show_with};
use crate::hooks::{keep, use_action, use_load};
use crate::session::use_org;
use crate::text::number::counted;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub rules: Vec<CallRule>,
    pub ondone: Callback<AttrValue>,
}

#[component]
pub fn Without(props: &Props) -> Html {
    let org = use_org();
    let wanted = use_state(|| None::<CallEffect>);
    let (load, again) = use_load(org.slug(), |org| api::call_rules::settings(&org));
    let save = {
        let (wanted, again, done) = (wanted.clone(), again.clone(), props.ondone.clone());
        use_action(Callback::from(move |set: CallRuleSettings| {
            wanted.set(None);
            again.emit(());
            done.emit(
                format!("A call that no rule is about {}.", becomes(set.default_effect)).into(),
            );
        }))
    };
    let onconfirm = {
        let (save, wanted, slug) = (save.clone(), wanted.clone(), org.slug());
        Callback::from(move |()| {
            if let Some(effect) = *wanted {
                save.run(api::call_rules::set_default(&slug, effect));
            }
        })
    };
    let may = org.blocked("call_rule.set").is_none();
    let onclose = keep(&wanted).reform(|()| None);
    show_with(&load, &again, Html::default(), |settings| {
        let now = settings.default_effect;
        let others = CallEffect::ALL.iter().copied().filter(|effect| may && *effect != now);
        html! {
            <section class="panel without" aria-labelledby="without">
                <div class="panel-head">
                    <div>
                        <h2 id="without">{ format!("A call that no rule is about {}", becomes(now)) }</h2>
                        <p class="faint">{ "Where several rules are about one call, what denies goes before what asks, and that before what allows." }</p>
                    </div>
                    <div class="panel-actions">
                        { for others.map(|effect| html! {
                            <Button kind={Kind::Quiet} onclick={keep(&wanted).reform(move |()| Some(effect))}>{ verb(effect) }</Button>
                        }) }
                    </div>
                </div>
                if let Some(effect) = *wanted {
                    <Confirm title={format!("{} by default?", verb(effect))} verb={verb(effect)} running={save.running()} problem={save.problem()} {onconfirm} {onclose}>
                        <p>{ follows(effect, &props.rules) }</p>
                    </Confirm>
                }
            </section>
        }
    })
}

/// What becomes of a call.
pub const fn becomes(effect: CallEffect) -> &'static str {
    match effect {
        CallEffect::Allow => "goes on",
        CallEffect::Ask => "waits for a person",
        CallEffect::Deny => "is refused",
    }
}

const fn verb(effect: CallEffect) -> &'static str {
    match effect {
        CallEffect::Allow => "Let it go on",
        CallEffect::Ask => "Ask a person",
        CallEffect::Deny => "Refuse it",
    }
}

fn follows(effect: CallEffect, rules: &[CallRule]) -> String {
    let allowing = rules.iter().filter(|rule| rule.enabled && rule.effect == CallEffect::Allow);
    let count = counted(allowing.count() as u64, "rule");
    match effect {
        CallEffect::Allow => {
            "From the next call on everything goes on that no rule denies or asks about.".to_owned()
        }
        CallEffect::Ask => format!(
            "From the next call on every call waits for a person, unless a rule allows it. {count} of this organisation allow some."
        ),
        CallEffect::Deny => format!(
            "From the next call on only what a rule allows can be called, and lists show only what a rule about lists allows. {count} of this organisation allow some."
        ),
    }
}
