//! Programs that want to act for the person in front: `ralex login`, by this browser or by a code.

use ralex_api::oauth::{AnswerProgram, DeviceLogin, ProgramAnswered};
use yew::prelude::*;

use super::sso_door::leave_for;
use crate::api;
use crate::components::{
    Banner, Button, Failed, Form, Head, Kind, TextField, Tone, When, key_value,
};
use crate::hooks::input::needed;
use crate::hooks::{keep, use_action, use_input, use_query};
use crate::session::{Session, use_session};

/// What saying yes means, for both ways.
const MEANS: &str =
    "It may do what you may, for 90 days, until you revoke its token in your profile.";

/// A program on this machine waits for the browser to come back.
#[component]
pub fn AuthorizePage() -> Html {
    let (session, (query, _)) = (use_session(), use_query());
    let text = |name: &str| query.find(name).unwrap_or_default().to_owned();
    let name = query.find("name").map_or_else(|| "A program".to_owned(), str::to_owned);
    let answer = use_action(Callback::from(|answered: ProgramAnswered| {
        leave_for(&answered.redirect);
    }));
    let said = AnswerProgram {
        client_id: text("client_id"),
        redirect_uri: text("redirect_uri"),
        code_challenge: text("code_challenge"),
        code_challenge_method: text("code_challenge_method"),
        state: query.find("state").map(str::to_owned),
        name: query.find("name").map(str::to_owned),
        approve: false,
    };
    let onanswer = {
        let answer = answer.clone();
        Callback::from(move |approve| {
            answer.run(api::oauth::answer(&AnswerProgram { approve, ..said.clone() }));
        })
    };
    html! {
        <>
            <Head title="Log a program in?" lead="Only say yes if you have just run ralex login on this machine." />
            { question(session.as_ref(), &[("Runs on".into(), html! { name })], answer.running(), &onanswer) }
            if let Some(problem) = answer.problem() { <Failed {problem} /> }
        </>
    }
}

/// A program elsewhere shows a code, which is typed here.
#[component]
pub fn DevicePage() -> Html {
    let (session, (query, _)) = (use_session(), use_query());
    let code = use_input(query.find("code").unwrap_or_default(), needed);
    let found = use_state(|| None::<DeviceLogin>);
    let done = use_state(|| None::<bool>);
    let look = use_action(keep(&found).reform(Some));
    let approving = use_state(|| false);
    let answer = use_action({
        let (done, approving) = (keep(&done), approving.clone());
        Callback::from(move |()| done.emit(Some(*approving)))
    });
    let onsubmit = {
        let (look, code) = (look.clone(), code.clone());
        Callback::from(move |()| look.run(api::oauth::device(&code.text())))
    };
    let onanswer = {
        let (answer, code, approving) = (answer.clone(), code.clone(), approving);
        Callback::from(move |approve| {
            approving.set(approve);
            answer.run(api::oauth::answer_device(code.text(), approve));
        })
    };
    let content = match (&*done, &*found) {
        (Some(approved), _) => {
            let said = if *approved {
                "The program is logged in. You can close this page."
            } else {
                "You said no. The program has nothing."
            };
            html! { <Banner><p>{ said }</p></Banner> }
        }
        (None, Some(login)) => {
            let facts = [
                ("Runs on".into(), html! { login.name.clone() }),
                ("Asked from".into(), html! { login.address.clone().unwrap_or_default() }),
                ("Asked".into(), html! { <When at={login.asked_at} /> }),
            ];
            html! {
                <>
                    <Banner tone={Tone::Warn}><p>{ "Say yes only to a program that you started yourself. Whoever sent you this code otherwise wants to act as you." }</p></Banner>
                    { question(session.as_ref(), &facts, answer.running(), &onanswer) }
                    if let Some(problem) = answer.problem() { <Failed {problem} /> }
                </>
            }
        }
        (None, None) => html! {
            <section class="panel">
                <Form inputs={vec![code.clone()]} verb="Continue" running={look.running()} problem={look.problem()} {onsubmit}>
                    <TextField label="Code" path="code" input={code} placeholder="BCDF-GHJK" autofocus=true hint="As the program shows it." />
                </Form>
            </section>
        },
    };
    html! {
        <>
            <Head title="Log a program in" lead="With the code that ralex login --device shows." />
            { content }
        </>
    }
}

fn question(
    session: Option<&Session>,
    facts: &[(AttrValue, Html)],
    running: bool,
    onanswer: &Callback<bool>,
) -> Html {
    html! {
        <section class="panel">
            if let Some(user) = session.map(|session| &session.me.user) { <p>{ "It would act as " }<strong>{ user.name.to_string() }</strong>{ format!(" ({}).", user.email) }</p> }
            { key_value(facts) }
            <p class="faint">{ MEANS }</p>
            <footer class="dialog-foot">
                <Button onclick={onanswer.reform(|()| false)}>{ "No" }</Button>
                <Button kind={Kind::Primary} busy={running} onclick={onanswer.reform(|()| true)}>{ "Yes, log it in" }</Button>
            </footer>
        </section>
    }
}
