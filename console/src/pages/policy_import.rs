//! Lines taken in: what they would do line by line, and then, as a whole or not at all, that it is done.

use ralex_api::policies::{PolicyImport, PolicyImportMode, PolicyImported};
use yew::prelude::*;

use super::reconcile::{Chosen, read};
use crate::api;
use crate::components::segments::Segments;
use crate::components::{
    Badge, Banner, Button, Column, Confirm, Failed, Form, Icon, Kind, Table, TextArea, TextField,
    Tone, use_toast,
};
use crate::hooks::input::{anything, needed, unique};
use crate::hooks::{keep, use_action, use_input};
use crate::session::use_org;
use crate::text::number::counted;

const COLUMNS: [Column; 3] =
    [Column::number("Line"), Column::text("What it says"), Column::text("What is done")];

/// What was looked at, and what it would do.
#[derive(Clone, PartialEq)]
struct Looked {
    lines: PolicyImport,
    told: PolicyImported,
}

#[component]
pub fn Import() -> Html {
    let (org, toast) = (use_org(), use_toast());
    let (text, from) = (use_input("", needed), use_input("", anything));
    let mode = use_state(PolicyImportMode::default);
    let looked = use_state(|| None::<Looked>);
    let look = use_action(keep(&looked).reform(Some));
    let current = use_action({
        let text = text.clone();
        Callback::from(move |lines: String| text.set(lines))
    });
    let onsubmit = {
        let (look, slug, text) = (look.clone(), org.slug(), text.clone());
        let (mode, from) = (mode.clone(), from.clone());
        Callback::from(move |()| {
            let lines =
                PolicyImport { lines: text.text(), mode: *mode, apply: false, from: from.filled() };
            let slug = slug.clone();
            look.run(async move {
                let told = api::policies::import(&slug, &lines, None).await?;
                Ok(Looked { lines, told })
            });
        })
    };
    let ondone = {
        let (looked, toast) = (looked.clone(), toast);
        Callback::from(move |done: PolicyImported| {
            looked.set(None);
            let (added, removed) = (done.added.len() as u64, done.removed.len() as u64);
            let said = format!(
                "Done: {} added, {} taken away.",
                counted(added, "line"),
                counted(removed, "line")
            );
            toast.emit(said.into());
        })
    };
    let oncurrent = {
        let (current, slug) = (current.clone(), org.slug());
        Callback::from(move |()| {
            let slug = slug.clone();
            current.run(async move { api::policies::export(&slug).await });
        })
    };
    let modes =
        [(PolicyImportMode::Add, "Add them"), (PolicyImportMode::Replace, "Replace what there is")];
    let modes = modes.map(|(mode, words)| (mode.as_str().into(), words.into())).to_vec();
    let onmode =
        keep(&mode).reform(|word: String| PolicyImportMode::named(&word).unwrap_or_default());
    // What was looked at is told of exactly that.
    let same = looked.as_ref().is_some_and(|it| {
        it.lines.lines == text.text() && it.lines.mode == *mode && it.lines.from == from.filled()
    });
    html! {
        <section class="panel" aria-labelledby="import">
            <h2 id="import">{ "From a file" }</h2>
            <p class="lead">{ "First shown line by line; then done as a whole, or where one line is refused not at all. By the rules of giving, with the same entries in the audit log." }</p>
            <Form inputs={vec![text.clone()]} verb="Show what it would do" running={look.running()} problem={look.problem()} {onsubmit}>
                <File ontext={{ let text = text.clone(); Callback::from(move |read: String| text.set(read)) }} />
                <div class="policy-text"><TextArea label="Lines" path="lines" input={text} rows=8 placeholder="p, grp:night-shift, acme, role:developer, /o/acme/t/blue, allow, 0000-01-01T00:00:00.000000Z, 9999-12-31T23:59:59.999999Z" /></div>
                <Button icon={Icon::Copy} busy={current.running()} onclick={oncurrent}>{ "Take the lines as they are now" }</Button>
                if let Some(problem) = current.problem() { <Failed {problem} /> }
                <div class="field"><span class="label">{ "How" }</span><Segments label="How" options={modes} value={mode.as_str()} onchange={onmode} /><p class="note">{ follows(*mode) }</p></div>
                <TextField label="Exported from" path="from" input={from} placeholder={org.slug()} hint="The slug of the organisation, where it is another one." />
            </Form>
            if let Some(looked) = (*looked).clone().filter(|_| same) { <Outcome {looked} {ondone} /> }
        </section>
    }
}

const fn follows(mode: PolicyImportMode) -> &'static str {
    match mode {
        PolicyImportMode::Add => "Nothing is taken away.",
        PolicyImportMode::Replace => {
            "What they do not say is taken away, except for what people come by otherwise: by single sign-on, by a directory, or by a request for a while."
        }
    }
}

#[derive(Properties, PartialEq)]
struct FileProps {
    ontext: Callback<String>,
}

#[component]
fn File(props: &FileProps) -> Html {
    let id = use_memo((), |()| unique());
    let wrong = use_state(|| None::<&'static str>);
    let onfile = {
        let (tell, wrong) = (props.ontext.clone(), wrong.clone());
        Callback::from(move |event: Event| {
            let (tell, wrong) = (tell.clone(), wrong.clone());
            let kept = Callback::from(move |chosen: Chosen| match chosen {
                Some(Ok(text)) => {
                    wrong.set(None);
                    tell.emit(text);
                }
                Some(Err(why)) => wrong.set(Some(why)),
                None => wrong.set(None),
            });
            read(&event.target_unchecked_into(), kept);
        })
    };
    html! {
        <div class="field">
            <label for={(*id).clone()}>{ "File" }</label>
            <div class="control"><input id={(*id).clone()} type="file" accept=".csv,.txt" onchange={onfile} /></div>
            if let Some(why) = *wrong { <p class="note fault">{ why }</p> }
        </div>
    }
}

#[derive(Properties, PartialEq)]
struct OutcomeProps {
    looked: Looked,
    ondone: Callback<PolicyImported>,
}

#[component]
fn Outcome(props: &OutcomeProps) -> Html {
    let org = use_org();
    let asks = use_state(|| false);
    let apply = use_action(props.ondone.clone());
    let Looked { lines, told } = &props.looked;
    let changes = told.added.len() + told.removed.len();
    let (tone, words) = summary(told);
    let onconfirm = {
        let (apply, slug, version) = (apply.clone(), org.slug(), told.version);
        let lines = PolicyImport { apply: true, ..lines.clone() };
        Callback::from(move |()| {
            apply.run(api::policies::import(&slug, &lines, Some(version)));
        })
    };
    let open = {
        let asks = asks.clone();
        Callback::from(move |()| asks.set(true))
    };
    let (added, removed) = (told.added.len() as u64, told.removed.len() as u64);
    html! {
        <div class="tested">
            <Banner {tone}><p>{ words }</p></Banner>
            if changes + told.refused.len() > 0 {
                <Table caption="What the lines would do" columns={COLUMNS.to_vec()}>
                    { for told.refused.iter().map(|line| row(line.line, &line.text, html! {
                        <><Badge tone={Tone::Bad}>{ "Refused" }</Badge>{ " " }{ line.reason.clone() }</>
                    })) }
                    { for told.removed.iter().map(|line| row(line.line, &line.text, html! { <Badge tone={Tone::Warn}>{ "Taken away" }</Badge> })) }
                    { for told.added.iter().map(|line| row(line.line, &line.text, html! { <Badge tone={Tone::Good}>{ "Added" }</Badge> })) }
                </Table>
            }
            if changes > 0 && told.refused.is_empty() {
                <div class="panel-actions"><Button kind={Kind::Primary} onclick={open}>{ "Do it" }</Button></div>
            }
            if *asks {
                <Confirm title="Change the rules so?" verb="Do it" running={apply.running()} problem={apply.problem()} {onconfirm} onclose={keep(&asks).reform(|()| false)}>
                    <p>{ format!("Adds {} and takes {} away, all together; it holds on every server within a second. It is refused if somebody has changed the rules since they were shown.", counted(added, "line"), counted(removed, "line")) }</p>
                </Confirm>
            }
        </div>
    }
}

fn row(line: Option<u32>, text: &str, done: Html) -> Html {
    html! {
        <tr>
            <td class="number">{ line.map(|line| line.to_string()).unwrap_or_default() }</td>
            <td><code class="policy-line">{ text.to_owned() }</code></td>
            <td>{ done }</td>
        </tr>
    }
}

fn summary(told: &PolicyImported) -> (Tone, String) {
    let kept = format!("Already so: {}.", counted(u64::from(told.kept), "line"));
    if !told.refused.is_empty() {
        let refused = counted(told.refused.len() as u64, "line");
        return (Tone::Bad, format!("{refused} refused, so nothing of it can be done. {kept}"));
    }
    if told.added.is_empty() && told.removed.is_empty() {
        return (Tone::Good, format!("Nothing would change. {kept}"));
    }
    let (added, removed) = (told.added.len() as u64, told.removed.len() as u64);
    let (added, removed) = (counted(added, "line"), counted(removed, "line"));
    (Tone::Info, format!("{added} would be added and {removed} taken away. {kept}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_refused_line_says_that_nothing_is_done() {
        let told = |refused: &str| {
            let text = format!(
                r#"{{"applied":false,"version":3,"added":[{{"line":1,"text":"g, a"}}],"removed":[],"kept":2,"refused":[{refused}]}}"#
            );
            summary(&serde_json::from_str(&text).unwrap()).1
        };
        let refused = r#"{"line":2,"text":"x","code":"forbidden","reason":"why"}"#;
        assert_eq!(
            told(refused),
            "1 line refused, so nothing of it can be done. Already so: 2 lines."
        );
        assert_eq!(told(""), "1 line would be added and 0 lines taken away. Already so: 2 lines.");
    }
}
