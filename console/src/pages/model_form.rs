//! The form of a model, with the known ones to choose from, and its end.

use ralex_api::catalog::{CatalogModel, Model, NewModel, ProviderKind, UpdateModel};
use yew::prelude::*;

use crate::api;
use crate::components::{Confirm, Dialog, Form, SelectField, TextField};
use crate::hooks::input::{Input, count, needed, price};
use crate::hooks::{use_action, use_input, use_load};
use crate::session::use_org;

#[derive(Properties, PartialEq)]
pub struct FormProps {
    pub provider: AttrValue,
    pub kind: ProviderKind,
    /// The model to change; its name and provider stay.
    pub model: Option<Model>,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

/// The fields, in the order of the form.
#[derive(Clone, PartialEq)]
struct Fields {
    name: Input,
    upstream: Input,
    input_price: Input,
    output_price: Input,
    context: Input,
    output: Input,
}

#[hook]
fn use_fields(old: Option<&Model>) -> Fields {
    let text = |read: fn(&Model) -> String| old.map(read).unwrap_or_default();
    Fields {
        name: use_input(&text(|model| model.name.clone()), needed),
        upstream: use_input(&text(|model| model.upstream_model.clone()), needed),
        input_price: use_input(&text(|model| model.input_price.to_string()), price),
        output_price: use_input(&text(|model| model.output_price.to_string()), price),
        context: use_input(&text(|model| model.context_window.to_string()), count),
        output: use_input(&text(|model| model.max_output.to_string()), count),
    }
}

impl Fields {
    fn all(&self) -> Vec<Input> {
        let Self { name, upstream, input_price, output_price, context, output } = self.clone();
        vec![name, upstream, input_price, output_price, context, output]
    }

    /// Takes over what is known of a model.
    fn fill(&self, known: &CatalogModel) {
        self.name.set(known.name.clone());
        self.upstream.set(known.name.clone());
        self.input_price.set(known.input_price.to_string());
        self.output_price.set(known.output_price.to_string());
        self.context.set(known.context_window.to_string());
        self.output.set(known.max_output.to_string());
    }

    /// The request; `known` adds the prices that the form does not ask for.
    fn new_model(&self, provider: &str, known: Option<&CatalogModel>) -> Option<NewModel> {
        let known = known.filter(|known| known.name == self.upstream.text());
        Some(NewModel {
            name: self.name.filled()?,
            provider: provider.to_owned(),
            upstream_model: self.upstream.filled()?,
            input_price: self.input_price.parsed()?,
            output_price: self.output_price.parsed()?,
            cache_read_price: known.map(|known| known.cache_read_price),
            cache_write_price: known.map(|known| known.cache_write_price),
            context_window: self.context.parsed()?,
            max_output: self.output.parsed()?,
        })
    }

    fn change(&self) -> UpdateModel {
        UpdateModel {
            input_price: self.input_price.parsed(),
            output_price: self.output_price.parsed(),
            cache_read_price: None,
            cache_write_price: None,
            context_window: self.context.parsed(),
            max_output: self.output.parsed(),
        }
    }
}

#[component]
pub fn ModelForm(props: &FormProps) -> Html {
    let org = use_org();
    let fields = use_fields(props.model.as_ref());
    let known = use_state(|| None::<CatalogModel>);
    let save = use_action(
        props.ondone.reform(|model: Model| format!("Model {} is saved.", model.name).into()),
    );
    let id = props.model.as_ref().map(|model| model.id);
    let onsubmit = {
        let (fields, known, save, provider) =
            (fields.clone(), known.clone(), save.clone(), props.provider.to_string());
        Callback::from(move |()| {
            let (org, change) = (org.slug(), fields.change());
            let Some(new) = fields.new_model(&provider, known.as_ref()) else { return };
            save.run(async move {
                match id {
                    Some(id) => api::catalog::update_model(&org, id, change).await,
                    None => api::catalog::create_model(&org, new).await,
                }
            });
        })
    };
    let onpick = {
        let fields = fields.clone();
        Callback::from(move |found: CatalogModel| {
            fields.fill(&found);
            known.set(Some(found));
        })
    };
    let title = props.model.as_ref().map_or_else(
        || format!("Add a model of {}", props.provider),
        |model| format!("Edit {}", model.name),
    );
    html! {
        <Dialog {title} onclose={props.onclose.clone()}>
            <Form inputs={fields.all()} verb={if id.is_some() { "Save model" } else { "Add model" }} running={save.running()} problem={save.problem()}
                {onsubmit} oncancel={props.onclose.clone()}>
                if id.is_none() {
                    <Catalog kind={props.kind} {onpick} />
                    <div class="pair">
                        <TextField label="Name" path="name" input={fields.name.clone()} hint="What callers write as model." />
                        <TextField label="Name at the provider" path="upstream_model" input={fields.upstream.clone()} />
                    </div>
                }
                <div class="pair">
                    <TextField label="Input price" path="input_price" input={fields.input_price.clone()} before="$" placeholder="0.15" hint="For a million tokens." />
                    <TextField label="Output price" path="output_price" input={fields.output_price.clone()} before="$" placeholder="0.60" hint="For a million tokens." />
                </div>
                <div class="pair">
                    <TextField label="Context window" path="context_window" input={fields.context.clone()} placeholder="128000" hint="Tokens in and out together." />
                    <TextField label="Max output" path="max_output" input={fields.output.clone()} placeholder="16384" hint="Tokens out." />
                </div>
            </Form>
        </Dialog>
    }
}

#[derive(Properties, PartialEq)]
struct CatalogProps {
    kind: ProviderKind,
    onpick: Callback<CatalogModel>,
}

/// Models whose price is known; one choice fills the form.
#[component]
fn Catalog(props: &CatalogProps) -> Html {
    let org = use_org();
    let chosen = use_state(String::new);
    let (load, _) = use_load((org.slug(), props.kind), |(org, kind)| async move {
        api::catalog::catalog(&org, kind).await
    });
    // Without the catalogue everything can still be typed.
    let known = load.ready().map(|page| page.items.clone()).unwrap_or_default();
    if known.is_empty() {
        return Html::default();
    }
    let mut options = vec![("".into(), "Another model".into())];
    options.extend(known.iter().map(|model| {
        let text =
            format!("{} · ${} in, ${} out", model.name, model.input_price, model.output_price);
        (AttrValue::from(model.name.clone()), AttrValue::from(text))
    }));
    let onchange = {
        let (chosen, tell) = (chosen.clone(), props.onpick.clone());
        Callback::from(move |name: String| {
            if let Some(found) = known.iter().find(|model| model.name == name) {
                tell.emit(found.clone());
            }
            chosen.set(name);
        })
    };
    html! { <SelectField label="Known models" {options} value={(*chosen).clone()} {onchange} hint="Fills in the prices and limits that the provider publishes." /> }
}

#[derive(Properties, PartialEq)]
pub struct DeleteProps {
    pub model: Model,
    pub ondone: Callback<AttrValue>,
    pub onclose: Callback<()>,
}

#[component]
pub fn DeleteModel(props: &DeleteProps) -> Html {
    let org = use_org();
    let Model { id, name, .. } = props.model.clone();
    let delete = {
        let name = name.clone();
        use_action(props.ondone.reform(move |()| format!("Model {name} is deleted.").into()))
    };
    let (running, problem) = (delete.running(), delete.problem());
    let onconfirm = Callback::from(move |()| {
        let org = org.slug();
        delete.run(async move { api::catalog::delete_model(&org, id).await });
    });
    html! {
        <Confirm title={format!("Delete model {name}?")} verb="Delete model" {running} {problem} {onconfirm} onclose={props.onclose.clone()}>
            <p>{ "Calls that name it are refused from then on. Past calls keep their records and prices." }</p>
        </Confirm>
    }
}
