//! What can be done with a rule in its row: switched on and off, edited and deleted.

use yew::prelude::*;

use crate::components::{Button, Icon, IconButton, Kind};

#[derive(Properties, PartialEq)]
pub struct Props {
    pub name: AttrValue,
    pub enabled: bool,
    pub switching: bool,
    pub onswitch: Callback<()>,
    pub onedit: Callback<()>,
    pub ondelete: Callback<()>,
}

#[component]
pub fn RuleActions(props: &Props) -> Html {
    let Props { name, enabled, .. } = props;
    html! {
        <>
            <Button kind={Kind::Quiet} busy={props.switching} onclick={props.onswitch.clone()}>{ if *enabled { "Switch off" } else { "Switch on" } }</Button>
            <IconButton icon={Icon::Edit} label={format!("Edit {name}")} onclick={props.onedit.clone()} />
            <IconButton icon={Icon::Trash} label={format!("Delete {name}")} onclick={props.ondelete.clone()} />
        </>
    }
}

/// What is said when a rule was switched.
pub fn switched(name: impl std::fmt::Display, enabled: bool) -> AttrValue {
    format!("{name} is {}.", if enabled { "on" } else { "off" }).into()
}
