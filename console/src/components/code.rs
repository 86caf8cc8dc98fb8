//! Text to copy exactly: ids, addresses, commands, secrets.

use wasm_bindgen_futures::{JsFuture, spawn_local};
use yew::prelude::*;

use super::icon::Icon;
use super::toast::use_toast;

#[derive(Properties, PartialEq)]
pub struct CopyProps {
    pub text: AttrValue,
    #[prop_or("Copy".into())]
    pub label: AttrValue,
}

#[component]
pub fn CopyButton(props: &CopyProps) -> Html {
    let copied = use_state(|| None::<AttrValue>);
    let toast = use_toast();
    let onclick = {
        let (text, copied) = (props.text.clone(), copied.clone());
        Callback::from(move |event: MouseEvent| {
            event.stop_propagation();
            let (text, copied, toast) = (text.clone(), copied.clone(), toast.clone());
            spawn_local(async move {
                if copy(&text).await {
                    copied.set(Some(text));
                } else {
                    toast.emit(
                        "The browser does not allow copying here. Select the text instead.".into(),
                    );
                }
            });
        })
    };
    let done = copied.as_ref() == Some(&props.text);
    let icon = if done { Icon::Check } else { Icon::Copy };
    let label = if done { "Copied".into() } else { props.label.clone() };
    html! {
        <button type="button" class="icon-button small" aria-label={label.clone()} title={label} {onclick}>
            { icon.show() }
        </button>
    }
}

/// False where the browser has no clipboard for this page, as on plain HTTP.
async fn copy(text: &str) -> bool {
    let Some(window) = web_sys::window().filter(web_sys::Window::is_secure_context) else {
        return false;
    };
    JsFuture::from(window.navigator().clipboard().write_text(text)).await.is_ok()
}

#[derive(Properties, PartialEq)]
pub struct CodeProps {
    pub text: AttrValue,
    /// What it is, for those who do not see it.
    pub label: AttrValue,
}

/// A block of text with its copy button.
#[component]
pub fn Code(props: &CodeProps) -> Html {
    html! {
        <div class="code">
            <pre tabindex="0" aria-label={props.label.clone()}>{ props.text.clone() }</pre>
            <CopyButton text={props.text.clone()} />
        </div>
    }
}
