//! Buttons: a verb, and where it cannot be pressed the reason why.

use yew::prelude::*;

use super::icon::Icon;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    Primary,
    #[default]
    Plain,
    Danger,
    Quiet,
}

impl Kind {
    const fn class(self) -> &'static str {
        match self {
            Self::Primary => "button primary",
            Self::Plain => "button",
            Self::Danger => "button danger",
            Self::Quiet => "button quiet",
        }
    }
}

#[derive(Properties, PartialEq)]
pub struct ButtonProps {
    pub children: Html,
    #[prop_or_default]
    pub kind: Kind,
    #[prop_or_default]
    pub icon: Option<Icon>,
    #[prop_or_default]
    pub onclick: Callback<()>,
    /// Sends the form it stands in.
    #[prop_or_default]
    pub submit: bool,
    #[prop_or_default]
    pub busy: bool,
    /// Why it cannot be pressed now.
    #[prop_or_default]
    pub blocked: Option<AttrValue>,
}

#[component]
pub fn Button(props: &ButtonProps) -> Html {
    let onclick = {
        let (tell, stopped) = (props.onclick.clone(), props.busy || props.blocked.is_some());
        let submit = props.submit;
        Callback::from(move |event: MouseEvent| {
            if stopped {
                event.prevent_default();
            } else if !submit {
                tell.emit(());
            }
        })
    };
    // `aria-disabled` and not `disabled`: the focus stays, and the reason can be read.
    let off = props.busy || props.blocked.is_some();
    html! {
        <button
            type={if props.submit { "submit" } else { "button" }}
            class={props.kind.class()}
            aria-disabled={off.then_some("true")}
            aria-busy={props.busy.then_some("true")}
            title={props.blocked.clone()}
            {onclick}
        >
            if props.busy { <span class="spinner" aria-hidden="true" /> }
            else if let Some(icon) = props.icon { { icon.show() } }
            <span>{ props.children.clone() }</span>
        </button>
    }
}

#[derive(Properties, PartialEq)]
pub struct IconButtonProps {
    pub icon: Icon,
    /// What it does, for those who do not see the icon and for the tooltip.
    pub label: AttrValue,
    pub onclick: Callback<()>,
    #[prop_or_default]
    pub class: Classes,
    /// Where it opens and closes something: whether that is open.
    #[prop_or_default]
    pub expanded: Option<bool>,
}

#[component]
pub fn IconButton(props: &IconButtonProps) -> Html {
    let onclick = props.onclick.reform(|event: MouseEvent| event.stop_propagation());
    html! {
        <button
            type="button"
            class={classes!("icon-button", props.class.clone())}
            aria-label={props.label.clone()}
            title={props.label.clone()}
            aria-expanded={props.expanded.map(|open| if open { "true" } else { "false" })}
            {onclick}
        >
            { props.icon.show() }
        </button>
    }
}

#[derive(Properties, PartialEq)]
pub struct SwitchProps {
    pub label: AttrValue,
    pub on: bool,
    pub onchange: Callback<bool>,
}

/// What is so at once when it is switched, without a form to send.
#[component]
pub fn Switch(props: &SwitchProps) -> Html {
    let on = props.on;
    let onclick = props.onchange.reform(move |_: MouseEvent| !on);
    html! {
        <button type="button" class="button switch" role="switch" aria-checked={if on { "true" } else { "false" }} {onclick}>
            <span class="switch-track" aria-hidden="true" />
            <span>{ props.label.clone() }</span>
        </button>
    }
}
