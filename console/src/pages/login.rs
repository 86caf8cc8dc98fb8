//! Signing in.

use ralex_api::factors::{Method, SecondFactor};
use ralex_api::identity::LoginAnswer;
use ralex_kernel::Email;
use yew::prelude::*;

use crate::api;
use crate::components::{Button, Form, Kind, TextField};
use crate::hooks::input::{needed, parses};
use crate::hooks::{Input, keep, use_action, use_input, use_load, use_title};
use crate::pages::passkeys::{Answering, passkey_button, use_offered};
use crate::pages::sso_door::{DoorStep, Refused};
use crate::pages::welcome::ForgottenStep;

#[derive(Properties, PartialEq)]
pub struct Props {
    pub ondone: Callback<()>,
}

#[component]
pub fn LoginPage(props: &Props) -> Html {
    use_title("Sign in");
    // What the second half of a login is asked with.
    let challenge = use_state(|| None::<SecondFactor>);
    let done = {
        let (challenge, done) = (challenge.clone(), props.ondone.clone());
        Callback::from(move |answer: LoginAnswer| match answer.second_factor {
            Some(second) => challenge.set(Some(second)),
            None => done.emit(()),
        })
    };
    let way = use_state(|| Way::Password);
    let set = keep(&way);
    let onback = set.reform(|()| Way::Password);
    match (&*challenge, *way) {
        (None, Way::SignOn) => html! { <DoorStep {onback} /> },
        (None, Way::Forgotten) => html! { <ForgottenStep {onback} /> },
        (None, Way::Password) => html! { <PasswordStep {done} onway={set} /> },
        (Some(second), _) => {
            let onback = keep(&challenge).reform(|()| None);
            html! { <CodeStep second={second.clone()} {done} {onback} /> }
        }
    }
}

/// How somebody wants to come in.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Password,
    SignOn,
    Forgotten,
}

#[derive(Properties, PartialEq)]
struct PasswordProps {
    done: Callback<LoginAnswer>,
    onway: Callback<Way>,
}

#[component]
fn PasswordStep(props: &PasswordProps) -> Html {
    let email = use_input("", parses::<Email>);
    let password = use_input("", needed);
    let login = use_action(props.done.clone());
    let (offered, by_passkey) = (use_offered(), use_action(props.done.clone()));
    let (mail, _) = use_load((), |()| api::links::offered());
    let mail = mail.ready().is_some_and(|offer| offer.offered);
    let (onsso, onforgotten) =
        (props.onway.reform(|()| Way::SignOn), props.onway.reform(|()| Way::Forgotten));
    let onsubmit = {
        let (email, password, login) = (email.clone(), password.clone(), login.clone());
        Callback::from(move |()| {
            if let Some(email) = email.parsed::<Email>() {
                let password = password.text();
                login.run(api::identity::login(&email, &password));
            }
        })
    };
    let form = html! {
        <>
        <Refused />
        <Form inputs={vec![email.clone(), password.clone()]} verb="Sign in" running={login.running()}
            problem={login.problem()} {onsubmit}>
            <TextField label="E-mail" path="email" kind="email" input={email} autocomplete="username" autofocus=true />
            <TextField label="Password" path="password" kind="password" input={password} autocomplete="current-password" />
        </Form>
        if offered { { passkey_button("Sign in with a passkey", Kind::Quiet, &by_passkey, || Box::pin(api::passkey::login())) } }
        <p class="gate-foot"><Button kind={Kind::Quiet} onclick={onsso}>{ "Continue with single sign-on" }</Button></p>
        if mail { <p class="gate-foot"><Button kind={Kind::Quiet} onclick={onforgotten}>{ "Forgot your password?" }</Button></p> }
        </>
    };
    card("Sign in", "The control plane for every model call.", form)
}

#[derive(Properties, PartialEq)]
struct CodeProps {
    second: SecondFactor,
    done: Callback<LoginAnswer>,
    onback: Callback<()>,
}

#[component]
fn CodeStep(props: &CodeProps) -> Html {
    let code = use_input("", needed);
    let login = use_action(props.done.clone());
    let by_passkey = use_action(props.done.clone());
    let challenge = props.second.challenge.clone();
    let asking = challenge.clone();
    let ask = move || -> Answering<LoginAnswer> {
        Box::pin(api::passkey::complete_login(asking.clone()))
    };
    let onsubmit = {
        let (code, login) = (code.clone(), login.clone());
        Callback::from(move |()| {
            login.run(api::identity::complete_login(&challenge, &code.text()));
        })
    };
    let form = html! {
        <>
            <Form inputs={vec![code.clone()]} verb="Sign in" running={login.running()} problem={login.problem()} {onsubmit}>
                { code_field(code) }
            </Form>
            if props.second.methods.contains(&Method::Passkey) { { passkey_button("Use a passkey", Kind::Quiet, &by_passkey, ask) } }
            <p class="gate-foot"><Button kind={Kind::Quiet} onclick={props.onback.clone()}>{ "Start over" }</Button></p>
        </>
    };
    card("Sign in", "Your password is right. Now the second factor.", form)
}

/// Where a code of a second factor is typed.
pub fn code_field(input: Input) -> Html {
    html! {
        <TextField label="Code" path="code" {input} autocomplete="one-time-code" autofocus=true
            hint="Six digits of your authenticator app, or a recovery code." />
    }
}

/// The one thing on a page before the console opens.
pub fn card(title: &'static str, lead: &'static str, content: Html) -> Html {
    html! {
        <main class="gate">
            <section class="gate-card">
                <p class="brand">
                    <svg viewBox="0 0 20 20" aria-hidden="true"><path d="M3 17V3h7.5a4.2 4.2 0 0 1 0 8.4H3M9.5 11.4L16 17" /></svg>
                    <span>{ "Ralex" }</span>
                </p>
                <h1>{ title }</h1>
                <p class="lead">{ lead }</p>
                { content }
            </section>
        </main>
    }
}
