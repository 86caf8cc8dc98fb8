//! Health: how providers, models and keys do, what is left alone for a while, and kept answers.

use ralex_api::resilience::{
    Circuit, CircuitKind, CircuitState, HealthReport, ModelHealth, ProviderHealth,
};
use yew::prelude::*;

use super::cache_card::CacheCard;
use crate::api;
use crate::components::{Badge, Button, Column, Empty, Head, Icon, Table, Tone, When, show};
use crate::hooks::use_load;
use crate::session::use_org;
use crate::text::number::{grouped, milliseconds, percent};

const PROVIDERS: [Column; 4] = [
    Column::text("Provider"),
    Column::text("State"),
    Column::number("Tries"),
    Column::number("Failed"),
];
const MODELS: [Column; 6] = [
    Column::text("Model"),
    Column::text("Provider").wide(),
    Column::number("Calls"),
    Column::number("Failed"),
    Column::number("Rescued").wide(),
    Column::number("First byte, half / 95 %"),
];
const CIRCUITS: [Column; 4] = [
    Column::text("What"),
    Column::text("State"),
    Column::text("Why"),
    Column::text("Next try").wide(),
];

#[component]
pub fn HealthPage() -> Html {
    let org = use_org();
    let (load, again) = use_load(org.slug(), |org| api::resilience::health(&org));
    html! {
        <>
            <Head title="Health" lead="How providers, models and keys do. What fails is left alone for a while, on every node, and then tried with care.">
                <Button icon={Icon::Rotate} onclick={again.clone()}>{ "Refresh" }</Button>
            </Head>
            { show(&load, &again, |report| report_of(report)) }
            if org.can("usage.read") { <CacheCard /> }
        </>
    }
}

fn report_of(report: &HealthReport) -> Html {
    if report.providers.is_empty() {
        return html! {
            <Empty icon={Icon::Plug} title="No provider yet">
                <p>{ "Add one under Providers and keys; how it does shows here." }</p>
            </Empty>
        };
    }
    let lead = format!("Of the last {} minutes.", report.minutes);
    html! {
        <>
            if !report.circuits.is_empty() {
                <section class="panel">
                    <h2>{ "Left alone for now" }</h2>
                    <Table caption="Open circuits" columns={CIRCUITS.to_vec()}>
                        { for report.circuits.iter().map(circuit) }
                    </Table>
                </section>
            }
            <section class="panel">
                <h2>{ "Providers" }</h2>
                <p class="faint">{ lead.clone() }</p>
                <Table caption="Providers" columns={PROVIDERS.to_vec()}>
                    { for report.providers.iter().map(provider) }
                </Table>
            </section>
            <section class="panel">
                <h2>{ "Models" }</h2>
                <p class="faint">{ lead }</p>
                if report.models.is_empty() {
                    <p class="prose">{ "Nothing was called in this time." }</p>
                } else {
                    <Table caption="Models" columns={MODELS.to_vec()}>
                        { for report.models.iter().map(model) }
                    </Table>
                }
            </section>
        </>
    }
}

fn circuit(circuit: &Circuit) -> Html {
    let kind = match circuit.kind {
        CircuitKind::Provider => "Provider",
        CircuitKind::Model => "Model",
        CircuitKind::Key => "Key",
    };
    html! {
        <tr key={circuit.id.clone()}>
            <td><span class="faint">{ kind }{ " " }</span><span class="strong">{ circuit.name.clone() }</span></td>
            <td>{ state(circuit.state) }</td>
            <td>{ circuit.reason.clone() }</td>
            <td class="wide"><When at={circuit.until} /></td>
        </tr>
    }
}

fn state(state: CircuitState) -> Html {
    match state {
        CircuitState::Open => html! { <Badge tone={Tone::Bad}>{ "Left alone" }</Badge> },
        CircuitState::HalfOpen => html! { <Badge tone={Tone::Warn}>{ "Probing" }</Badge> },
    }
}

fn provider(provider: &ProviderHealth) -> Html {
    let badge = match (provider.enabled, provider.circuit) {
        (false, _) => html! { <Badge>{ "Switched off" }</Badge> },
        (true, Some(circuit)) => state(circuit),
        (true, None) if provider.tries == 0 => html! { <Badge>{ "Not called" }</Badge> },
        (true, None) => html! { <Badge tone={Tone::Good}>{ "Well" }</Badge> },
    };
    html! {
        <tr key={provider.provider.clone()}>
            <td class="strong">{ provider.provider.clone() }</td>
            <td>{ badge }</td>
            <td class="number">{ grouped(provider.tries) }</td>
            <td class="number">{ share(provider.failed, provider.tries) }</td>
        </tr>
    }
}

fn model(model: &ModelHealth) -> Html {
    let time = |ms: Option<u32>| ms.map_or_else(|| "–".to_owned(), |ms| milliseconds(ms.into()));
    let times = format!("{} / {}", time(model.first_byte_p50_ms), time(model.first_byte_p95_ms));
    html! {
        <tr key={format!("{}/{}", model.provider, model.model)}>
            <td class="strong">{ model.model.clone() }</td>
            <td class="wide">{ model.provider.clone() }</td>
            <td class="number">{ grouped(model.calls) }</td>
            <td class="number">{ share(model.failed, model.calls) }</td>
            <td class="number wide" title="Answered after another try had failed">{ grouped(model.rescued) }</td>
            <td class="number">{ times }</td>
        </tr>
    }
}

/// How many, and how many of a hundred where there are any.
fn share(part: u64, whole: u64) -> String {
    if part == 0 || whole == 0 {
        return grouped(part);
    }
    #[expect(clippy::cast_precision_loss, reason = "a share needs three digits")]
    let share = part as f64 / whole as f64;
    format!("{} ({})", grouped(part), percent(share))
}
