//! Messages that stay: what is so, and for a failure also why, what to do and the request's id.

use ralex_api::Problem;
use yew::prelude::*;

use super::badge::Tone;
use super::button::Button;
use super::code::CopyButton;
use super::icon::Icon;
use crate::api::client::ACCEPTED;

#[derive(Properties, PartialEq)]
pub struct BannerProps {
    #[prop_or_default]
    pub tone: Tone,
    pub children: Html,
}

#[component]
pub fn Banner(props: &BannerProps) -> Html {
    let icon = match props.tone {
        Tone::Good => Icon::Check,
        Tone::Warn | Tone::Bad => Icon::Warn,
        Tone::Info | Tone::Plain => Icon::Info,
    };
    let role = if props.tone == Tone::Bad { "alert" } else { "status" };
    html! {
        <div class={classes!("banner", props.tone.class())} {role}>
            { icon.show() }
            <div class="banner-body">{ props.children.clone() }</div>
        </div>
    }
}

#[derive(Properties, PartialEq)]
pub struct FailedProps {
    pub problem: Problem,
    /// Tries the same again; without it there is only the message.
    #[prop_or_default]
    pub retry: Option<Callback<()>>,
}

#[component]
pub fn Failed(props: &FailedProps) -> Html {
    let Problem { title, detail, request_id, status, .. } = &props.problem;
    // What waits for somebody has not failed.
    let tone = if *status == ACCEPTED { Tone::Info } else { Tone::Bad };
    html! {
        <Banner {tone}>
            <p><strong>{ title.clone() }</strong></p>
            <p>{ detail.clone() }</p>
            if let Some(id) = request_id {
                <p class="faint">
                    { "Request " }<code>{ id.clone() }</code>
                    <CopyButton text={id.clone()} label="Copy the request id" />
                </p>
            }
            if let Some(retry) = props.retry.clone() {
                <Button icon={Icon::Rotate} onclick={retry}>{ "Retry" }</Button>
            }
        </Banner>
    }
}
