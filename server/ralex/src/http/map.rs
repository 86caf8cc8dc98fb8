//! What the URL map is made for: to serve its routes, or to describe them.
//!
//! Describing is the work of a moment, and of many times the memory that serving takes; so a server
//! that starts describes nothing, and hands out the document that is kept with the code.

use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::web;
use utoipa_actix_web::OpenApiFactory;
use utoipa_actix_web::scope::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use super::middleware::{idempotent, org_caller};

/// Takes routes.
pub enum Map<'a, 's> {
    Serve(&'a mut web::ServiceConfig),
    Describe(&'a mut ServiceConfig<'s>),
}

impl Map<'_, '_> {
    pub fn service<F>(&mut self, route: F) -> &mut Self
    where
        F: HttpServiceFactory + OpenApiFactory + 'static,
    {
        match self {
            Self::Serve(config) => drop(config.service(route)),
            Self::Describe(config) => drop(config.service(route)),
        }
        self
    }

    pub fn configure(&mut self, routes: fn(&mut Map<'_, '_>)) -> &mut Self {
        routes(self);
        self
    }

    /// Routes of an organisation, below a path that names it; who asks is known before they are.
    pub fn of_org(&mut self, path: &str, routes: fn(&mut Map<'_, '_>)) -> &mut Self {
        match self {
            Self::Serve(config) => {
                let below = web::scope(path)
                    .wrap(from_fn(org_caller))
                    .configure(|config| routes(&mut Map::Serve(config)));
                config.service(below);
            }
            Self::Describe(config) => describe(config, path, routes),
        }
        self
    }

    /// The same, with answers that a retried request gets again.
    pub fn api(&mut self, path: &str, routes: fn(&mut Map<'_, '_>)) -> &mut Self {
        match self {
            Self::Serve(config) => {
                let below = web::scope(path)
                    .wrap(from_fn(idempotent))
                    .configure(|config| routes(&mut Map::Serve(config)));
                config.service(below);
            }
            Self::Describe(config) => describe(config, path, routes),
        }
        self
    }
}

fn describe(config: &mut ServiceConfig<'_>, path: &str, routes: fn(&mut Map<'_, '_>)) {
    config.service(scope(path).configure(|config| routes(&mut Map::Describe(config))));
}
