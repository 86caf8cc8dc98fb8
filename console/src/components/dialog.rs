//! Dialogs: the browser's own, which keep the focus inside and give it back.

use std::cell::RefCell;
use std::rc::Rc;

use ralex_api::Problem;
use wasm_bindgen::JsCast;
use web_sys::{HtmlDialogElement, window};
use yew::prelude::*;

use super::banner::Failed;
use super::button::{Button, IconButton, Kind};
use super::icon::Icon;
use crate::api::client::Reply;
use crate::hooks::input::unique;
use crate::hooks::use_action;

/// Whether somebody has typed into a dialog.
type Typed = Rc<RefCell<bool>>;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub title: AttrValue,
    pub children: Html,
    pub onclose: Callback<()>,
    /// False where closing by Esc or a click beside it would lose what is shown once.
    #[prop_or(true)]
    pub light: bool,
}

#[component]
pub fn Dialog(props: &Props) -> Html {
    modal("dialog", props, use_open(), use_mut_ref(|| false), use_memo((), |()| unique()).as_ref())
}

/// A dialog at the right edge, for the detail of a row.
#[component]
pub fn Drawer(props: &Props) -> Html {
    modal(
        "dialog drawer",
        props,
        use_open(),
        use_mut_ref(|| false),
        use_memo((), |()| unique()).as_ref(),
    )
}

/// Opens the element as a modal dialog when it appears.
#[hook]
fn use_open() -> NodeRef {
    let node = use_node_ref();
    {
        let node = node.clone();
        use_effect_with((), move |()| {
            if let Some(dialog) = node.cast::<HtmlDialogElement>() {
                // Fails only when it is open already.
                let _ = dialog.show_modal();
            }
            move || {
                if let Some(dialog) = node.cast::<HtmlDialogElement>() {
                    dialog.close();
                }
            }
        });
    }
    node
}

/// Whether what was typed may be lost.
fn may_close(typed: &Typed) -> bool {
    let asked = "Close without saving what was entered?";
    !*typed.borrow() || window().is_none_or(|it| it.confirm_with_message(asked).unwrap_or(true))
}

fn modal(class: &'static str, props: &Props, node: NodeRef, typed: Typed, id: &AttrValue) -> Html {
    let light = props.light;
    let oninput = {
        let typed = Rc::clone(&typed);
        Callback::from(move |_: InputEvent| *typed.borrow_mut() = true)
    };
    let close = {
        let onclose = props.onclose.clone();
        Callback::from(move |()| {
            if may_close(&typed) {
                onclose.emit(());
            }
        })
    };
    let oncancel = {
        let close = close.clone();
        Callback::from(move |event: Event| {
            event.prevent_default();
            if light {
                close.emit(());
            }
        })
    };
    let onmousedown = {
        let close = close.clone();
        Callback::from(move |event: MouseEvent| {
            let dialog =
                event.target().and_then(|target| target.dyn_into::<HtmlDialogElement>().ok());
            // What somebody has typed is not lost by a click that went astray.
            let plain =
                |dialog: HtmlDialogElement| matches!(dialog.query_selector("form"), Ok(None));
            if light && dialog.is_some_and(plain) {
                close.emit(());
            }
        })
    };
    html! {
        <dialog {class} ref={node} aria-labelledby={id.clone()} {oncancel} {oninput} {onmousedown}>
            <div class="dialog-inside">
                <header class="dialog-head">
                    <h2 id={id.clone()}>{ props.title.clone() }</h2>
                    if light { <IconButton icon={Icon::Close} label="Close" onclick={close} /> }
                </header>
                <div class="dialog-body">{ props.children.clone() }</div>
            </div>
        </dialog>
    }
}

#[derive(Properties, PartialEq)]
pub struct ConfirmProps {
    /// A question (`Revoke “ci”?`).
    pub title: AttrValue,
    /// What will happen, in numbers where there are any.
    pub children: Html,
    /// The verb on the button.
    pub verb: AttrValue,
    pub running: bool,
    pub problem: Option<Problem>,
    pub onconfirm: Callback<()>,
    pub onclose: Callback<()>,
}

/// Asks before something that cannot be undone.
#[component]
pub fn Confirm(props: &ConfirmProps) -> Html {
    html! {
        <Dialog title={props.title.clone()} onclose={props.onclose.clone()}>
            <div class="prose">{ props.children.clone() }</div>
            if let Some(problem) = props.problem.clone() { <Failed {problem} /> }
            <footer class="dialog-foot">
                <Button onclick={props.onclose.clone()}>{ "Cancel" }</Button>
                <Button kind={Kind::Danger} busy={props.running} onclick={props.onconfirm.clone()}>
                    { props.verb.clone() }
                </Button>
            </footer>
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
pub struct ConfirmDeleteProps {
    pub title: AttrValue,
    /// What will happen, in numbers where there are any.
    pub children: Html,
    pub verb: AttrValue,
    pub delete: Callback<(), Reply<()>>,
    pub ondone: Callback<()>,
    pub onclose: Callback<()>,
}

/// Asks before something goes, and takes it away; a failure stays in sight.
#[component]
pub fn ConfirmDelete(props: &ConfirmDeleteProps) -> Html {
    let deletion = use_action(props.ondone.clone());
    let (running, problem) = (deletion.running(), deletion.problem());
    let onconfirm = {
        let delete = props.delete.clone();
        Callback::from(move |()| deletion.run(delete.emit(())))
    };
    html! {
        <Confirm title={props.title.clone()} verb={props.verb.clone()} {running} {problem} {onconfirm} onclose={props.onclose.clone()}>
            { props.children.clone() }
        </Confirm>
    }
}
