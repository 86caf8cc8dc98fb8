//! The proof above the log: its signed head, a check of every leaf, and the bundle to take away.

use ralex_api::audit::{AuditWitness, Checkpoint, InclusionProof, Verification};
use yew::prelude::*;

use super::audit_retention::Retention;
use super::audit_sinks::Sinks;
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
    let (load, again) = use_load(org.slug(), |org| api::audit::checkpoint(&org));
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
            verify.run(api::audit::verify(&slug));
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
                    if org.can_everywhere("audit.export") { <>{ link("jsonl", "Export bundle") }{ link("csv", "Export CSV") }</> }
                </div>
            </header>
            if let Some(problem) = verify.problem() { <Failed {problem} /> }
            if let Some(verification) = &*found { { verdict(verification) } }
            if org.can_everywhere("audit.export") {
                <details>
                    <summary>{ "Export for other programs" }</summary>
                    <div class="panel-actions">
                        { link("ocsf", "OCSF") }{ link("cef", "CEF") }{ link("syslog", "Syslog") }{ link("cloudevents", "CloudEvents") }
                    </div>
                </details>
            }
            <Sinks />
            <Retention />
            if let Some(head) = load.ready() {
                <details>
                    <summary>{ "Signed checkpoint" }</summary>
                    <Code text={head.note.clone()} label="Signed checkpoint" />
                    <Signers />
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

/// Who signs: the keys to note elsewhere, and the witnesses.
#[component]
fn Signers() -> Html {
    let org = use_org();
    let (load, _) = use_load(org.slug(), |org| api::audit::keys(&org));
    let Some(signers) = load.ready() else { return html! {} };
    html! {
        <>
            <p class="note">{ "Note the key where this server cannot write; a verifier is given it." }</p>
            { for signers.keys.iter().rev().map(|key| html! { <Code text={key.verifier.clone()} label="Public key" /> }) }
            { for signers.witnesses.iter().map(witness) }
        </>
    }
}

fn witness(witness: &AuditWitness) -> Html {
    let trouble = witness.conflict.as_ref().or(witness.failure.as_ref());
    let tone = match (&witness.conflict, trouble) {
        (Some(_), _) => Tone::Bad,
        (None, Some(_)) => Tone::Warn,
        (None, None) => Tone::Good,
    };
    html! {
        <Banner {tone}>
            <p>{ "Witness " }<strong>{ witness.name.clone() }</strong>
                if let Some(at) = witness.cosigned_at { <>{ " signed " }<When {at} /></> }
                if let Some(why) = trouble { { format!(": {why}") } }
            </p>
        </Banner>
    }
}

#[derive(Properties, PartialEq)]
pub struct EventProps {
    pub event: AttrValue,
}

/// That one event is in the signed tree: asked for when somebody wants to see it.
#[component]
pub fn EventProof(props: &EventProps) -> Html {
    let org = use_org();
    let found = use_state(|| None::<InclusionProof>);
    let prove = {
        let found = found.clone();
        use_action(Callback::from(move |proof| found.set(Some(proof))))
    };
    let onprove = {
        let (prove, slug, event) = (prove.clone(), org.slug(), props.event.clone());
        Callback::from(move |()| {
            prove.run(api::audit::proof(&slug, &event));
        })
    };
    html! {
        <>
            <div class="panel-actions">
                <Button icon={Icon::Shield} busy={prove.running()} onclick={onprove}>{ "Prove" }</Button>
                <a class="button" href={api::audit::receipt_url(&org.slug(), &props.event)} download="">
                    { Icon::Download.show() }<span>{ "Receipt" }</span>
                </a>
            </div>
            if let Some(problem) = prove.problem() { <Failed {problem} /> }
            if let Some(proof) = &*found { { inclusion(proof) } }
        </>
    }
}

fn inclusion(proof: &InclusionProof) -> Html {
    html! {
        <>
            <Banner tone={Tone::Good}>
                <p>{ format!("Leaf {} of the tree of {}, ", proof.index, counted(proof.tree_size, "record")) }{ "signed " }<When at={proof.signed_at} />{ "." }</p>
            </Banner>
            <h3>{ "From the leaf to the root" }</h3>
            <ol class="proof-path">
                <li><code>{ proof.leaf_hash.clone() }</code></li>
                { for proof.path.iter().map(|hash| html! { <li><code class="faint">{ hash.clone() }</code></li> }) }
                <li><code>{ proof.root.clone() }</code></li>
            </ol>
            <Code text={proof.checkpoint.clone()} label="Signed checkpoint" />
            <Code text={format!("ralex audit verify --key {} RECEIPT", proof.key)} label="Check the receipt" />
        </>
    }
}
