//! The fields of a guardrail that asks a model: which one, when, and what a silent one means.

use ralex_api::catalog::ModelOperation;
use ralex_api::guardrails::{Check, JudgeFailure, JudgeWhen};
use yew::prelude::*;

use crate::api;
use crate::components::{Check as CheckBox, SelectField};
use crate::hooks::load::Load;
use crate::hooks::use_load;
use crate::session::use_org;
use crate::text::number::counted;

/// What the server waits where nothing is said.
const USUAL_MS: u32 = 5_000;

/// What is chosen.
#[derive(Clone, PartialEq)]
pub struct Judge {
    pub model: String,
    when: JudgeWhen,
    timeout_ms: Option<u32>,
    on_failure: JudgeFailure,
}

impl Judge {
    pub fn of(check: Option<&Check>) -> Self {
        match check {
            Some(Check::Judge { model, when, timeout_ms, on_failure }) => Self {
                model: model.clone(),
                when: *when,
                timeout_ms: *timeout_ms,
                on_failure: *on_failure,
            },
            Some(_) | None => Self {
                model: String::new(),
                when: JudgeWhen::Suspicious,
                timeout_ms: None,
                on_failure: JudgeFailure::Closed,
            },
        }
    }

    pub fn check(&self) -> Check {
        Check::Judge {
            model: self.model.clone(),
            when: self.when,
            timeout_ms: self.timeout_ms,
            on_failure: self.on_failure,
        }
    }
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub judge: Judge,
    pub onchange: Callback<Judge>,
}

#[component]
pub fn JudgeFields(props: &Props) -> Html {
    let org = use_org();
    let (models, _) = use_load(org.slug(), |org| api::catalog::models(&org));
    let judge = &props.judge;
    let mut names: Vec<String> = Vec::new();
    if let Some(models) = models.ready() {
        let speaks = models.items.iter().filter(|model| {
            model.enabled && model.traits.operations.contains(&ModelOperation::Generate)
        });
        names.extend(speaks.map(|it| it.name.clone()));
    }
    // What is set is shown also where it is no longer there.
    if !judge.model.is_empty() && !names.contains(&judge.model) {
        names.push(judge.model.clone());
    }
    let mut options: Vec<(AttrValue, AttrValue)> = vec![("".into(), "Choose a model".into())];
    options.extend(names.into_iter().map(|name| (name.clone().into(), name.into())));
    let about_models = match &models {
        Load::Failed(problem) => problem.detail.clone(),
        Load::Pending | Load::Ready(_) => {
            "Its calls are paid by whoever calls, and on record.".into()
        }
    };
    let change = |with: fn(Judge, String) -> Judge| {
        let judge = judge.clone();
        props.onchange.reform(move |said: String| with(judge.clone(), said))
    };
    let onmodel = change(|judge, model| Judge { model, ..judge });
    let onwhen = change(|judge, said| {
        let always = said == JudgeWhen::Always.as_str();
        Judge { when: if always { JudgeWhen::Always } else { JudgeWhen::Suspicious }, ..judge }
    });
    let onfailure = {
        let judge = judge.clone();
        props.onchange.reform(move |closed: bool| Judge {
            on_failure: if closed { JudgeFailure::Closed } else { JudgeFailure::Open },
            ..judge.clone()
        })
    };
    let onwait = change(|judge, ms| Judge { timeout_ms: ms.parse().ok(), ..judge });
    let whens = vec![
        (JudgeWhen::Suspicious.as_str().into(), "Suspicious prompts".into()),
        (JudgeWhen::Always.as_str().into(), "Every prompt".into()),
    ];
    let wait = judge.timeout_ms.unwrap_or(USUAL_MS);
    html! {
        <>
            <div class="pair">
                <SelectField label="Model" path="check.model" {options} value={judge.model.clone()} onchange={onmodel} hint={about_models} />
                <SelectField label="Asked about" path="check.when" options={whens} value={judge.when.as_str()} onchange={onwhen} hint="Suspicious: any pattern of an injection is found." />
            </div>
            <SelectField label="Waits at most" path="check.timeout_ms" options={waits(wait)} value={wait.to_string()} onchange={onwait} hint="Every call that it is asked about takes so much longer." />
            <CheckBox label="No answer counts as found" on={judge.on_failure == JudgeFailure::Closed} onchange={onfailure} hint="Otherwise a call passes when the model is away or late." />
        </>
    }
}

/// How long one may wait, with what is set now.
fn waits(now: u32) -> Vec<(AttrValue, AttrValue)> {
    let mut all = vec![1_000, 2_000, USUAL_MS, 10_000, 30_000];
    if !all.contains(&now) {
        all.insert(all.partition_point(|ms| *ms < now), now);
    }
    let said = |ms: u32| match (ms / 1_000, ms % 1_000) {
        (seconds, 0) => counted(seconds.into(), "second"),
        _ => counted(ms.into(), "millisecond"),
    };
    all.into_iter().map(|ms| (ms.to_string().into(), said(ms).into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_can_be_chosen_and_is_in_its_order() {
        let said = |now| waits(now).into_iter().map(|(_, said)| said.to_string());
        assert!(said(USUAL_MS).eq([
            "1 second",
            "2 seconds",
            "5 seconds",
            "10 seconds",
            "30 seconds"
        ]));
        assert_eq!(said(1_500).nth(1).as_deref(), Some("1,500 milliseconds"));
    }
}
