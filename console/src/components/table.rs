//! Tables: arrows move between rows, Enter opens one, and long lists go on below.

use ralex_api::Problem;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};
use yew::prelude::*;

use super::banner::Failed;
use super::button::Button;
use crate::hooks::Pages;

/// A column's head.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub title: &'static str,
    /// Numbers stand at the right.
    pub number: bool,
    /// Left out on a phone.
    pub wide: bool,
}

impl Column {
    pub const fn text(title: &'static str) -> Self {
        Self { title, number: false, wide: false }
    }

    pub const fn number(title: &'static str) -> Self {
        Self { title, number: true, wide: false }
    }

    pub const fn wide(self) -> Self {
        Self { wide: true, ..self }
    }

    fn class(&self) -> Classes {
        classes!(self.number.then_some("number"), self.wide.then_some("wide"))
    }
}

#[derive(Properties, PartialEq)]
pub struct Props {
    /// What the table lists, for those who do not see where it stands.
    pub caption: AttrValue,
    pub columns: Vec<Column>,
    /// Rows.
    pub children: Html,
    #[prop_or_default]
    pub foot: Html,
}

#[component]
pub fn Table(props: &Props) -> Html {
    html! {
        <div class="table-frame" role="region" aria-label={props.caption.clone()} tabindex="0">
            <table class="table">
                <caption class="sr">{ props.caption.clone() }</caption>
                <thead>
                    <tr>
                        { for props.columns.iter().map(|column| html! {
                            <th scope="col" class={column.class()}>
                                if column.title.is_empty() { <span class="sr">{ "Actions" }</span> }
                                { column.title }
                            </th>
                        }) }
                    </tr>
                </thead>
                <tbody onkeydown={Callback::from(step)}>{ props.children.clone() }</tbody>
                { props.foot.clone() }
            </table>
        </div>
    }
}

/// Moves the focus to the same place of the row above or below.
fn step(event: KeyboardEvent) {
    let from = event.target().and_then(|target| target.dyn_into::<Element>().ok());
    let row = from.and_then(|element| element.closest("tr").ok().flatten());
    let Some(row) = row else { return };
    let next = match event.key().as_str() {
        "ArrowDown" => row.next_element_sibling(),
        "ArrowUp" => row.previous_element_sibling(),
        _ => return,
    };
    let Some(next) = next else { return };
    if let Ok(Some(target)) = next.query_selector(".row-open, a, button")
        && let Ok(target) = target.dyn_into::<HtmlElement>()
    {
        event.prevent_default();
        // The focus stays where it is when the browser refuses.
        let _ = target.focus();
    }
}

#[derive(Properties, PartialEq)]
pub struct MoreProps {
    /// How many rows are in sight.
    pub shown: usize,
    pub noun: AttrValue,
    pub more: bool,
    pub fetching: bool,
    #[prop_or_default]
    pub problem: Option<Problem>,
    pub onmore: Callback<()>,
}

/// The way to more below a list that is mostly seen in whole: nothing where it is.
pub fn rest<T>(pages: &Pages<T>, noun: &'static str, onmore: &Callback<()>) -> Html {
    html! {
        if pages.next.is_some() {
            <More shown={pages.items.len()} {noun} more=true fetching={pages.fetching} problem={pages.problem.clone()} onmore={onmore.clone()} />
        }
    }
}

/// The end of a list: how much is in sight, and the way to more.
#[component]
pub fn More(props: &MoreProps) -> Html {
    let count = crate::text::number::counted(props.shown as u64, &props.noun);
    html! {
        <div class="more">
            <span class="faint">{ if props.more { format!("{count} so far") } else { count } }</span>
            if let Some(problem) = props.problem.clone() { <Failed {problem} /> }
            if props.more {
                <Button busy={props.fetching} onclick={props.onmore.clone()}>{ "Load more" }</Button>
            }
        </div>
    }
}
