//! Kinds of providers: what the files of `policies/providers` say about them.

use std::sync::Arc;

use ralex_api::catalog::{ProviderKind, ProviderKindInfo};
use ralex_kernel::Problem;
use ralex_providers::{Operation, ProviderSpec, Scheme, Specs};

use crate::Routing;

impl Routing {
    /// The kinds of providers that can be added, by name.
    pub fn kinds(&self) -> Vec<ProviderKindInfo> {
        let specs = Specs::built_in().ok();
        specs.into_iter().flat_map(Specs::all).filter_map(|spec| self.kind(spec)).collect()
    }

    fn kind(&self, spec: &ProviderSpec) -> Option<ProviderKindInfo> {
        let kind: ProviderKind = spec.kind.parse().ok()?;
        let known = self.0.catalogue.of(&kind).count();
        let generates = spec.is_simulated() || !spec.speaks.is_empty();
        let generate = generates.then_some(Operation::Generate);
        let operations = generate.iter().chain(spec.operations.keys());
        Some(ProviderKindInfo {
            name: spec.name.clone(),
            base_url: base_url(spec),
            base_url_hint: spec.base_url_hint.clone(),
            key_hint: spec.key_hint.clone(),
            docs: spec.docs.as_ref().map(ToString::to_string),
            auth: scheme(spec.auth.scheme).to_owned(),
            needs_key: spec.auth.required,
            local: spec.local,
            dialects: spec.speaks.iter().map(|speaks| speaks.wire.as_str().to_owned()).collect(),
            operations: operations.map(|operation| operation.as_str().to_owned()).collect(),
            known_models: u32::try_from(known).unwrap_or(u32::MAX),
            kind,
        })
    }
}

/// What is known of a kind.
pub(crate) fn find(kind: &str) -> Option<&'static Arc<ProviderSpec>> {
    Specs::built_in().ok()?.find(kind)
}

/// The kind that a caller wrote.
pub(crate) fn known(kind: &ProviderKind) -> Result<&'static Arc<ProviderSpec>, Problem> {
    find(kind.as_str()).ok_or_else(|| {
        let specs = Specs::built_in().ok();
        let names: Vec<&str> =
            specs.into_iter().flat_map(Specs::all).map(|spec| spec.kind.as_str()).collect();
        Problem::field("kind", format!("must be one of {}", names.join(", ")))
    })
}

/// The vendor's own address, in the form in which it is stored.
pub(crate) fn base_url(spec: &ProviderSpec) -> Option<String> {
    spec.base_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned())
}

const fn scheme(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Bearer => "bearer",
        Scheme::Header => "header",
        Scheme::Query => "query",
        Scheme::Sigv4 => "sigv4",
        Scheme::Google => "google",
        Scheme::None => "none",
    }
}
