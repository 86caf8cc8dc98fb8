//! Signing in.

use ralex_kernel::Email;
use yew::prelude::*;

use crate::api;
use crate::components::{Form, TextField};
use crate::hooks::input::{needed, parses};
use crate::hooks::{use_action, use_input, use_title};

#[derive(Properties, PartialEq)]
pub struct Props {
    pub ondone: Callback<()>,
}

#[component]
pub fn LoginPage(props: &Props) -> Html {
    use_title("Sign in");
    let email = use_input("", parses::<Email>);
    let password = use_input("", needed);
    let login = use_action(props.ondone.reform(|_| ()));
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
        <Form inputs={vec![email.clone(), password.clone()]} verb="Sign in" running={login.running()}
            problem={login.problem()} {onsubmit}>
            <TextField label="E-mail" path="email" kind="email" input={email} autocomplete="username" autofocus=true />
            <TextField label="Password" path="password" kind="password" input={password} autocomplete="current-password" />
        </Form>
    };
    card("Sign in", "The control plane for every model call.", form)
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
