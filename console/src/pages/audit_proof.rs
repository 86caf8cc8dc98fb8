//! The proof above the log: its signed head, a check of every leaf, and the bundle to take away.

use ralex_api::audit::{Checkpoint, Verification};
use yew::prelude::*;

use crate::api;
use crate::components::{Banner, Button, Code, Failed, Icon, Tone, When};
use crate::hooks::{use_action, use_load};
use crate::session::use_org;
use crate::text::number::{counted, milliseconds};
use crate::text::query::Query;

#[derive(Properties, PartialEq)]
pub struct Props {
    /// What of the log the page shows; an export has the same.
    pub filters: Query,
}

#[component]
pub fn Proof(props: &Props) -> Html {
    let org = use_org();
    let found = use_state(|| None::<Verification>);
    let (load, again) =
        use_load(org.slug(), |org| async move { api::audit::checkpoint(&org).await });
    let verify = {
        let found = found.clone();
        use_action(Callback::from(move |verification: Verification| {
            found.set(Some(verification));
            again.emit(());
        }))
    };
    let onverify = {
        let (verify, slug) = (verify.clone(), org.slug());
        Callback::from(move |()| {
            let slug = slug.clone();
            verify.run(async move { api::audit::verify(&slug).await });
        })
    };
    let link = |format: &'static str, text: &'static str| {
        html! {
            <a class="button" href={api::audit::export_url(&org.slug(), format, &props.filters)} download="">
                { Icon::Download.show() }<span>{ text }</span>
            </a>
        }
    };
    html! {
        <section class="panel proof">
            <header class="panel-head">
                <div>
                    <h2>{ "Proof" }</h2>
                    <p class="faint">{ load.ready().map_or_else(|| html! { "Reading the signed head …" }, |head| summary(head)) }</p>
                </div>
                <div class="panel-actions">
                    <Button icon={Icon::Shield} busy={verify.running()} onclick={onverify}>{ "Verify" }</Button>
                    if org.can("audit.export") { <>{ link("jsonl", "Export bundle") }{ link("csv", "Export CSV") }</> }
                </div>
            </header>
            if let Some(problem) = verify.problem() { <Failed {problem} /> }
            if let Some(verification) = &*found { { verdict(verification) } }
            if let Some(head) = load.ready() {
                <details>
                    <summary>{ "Signed checkpoint" }</summary>
                    <Code text={head.note.clone()} label="Signed checkpoint" />
                    <p class="note">{ "Check an exported bundle anywhere, without this server: " }<code>{ "ralex audit verify FILE" }</code></p>
                </details>
            }
        </section>
    }
}

fn summary(head: &Checkpoint) -> Html {
    let pending = if head.pending == 0 {
        String::new()
    } else {
        format!(", {} not yet in the tree", counted(head.pending, "record"))
    };
    html! { <>{ counted(head.tree_size, "record") }{ ", signed " }<When at={head.signed_at} />{ pending }</> }
}

fn verdict(verification: &Verification) -> Html {
    let tone = if verification.good { Tone::Good } else { Tone::Bad };
    html! {
        <Banner {tone}>
            <p><strong>{ if verification.good { "Intact" } else { "Tampered" } }</strong>{ " " }{ verification.summary.clone() }</p>
            if let Some(index) = verification.first_bad_index { <p>{ format!("First bad index: {index}") }</p> }
            <p class="faint">{ counted(verification.tree_size, "record") }{ " checked in " }{ milliseconds(verification.duration_ms) }{ " · root " }<code>{ verification.root.clone() }</code></p>
        </Banner>
    }
}
