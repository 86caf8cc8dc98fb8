//! Second factors of one's own account: passkeys, the authenticator app, and recovery codes.

use ralex_api::factors::{Factors, NewTotp, OrgSecurity, RecoveryCodes, UpdateOrgSecurity};
use ralex_api::passkeys::{Passkey, PasskeyOffer};
use yew::prelude::*;

use super::login::code_field;
use super::passkeys::{self, PasskeyForm, passkey_row};
use crate::api;
use crate::components::secret::SecretOnce;
use crate::components::{
    Button, Code, Confirm, ConfirmDelete, Dialog, Failed, Form, Head, Icon, Switch, When, show,
};
use crate::hooks::input::needed;
use crate::hooks::{keep, use_action, use_input, use_load};
use crate::session::{use_org, use_session};

/// What is open over the section.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Begun(Box<NewTotp>),
    Codes(String),
    Renew,
    Remove,
    /// A new one, or another name.
    Passkey(Option<Box<Passkey>>),
    RemovePasskey(Box<Passkey>),
}

#[component]
pub fn SecondFactors() -> Html {
    let over = use_state(|| Over::Nothing);
    let (load, again) = use_load((), |()| api::passkey::own());
    let refresh = use_session().map(|session| session.refresh).unwrap_or_default();
    let set = keep(&over);
    let begin = use_action(set.reform(|begun| Over::Begun(Box::new(begun))));
    let coded = {
        let (set, again, refresh) = (set.clone(), again.clone(), refresh.clone());
        Callback::from(move |made: RecoveryCodes| {
            again.emit(());
            refresh.emit(());
            set.emit(Over::Codes(made.codes.join("\n")));
        })
    };
    let renew = use_action(coded.clone());
    let onclose = set.reform(|()| Over::Nothing);
    let removed = {
        let (close, again) = (onclose.clone(), again.clone());
        Callback::from(move |()| {
            close.emit(());
            again.emit(());
            refresh.emit(());
        })
    };
    let onbegin = {
        let begin = begin.clone();
        Callback::from(move |()| begin.run(api::identity::begin_totp()))
    };
    let onrenew = {
        let renew = renew.clone();
        Callback::from(move |()| renew.run(api::identity::renew_recovery_codes()))
    };
    let onremove = set.reform(|()| Over::Remove);
    let does = Does {
        begin: onbegin,
        renew: set.reform(|()| Over::Renew),
        remove: onremove,
        passkey: set.reform(|passkey: Option<Passkey>| Over::Passkey(passkey.map(Box::new))),
        remove_passkey: set.reform(|passkey| Over::RemovePasskey(Box::new(passkey))),
    };
    let saved = saved(coded.clone(), removed.clone());
    html! {
        <section class="panel">
            <header class="panel-head"><h2>{ "Second factor" }</h2></header>
            if let Some(problem) = begin.problem() { <Failed {problem} /> }
            { show(&load, &again, |own| registered(&own.0, &own.1, &does)) }
            { match &*over {
                Over::Nothing => Html::default(),
                Over::Begun(begun) => html! { <SetUp begun={(**begun).clone()} ondone={coded} {onclose} /> },
                Over::Codes(codes) => codes_dialog(codes, onclose),
                Over::Renew => html! {
                    <Confirm title="Make new recovery codes?" verb="Make new codes" running={renew.running()} problem={renew.problem()} onconfirm={onrenew} {onclose}>
                        <p>{ "The codes that you have, also printed ones, stop working at once. The new ones are shown once." }</p>
                    </Confirm>
                },
                Over::Remove => remove_dialog(removed, onclose),
                Over::Passkey(passkey) => html! { <PasskeyForm passkey={passkey.as_deref().cloned()} ondone={saved} {onclose} /> },
                Over::RemovePasskey(passkey) => passkeys::remove_dialog(passkey, removed, onclose),
            } }
        </section>
    }
}

/// What follows on a passkey: the codes that came with a first one, if it was that.
fn saved(coded: Callback<RecoveryCodes>, done: Callback<()>) -> Callback<Option<RecoveryCodes>> {
    Callback::from(move |codes| match codes {
        Some(codes) => coded.emit(codes),
        None => done.emit(()),
    })
}

/// In the place of every page of an organisation that asks for a second factor.
pub fn factor_needed(org: &str) -> Html {
    html! {
        <>
            <Head title="One more step" lead={format!("{org} asks everybody for a second factor. Nothing in it is open before you have one.")} />
            <SecondFactors />
        </>
    }
}

/// Whether everybody is asked for one, for those who decide that.
#[component]
pub fn FactorPolicy() -> Html {
    let org = use_org();
    let (load, again) = use_load(org.slug(), |org| api::identity::security(&org));
    let asking = use_state(|| false);
    let onclose = keep(&asking).reform(|()| false);
    let change = use_action({
        let (close, again) = (onclose.clone(), again.clone());
        Callback::from(move |_: OrgSecurity| {
            close.emit(());
            again.emit(());
        })
    });
    let onchange = {
        let (change, slug) = (change.clone(), org.slug());
        Callback::from(move |asked: UpdateOrgSecurity| {
            change.run(api::identity::set_security(&slug, &asked));
        })
    };
    let required = onchange.reform(|required| UpdateOrgSecurity {
        second_factor_required: Some(required),
        device_login: None,
    });
    let onconfirm = required.reform(|()| true);
    let onfactor = {
        let asking = asking.clone();
        Callback::from(move |on: bool| if on { asking.set(true) } else { required.emit(false) })
    };
    let ondevice = onchange.reform(|allowed| UpdateOrgSecurity {
        second_factor_required: None,
        device_login: Some(allowed),
    });
    html! {
        <section class="panel">
            <header class="panel-head">
                <h2>{ "Second factor" }</h2>
                if let Some(security) = load.ready() { <Switch label="Ask everybody for one" on={security.second_factor_required} onchange={onfactor} /> }
            </header>
            <p class="faint">{ "Who has none registers one before anything here is open to them. Coming in by single sign-on counts as one." }</p>
            if let Some(problem) = change.problem().filter(|_| !*asking) { <Failed {problem} /> }
            { show(&load, &again, |security| html! {
                <>
                    <header class="panel-head">
                        <h2>{ "Logins by a typed code" }</h2>
                        <Switch label="Let typed codes count" on={security.device_login} onchange={ondevice.clone()} />
                    </header>
                    <p class="faint">{ "With ralex login --device a program shows a code that its person types in any browser. Whoever sends somebody a code of theirs acts as them if it is typed." }</p>
                </>
            }) }
            if *asking {
                <Confirm title="Ask everybody for a second factor?" verb="Ask everybody" running={change.running()} problem={change.problem()} {onconfirm} {onclose}>
                    <p>{ "Whoever has none is let into nothing here from now on, also those who are at work, until they have registered one. Their personal tokens open nothing until then." }</p>
                    <p>{ "Who comes in by single sign-on, and the tokens of teams and service accounts, go on." }</p>
                </Confirm>
            }
        </section>
    }
}

/// What can be done with them.
struct Does {
    begin: Callback<()>,
    renew: Callback<()>,
    remove: Callback<()>,
    passkey: Callback<Option<Passkey>>,
    remove_passkey: Callback<Passkey>,
}

fn registered(factors: &Factors, offer: &PasskeyOffer, does: &Does) -> Html {
    let none = factors.totp.is_none() && factors.passkeys.is_empty();
    let left = match factors.recovery_codes {
        1 => "1 recovery code is left.".to_owned(),
        left => format!("{left} recovery codes are left."),
    };
    html! {
        <>
            if none { <p class="faint">{ "None. With a passkey or an authenticator app, a stolen password opens nothing." }</p> }
            <ul class="rows">
                { for factors.passkeys.iter().map(|it| passkey_row(it, &does.passkey.reform(Some), &does.remove_passkey)) }
                if let Some(app) = &factors.totp {
                    <li>
                        <div>
                            <strong>{ "Authenticator app" }</strong>
                            <p class="faint">
                                { "added " }<When at={app.added_at} />
                                if let Some(at) = app.last_used_at { { " · last used " }<When {at} /> }
                            </p>
                        </div>
                        <Button onclick={does.remove.clone()}>{ "Remove" }</Button>
                    </li>
                }
                if !none {
                    <li>
                        <div><strong>{ "Recovery codes" }</strong><p class="faint">{ left }</p></div>
                        <Button onclick={does.renew.clone()}>{ "New codes" }</Button>
                    </li>
                }
            </ul>
            if offer.offered { <Button icon={Icon::Plus} onclick={does.passkey.reform(|()| None)}>{ "Add passkey" }</Button> }
            if factors.totp.is_none() { <Button icon={Icon::Plus} onclick={does.begin.clone()}>{ "Set up authenticator app" }</Button> }
            if let Some(reason) = &offer.reason { <p class="faint">{ reason }</p> }
        </>
    }
}

#[derive(Properties, PartialEq)]
struct SetUpProps {
    begun: NewTotp,
    ondone: Callback<RecoveryCodes>,
    onclose: Callback<()>,
}

#[component]
fn SetUp(props: &SetUpProps) -> Html {
    let code = use_input("", needed);
    let confirm = use_action(props.ondone.clone());
    let onsubmit = {
        let (code, confirm) = (code.clone(), confirm.clone());
        Callback::from(move |()| confirm.run(api::identity::confirm_totp(&code.text())))
    };
    let qr = &props.begun.qr_code;
    html! {
        <Dialog title="Set up authenticator app" onclose={props.onclose.clone()}>
            <p>{ "Scan this with the app, or type the secret into it. Then enter the code that it shows." }</p>
            <svg class="qr" viewBox={format!("0 0 {0} {0}", qr.size)} role="img" aria-label="QR code of the secret">
                <path d={qr.path.clone()} />
            </svg>
            <Code text={props.begun.secret.clone()} label="Secret" />
            <Form inputs={vec![code.clone()]} verb="Confirm" running={confirm.running()} problem={confirm.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                { code_field(code) }
            </Form>
        </Dialog>
    }
}

fn codes_dialog(codes: &str, onclose: Callback<()>) -> Html {
    html! {
        <SecretOnce title="Recovery codes" label="Codes" secret={codes.to_owned()} {onclose}>
            <p>{ "Each works once, in the place of a code, on the day that the app or the passkeys are lost. Keep them apart from your password." }</p>
        </SecretOnce>
    }
}

fn remove_dialog(ondone: Callback<()>, onclose: Callback<()>) -> Html {
    let delete = Callback::from(|()| api::identity::remove_totp());
    html! {
        <ConfirmDelete title="Remove the authenticator app?" verb="Remove app" {delete} {ondone} {onclose}>
            <p>{ "Without a passkey your password alone opens your account again, and the recovery codes go." }</p>
        </ConfirmDelete>
    }
}
