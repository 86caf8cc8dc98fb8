//! The organisation's export: taken by its owners, or carried by an operator to those whom they name.

use ralex_api::operators::ManagedOrg;
use ralex_api::portability::{ExportRecipient, ExportRecipients};
use yew::prelude::*;

use crate::api;
use crate::components::{
    Button, Check, Column, Dialog, Failed, Form, Icon, Kind, Table, TextArea, When, show,
};
use crate::hooks::{keep, use_action, use_input, use_load};
use crate::session::use_org;
use crate::text::number::counted;

const COLUMNS: [Column; 3] =
    [Column::text("Public key"), Column::text("Fingerprint").wide(), Column::text("Since")];

/// The part of the page on people that is about all that the organisation has.
#[component]
pub fn OrgExport() -> Html {
    let org = use_org();
    let edits = use_state(|| false);
    let (load, again) = use_load(org.slug(), |org| api::portability::recipients(&org));
    let set = keep(&edits);
    let onclose = set.reform(|()| false);
    let ondone = {
        let (close, again) = (onclose.clone(), again.clone());
        Callback::from(move |()| {
            close.emit(());
            again.emit(());
        })
    };
    html! {
        <>
            { show(&load, &again, |found| html! { <Take found={(**found).clone()} /> }) }
            <section class="panel">
                <header class="panel-head">
                    <h2>{ "Carried by an operator" }</h2>
                    <Button icon={Icon::Edit} onclick={set.reform(|()| true)}>{ "Change keys" }</Button>
                </header>
                <p class="faint">{ "Operators of this deployment can export the organisation too, also while it is closed, but only encrypted to these keys. They cannot read it." }</p>
                { show(&load, &again, |found| keys(&found.items)) }
            </section>
            if let (true, Some(found)) = (*edits, load.ready()) {
                <Keys found={(**found).clone()} {ondone} {onclose} />
            }
        </>
    }
}

fn keys(items: &[ExportRecipient]) -> Html {
    if items.is_empty() {
        return html! { <p>{ "No key is named, so no operator can export the organisation." }</p> };
    }
    html! {
        <Table caption="Keys that exports are encrypted to" columns={COLUMNS.to_vec()}>
            { for items.iter().map(|it| html! {
                <tr key={it.recipient.clone()}>
                    <td><code class="breaks">{ it.recipient.clone() }</code></td>
                    <td class="wide"><code>{ it.fingerprint.clone() }</code></td>
                    <td><When at={it.added_at} /></td>
                </tr>
            }) }
        </Table>
    }
}

#[derive(Properties, PartialEq)]
struct TakeProps {
    found: ExportRecipients,
}

#[component]
fn Take(props: &TakeProps) -> Html {
    let slug = use_org().slug();
    let keys: Vec<String> = props.found.items.iter().map(|it| it.recipient.clone()).collect();
    let sealed = use_state(|| false);
    let take = use_action(Callback::noop());
    let onclick = {
        let (take, keys, sealed) = (take.clone(), keys.clone(), *sealed);
        Callback::from(move |()| {
            let recipients = if sealed { keys.clone() } else { Vec::new() };
            take.run(api::portability::download(&slug, recipients));
        })
    };
    html! {
        <section class="panel">
            <h2>{ "Everything in one file" }</h2>
            <p class="faint">{ "All that Ralex keeps of the organisation, of one moment: its tables as lines of JSON, and the audit log with what verifies it. Keys are not in it. Check it with ralex org check-export." }</p>
            if !keys.is_empty() {
                <Check label="Encrypt it to the keys below" on={*sealed} onchange={keep(&sealed)} />
            }
            if let Some(problem) = take.problem() { <Failed {problem} /> }
            <div class="panel-actions">
                <Button kind={Kind::Primary} icon={Icon::Download} busy={take.running()} {onclick}>{ "Export" }</Button>
            </div>
        </section>
    }
}

#[derive(Properties, PartialEq)]
struct KeysProps {
    found: ExportRecipients,
    ondone: Callback<()>,
    onclose: Callback<()>,
}

#[component]
fn Keys(props: &KeysProps) -> Html {
    let slug = use_org().slug();
    let now: Vec<&str> = props.found.items.iter().map(|it| it.recipient.as_str()).collect();
    let keys = use_input(&now.join("\n"), public);
    let save = use_action(props.ondone.reform(|_: ExportRecipients| ()));
    let onsubmit = {
        let (keys, save) = (keys.clone(), save.clone());
        Callback::from(move |()| {
            let recipients = keys.text().split_whitespace().map(str::to_owned).collect();
            save.run(api::portability::set_recipients(&slug, recipients));
        })
    };
    html! {
        <Dialog title="Whose keys open it" onclose={props.onclose.clone()}>
            <Form inputs={vec![keys.clone()]} verb="Save" running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <TextArea label="Public keys" path="recipients" input={keys} hint="Of age, one a line (age1…), as age-keygen prints them. With none, no operator exports the organisation." />
            </Form>
        </Dialog>
    }
}

/// The server looks closer; what must not leave this page is found here.
fn public(text: &str) -> Option<String> {
    let private = text.to_ascii_lowercase().contains("age-secret-key");
    let strange = text.split_whitespace().any(|key| !key.starts_with("age1"));
    if private {
        return Some(
            "This is a private key. Keep it to yourself, and enter its public half (age1…)."
                .to_owned(),
        );
    }
    strange.then(|| "Each line is a public key of age (age1…).".to_owned())
}

#[derive(Properties, PartialEq)]
pub struct CarryProps {
    pub org: ManagedOrg,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

/// Asks an operator before an organisation is exported.
#[component]
pub fn Carry(props: &CarryProps) -> Html {
    let (name, slug) = (props.org.name.to_string(), props.org.slug.to_string());
    let said: AttrValue = format!("The export of {name} is downloaded.").into();
    let carry = use_action(props.ondone.reform(move |()| said.clone()));
    let onsubmit = {
        let carry = carry.clone();
        Callback::from(move |()| carry.run(api::portability::carry(&slug)))
    };
    let keys = counted(props.org.export_recipients.into(), "key");
    html! {
        <Dialog title={format!("Export {name}?")} onclose={props.onclose.clone()}>
            <Form inputs={vec![]} verb="Export" running={carry.running()} problem={carry.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <p class="prose">{ format!("All that it has comes as one file, encrypted to {keys} that its owners have named. You cannot open it. Its audit log says that you took it.") }</p>
            </Form>
        </Dialog>
    }
}
