//! A state in a word, in the colour of what it means.

use yew::prelude::*;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    Good,
    Warn,
    Bad,
    Info,
    #[default]
    Plain,
}

impl Tone {
    pub const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Info => "info",
            Self::Plain => "plain",
        }
    }
}

#[derive(Properties, PartialEq)]
pub struct Props {
    #[prop_or_default]
    pub tone: Tone,
    pub children: Html,
    #[prop_or_default]
    pub title: Option<AttrValue>,
}

#[component]
pub fn Badge(props: &Props) -> Html {
    html! {
        <span class={classes!("badge", props.tone.class())} title={props.title.clone()}>
            { props.children.clone() }
        </span>
    }
}
