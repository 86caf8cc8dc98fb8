//! Fields: label above, hint below, and an error in place of the hint.

use web_sys::{HtmlInputElement, HtmlSelectElement, HtmlTextAreaElement};
use yew::prelude::*;

use super::form::Found;
use super::icon::Icon;
use crate::hooks::Input;
use crate::hooks::input::unique;

#[derive(Properties, PartialEq)]
pub struct TextProps {
    pub label: AttrValue,
    pub input: Input,
    /// The field's path in the request, by which the server's errors find it.
    #[prop_or_default]
    pub path: AttrValue,
    #[prop_or_default]
    pub hint: AttrValue,
    /// `text`, `email`, `password`, `date`.
    #[prop_or("text".into())]
    pub kind: AttrValue,
    #[prop_or("off".into())]
    pub autocomplete: AttrValue,
    #[prop_or_default]
    pub placeholder: AttrValue,
    #[prop_or_default]
    pub autofocus: bool,
    /// In front of the text: a currency, a scheme.
    #[prop_or_default]
    pub before: Option<AttrValue>,
    /// Called after each change by the reader.
    #[prop_or_default]
    pub onchange: Callback<String>,
}

#[component]
pub fn TextField(props: &TextProps) -> Html {
    let shown = use_state(|| false);
    let fault = use_fault(&props.input, &props.path);
    let input = &props.input;
    use_focus(input, props.autofocus);
    let secret = props.kind == "password";
    let kind = if secret && *shown { "text".into() } else { props.kind.clone() };
    let oninput = {
        let (input, tell) = (input.clone(), props.onchange.clone());
        Callback::from(move |event: InputEvent| {
            let text = event.target_unchecked_into::<HtmlInputElement>().value();
            input.set(text.clone());
            tell.emit(text);
        })
    };
    let onblur = leaves(input);
    let note = format!("{}-note", input.id);
    html! {
        <div class="field">
            <label for={input.id.clone()}>{ props.label.clone() }</label>
            <div class="control">
                if let Some(before) = &props.before { <span class="before">{ before.clone() }</span> }
                <input
                    id={input.id.clone()} type={kind} value={input.text()} {oninput} {onblur}
                    autocomplete={props.autocomplete.clone()} placeholder={props.placeholder.clone()}
                    autofocus={props.autofocus} spellcheck="false"
                    aria-invalid={fault.is_some().then_some("true")} aria-describedby={note.clone()}
                />
                if secret { { eye(shown) } }
            </div>
            { note_of(&note, fault, &props.hint) }
        </div>
    }
}

fn eye(shown: UseStateHandle<bool>) -> Html {
    let label = if *shown { "Hide what is entered" } else { "Show what is entered" };
    let pressed = if *shown { "true" } else { "false" };
    let onclick = Callback::from(move |_| shown.set(!*shown));
    html! {
        <button type="button" class="icon-button small" aria-label={label} aria-pressed={pressed} {onclick}>
            { Icon::Eye.show() }
        </button>
    }
}

#[derive(Properties, PartialEq)]
pub struct AreaProps {
    pub label: AttrValue,
    pub input: Input,
    /// As of a text field.
    #[prop_or_default]
    pub path: AttrValue,
    #[prop_or_default]
    pub hint: AttrValue,
    #[prop_or_default]
    pub placeholder: AttrValue,
    #[prop_or(3)]
    pub rows: u32,
}

#[component]
pub fn TextArea(props: &AreaProps) -> Html {
    let fault = use_fault(&props.input, &props.path);
    let input = &props.input;
    let oninput = {
        let input = input.clone();
        Callback::from(move |event: InputEvent| {
            input.set(event.target_unchecked_into::<HtmlTextAreaElement>().value());
        })
    };
    let note = format!("{}-note", input.id);
    html! {
        <div class="field">
            <label for={input.id.clone()}>{ props.label.clone() }</label>
            <div class="control">
                <textarea
                    id={input.id.clone()} value={input.text()} rows={props.rows.to_string()} {oninput}
                    onblur={leaves(input)} placeholder={props.placeholder.clone()}
                    aria-invalid={fault.is_some().then_some("true")} aria-describedby={note.clone()}
                />
            </div>
            { note_of(&note, fault, &props.hint) }
        </div>
    }
}

#[derive(Properties, PartialEq)]
pub struct SelectProps {
    pub label: AttrValue,
    /// Values and what they read as.
    pub options: Vec<(AttrValue, AttrValue)>,
    pub value: AttrValue,
    pub onchange: Callback<String>,
    #[prop_or_default]
    pub hint: AttrValue,
    #[prop_or_default]
    pub path: AttrValue,
    /// Label beside instead of above, for a bar of filters.
    #[prop_or_default]
    pub inline: bool,
}

#[component]
pub fn SelectField(props: &SelectProps) -> Html {
    let id = use_memo((), |()| unique());
    let found = use_context::<Found>().unwrap_or_default();
    let onchange = props
        .onchange
        .reform(|event: Event| event.target_unchecked_into::<HtmlSelectElement>().value());
    let note = format!("{}-note", *id);
    let fault = found.about(&props.path);
    html! {
        <div class={classes!("field", props.inline.then_some("inline"))}>
            <label for={(*id).clone()}>{ props.label.clone() }</label>
            <div class="control select">
                <select id={(*id).clone()} {onchange} aria-describedby={note.clone()}>
                    { for props.options.iter().map(|(value, text)| html! {
                        <option value={value.clone()} selected={*value == props.value}>{ text.clone() }</option>
                    }) }
                </select>
                { Icon::Down.show() }
            </div>
            { note_of(&note, fault, &props.hint) }
        </div>
    }
}

#[derive(Properties, PartialEq)]
pub struct CheckProps {
    pub label: AttrValue,
    pub on: bool,
    pub onchange: Callback<bool>,
    #[prop_or_default]
    pub hint: AttrValue,
}

#[component]
pub fn Check(props: &CheckProps) -> Html {
    let id = use_memo((), |()| unique());
    let onchange = props
        .onchange
        .reform(|event: Event| event.target_unchecked_into::<HtmlInputElement>().checked());
    let note = format!("{}-note", *id);
    html! {
        <div class="check">
            <input id={(*id).clone()} type="checkbox" checked={props.on} {onchange} aria-describedby={note.clone()} />
            <div>
                <label for={(*id).clone()}>{ props.label.clone() }</label>
                { note_of(&note, None, &props.hint) }
            </div>
        </div>
    }
}

/// Puts the cursor into a field when it appears. The browser's own `autofocus` does so only in a
/// dialog that opens with its fields, not where they come after something was fetched.
#[hook]
fn use_focus(input: &Input, wanted: bool) {
    let input = input.clone();
    use_effect_with((), move |()| {
        if wanted {
            input.focus();
        }
    });
}

/// What is wrong with a field: by its own rules, else by the server's.
#[hook]
fn use_fault(input: &Input, path: &str) -> Option<String> {
    let found = use_context::<Found>().unwrap_or_default();
    input.told().or_else(|| found.about(path))
}

fn leaves(input: &Input) -> Callback<FocusEvent> {
    let input = input.clone();
    // A field that was only passed through is not wrong yet.
    Callback::from(move |_| {
        if !input.text().is_empty() {
            input.leave();
        }
    })
}

fn note_of(id: &str, fault: Option<String>, hint: &AttrValue) -> Html {
    let class = if fault.is_some() { "note fault" } else { "note" };
    let text = fault.map_or_else(|| hint.clone(), AttrValue::from);
    html! { <p {class} id={id.to_owned()}>{ text }</p> }
}
