//! What asks for reports again and again.

use ralex_api::reports::{
    ReportEvery, ReportKind, ReportSchedule, ReportSchedules, UpdateReportSchedule,
};
use ralex_kernel::Email;
use serde_json::json;
use yew::prelude::*;

use super::report_form::{kinds, shows, use_narrowed};
use crate::api;
use crate::components::{
    Badge, Button, Check, Column, ConfirmDelete, Dialog, Empty, Form, Icon, IconButton,
    SelectField, Table, TextField, Tone, When, show,
};
use crate::hooks::input::{anything, needed};
use crate::hooks::{keep, use_action, use_input, use_load};
use crate::session::use_org;

const COLUMNS: [Column; 6] = [
    Column::text("Schedule"),
    Column::text("Report"),
    Column::text("When"),
    Column::text("Next").wide(),
    Column::text("To").wide(),
    Column::text(""),
];
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// What is open over the list.
#[derive(Clone, PartialEq)]
enum Over {
    Nothing,
    Add,
    Edit(ReportSchedule),
    Delete(ReportSchedule),
}

#[component]
pub fn Schedules() -> Html {
    let org = use_org();
    let over = use_state(|| Over::Nothing);
    let (load, again) = use_load(org.slug(), |org| api::reports::schedules(&org));
    let set = keep(&over);
    let close = set.reform(|()| Over::Nothing);
    let done = {
        let (close, again) = (close.clone(), again.clone());
        Callback::from(move |()| {
            close.emit(());
            again.emit(());
        })
    };
    html! {
        <>
            <p><Button icon={Icon::Plus} blocked={org.blocked("report.create")} onclick={set.reform(|()| Over::Add)}>{ "Add a schedule" }</Button></p>
            { show(&load, &again, |all| table(all, org.can_everywhere("report.create"), &set)) }
            { match &*over {
                Over::Nothing => Html::default(),
                Over::Add => html! { <ScheduleForm ondone={done} onclose={close} /> },
                Over::Edit(schedule) => html! { <Editor schedule={schedule.clone()} ondone={done} onclose={close} /> },
                Over::Delete(schedule) => {
                    let (slug, id) = (org.slug(), schedule.id.to_string());
                    let delete = Callback::from(move |()| api::reports::delete_schedule(&slug, &id));
                    html! {
                        <ConfirmDelete title={format!("Delete {}?", schedule.name)} verb="Delete" {delete} ondone={done} onclose={close}>
                            <p>{ "It asks no more. Reports that it made stay." }</p>
                        </ConfirmDelete>
                    }
                }
            } }
        </>
    }
}

fn table(all: &ReportSchedules, may: bool, set: &Callback<Over>) -> Html {
    if all.items.is_empty() {
        return html! {
            <Empty icon={Icon::Rotate} title="No schedule yet">
                <p>{ "A quarterly access review, for example, made and sent on the second day of each quarter." }</p>
            </Empty>
        };
    }
    html! {
        <Table caption="Schedules" columns={COLUMNS.to_vec()}>
            { for all.items.iter().map(|it| {
                let (edit, delete) = (it.clone(), it.clone());
                html! {
                    <tr key={it.id.to_string()}>
                        <td class="strong">{ it.name.to_string() }</td>
                        <td>{ it.title.clone() }</td>
                        <td>{ when(it) }</td>
                        <td class="wide">if it.enabled { <When at={it.next_at} /> } else { <Badge tone={Tone::Plain}>{ "Off" }</Badge> }</td>
                        <td class="wide">{ sent(it, all.mail) }</td>
                        <td>if may {
                            <IconButton icon={Icon::Edit} label={format!("Edit {}", it.name)} onclick={set.reform(move |()| Over::Edit(edit.clone()))} />
                            <IconButton icon={Icon::Trash} label={format!("Delete {}", it.name)} onclick={set.reform(move |()| Over::Delete(delete.clone()))} />
                        }</td>
                    </tr>
                }
            }) }
        </Table>
    }
}

fn when(it: &ReportSchedule) -> String {
    let day = match it.every {
        ReportEvery::Week => {
            DAYS.get(usize::from(it.day.saturating_sub(1))).unwrap_or(&"").to_string()
        }
        ReportEvery::Month | ReportEvery::Quarter => format!("day {}", it.day),
    };
    format!("each {}, {day}, {:02}:00 {}", it.every, it.hour, it.time_zone)
}

fn sent(it: &ReportSchedule, mail: bool) -> String {
    match (it.recipients.is_empty(), mail) {
        (true, _) => "the list".to_owned(),
        (false, true) => it.recipients.join(", "),
        (false, false) => format!("{} (no mail server is set)", it.recipients.join(", ")),
    }
}

#[derive(Properties, PartialEq)]
struct FormProps {
    ondone: Callback<()>,
    onclose: Callback<()>,
}

#[component]
fn ScheduleForm(props: &FormProps) -> Html {
    let org = use_org();
    let kind = use_state(|| ReportKind::AccessReview);
    let every = use_state(|| ReportEvery::Quarter);
    let (name, zone) = (use_input("", needed), use_input("UTC", needed));
    let (day, hour) = (use_input("2", needed), use_input("6", needed));
    let to = use_input("", anything);
    let narrowed = use_narrowed();
    let save = use_action(props.ondone.clone());
    let onsubmit = {
        let (save, slug, kind, every) = (save.clone(), org.slug(), *kind, *every);
        let (name, zone, day, hour, to) =
            (name.clone(), zone.clone(), day.clone(), hour.clone(), to.clone());
        let narrowed = narrowed.clone();
        Callback::from(move |()| {
            let to = to.text();
            let to: Vec<&str> = parts(&to).collect();
            let mut new = json!({
                "name": name.text(), "kind": kind, "every": every, "time_zone": zone.text(),
                "day": day.parsed::<u8>().unwrap_or(0), "hour": hour.parsed::<u8>().unwrap_or(24),
                "recipients": to, "filters": narrowed.filters(kind),
            });
            if let Some(sample) = narrowed.sample(kind) {
                new["sample"] = json!(sample);
            }
            save.run(api::reports::add_schedule(&slug, &new));
        })
    };
    let onkind = {
        let kind = kind.clone();
        Callback::from(move |name: String| {
            kind.set(ReportKind::named(&name).unwrap_or(ReportKind::AccessReview));
        })
    };
    let onevery = {
        let every = every.clone();
        Callback::from(move |name: String| {
            every.set(ReportEvery::named(&name).unwrap_or(ReportEvery::Quarter));
        })
    };
    let options =
        kinds().into_iter().filter(|(value, _)| value != "data_subject").collect::<Vec<_>>();
    let often = [("week", "Each week"), ("month", "Each month"), ("quarter", "Each quarter")];
    let often = often.map(|(value, text)| (value.into(), text.into())).to_vec();
    let mut inputs = vec![name.clone(), day.clone(), hour.clone(), zone.clone(), to.clone()];
    inputs.extend(narrowed.inputs());
    html! {
        <Dialog title="Add a schedule" onclose={props.onclose.clone()}>
            <Form {inputs} verb="Add" running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Name" path="name" input={name} autofocus=true />
                <SelectField label="Kind" path="kind" {options} value={kind.as_str()} onchange={onkind} hint={shows(*kind)} />
                <SelectField label="How often" options={often} value={every.as_str()} onchange={onevery} hint="It reports on the one that has just ended." />
                <TextField label="Day" path="day" input={day} hint={if *every == ReportEvery::Week { "1 is Monday, 7 is Sunday." } else { "1 to 28, from its first day on." }} />
                <TextField label="Hour" path="hour" input={hour} hint="0 to 23." />
                <TextField label="Time zone" path="time_zone" input={zone} hint="Such as Europe/Berlin." />
                <TextField label="Send to" path="recipients" input={to} hint="E-mail addresses, with commas between; the list has it in any case." />
                { narrowed.fields(*kind) }
            </Form>
        </Dialog>
    }
}

/// `a@b.de, c@d.fr`, one after the other.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

fn addresses(text: &str) -> Option<Vec<Email>> {
    parts(text).map(|part| part.parse().ok()).collect()
}

fn within(text: &str, least: u8, most: u8) -> Option<u8> {
    text.trim().parse().ok().filter(|number| (least..=most).contains(number))
}

#[derive(Properties, PartialEq)]
struct EditorProps {
    schedule: ReportSchedule,
    ondone: Callback<()>,
    onclose: Callback<()>,
}

/// When it asks, whom it writes to, and whether it asks at all.
#[component]
fn Editor(props: &EditorProps) -> Html {
    let slug = use_org().slug();
    let old = &props.schedule;
    let weekly = old.every == ReportEvery::Week;
    let last = if weekly { 7 } else { 28 };
    let day = use_input(&old.day.to_string(), move |text| {
        within(text, 1, last).is_none().then(|| format!("Enter a whole number from 1 to {last}."))
    });
    let hour = use_input(&old.hour.to_string(), |text| {
        within(text, 0, 23).is_none().then(|| "Enter a whole number from 0 to 23.".to_owned())
    });
    let to = use_input(&old.recipients.join(", "), |text| {
        let wrong = addresses(text).is_none();
        wrong.then(|| "Enter e-mail addresses with commas between, or nothing.".to_owned())
    });
    let on = use_state(|| old.enabled);
    let save = use_action(props.ondone.reform(|_: ReportSchedule| ()));
    let onsubmit = {
        let (save, on, id) = (save.clone(), on.clone(), old.id.to_string());
        let (day, hour, to) = (day.clone(), hour.clone(), to.clone());
        Callback::from(move |()| {
            let change = UpdateReportSchedule {
                day: day.parsed(),
                hour: hour.parsed(),
                recipients: addresses(&to.text()),
                enabled: Some(*on),
            };
            save.run(api::reports::update_schedule(&slug, &id, &change));
        })
    };
    html! {
        <Dialog title={old.name.to_string()} onclose={props.onclose.clone()}>
            <Form inputs={vec![day.clone(), hour.clone(), to.clone()]} verb="Save schedule" running={save.running()} problem={save.problem()} {onsubmit} oncancel={props.onclose.clone()}>
                <TextField label="Day" path="day" input={day} autofocus=true hint={if weekly { "1 is Monday, 7 is Sunday." } else { "1 to 28, from its first day on." }} />
                <TextField label="Hour" path="hour" input={hour} hint={format!("0 to 23, in {}.", old.time_zone)} />
                <TextField label="Send to" path="recipients" input={to} hint="E-mail addresses, with commas between; the list has it in any case." />
                <Check label="On" on={*on} onchange={keep(&on)} hint="Off, it asks for nothing until it is on again." />
            </Form>
        </Dialog>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_one_by_one_and_none_is_lost_in_silence() {
        let told = addresses(" a@example.com, b@example.com,").map(|all| all.len());
        assert_eq!((told, addresses("").map(|all| all.len())), (Some(2), Some(0)));
        assert_eq!(addresses("a@example.com, nobody"), None);
        assert_eq!(
            (within("7", 1, 7), within("8", 1, 7), within("x", 1, 7)),
            (Some(7), None, None)
        );
    }
}
