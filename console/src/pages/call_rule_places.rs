//! Where somebody may write rules: the organisation, or those of its teams and projects.

use ralex_api::call_rules::CallEffect;
use yew::prelude::*;

use crate::api;
use crate::hooks::use_load;
use crate::session::use_org;

/// Places with what they read as.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places {
    /// Whether it is allowed in the whole organisation.
    whole: bool,
    pub options: Vec<(AttrValue, AttrValue)>,
}

impl Places {
    pub fn is_any(&self) -> bool {
        !self.options.is_empty()
    }

    /// What allows lifts what the organisation says, so that it takes the right in the whole of it.
    pub fn effects(&self) -> &'static [CallEffect] {
        if self.whole {
            &[CallEffect::Deny, CallEffect::Ask, CallEffect::Allow]
        } else {
            &[CallEffect::Deny, CallEffect::Ask]
        }
    }

    pub fn may_write(&self, effect: CallEffect, scope: &str) -> bool {
        self.effects().contains(&effect) && self.options.iter().any(|(place, _)| *place == scope)
    }
}

/// The places where the reader holds the permission.
#[hook]
pub fn use_writable(permission: &'static str) -> Places {
    let org = use_org();
    let (load, _) = use_load(org.slug(), |org| async move {
        let teams = api::identity::teams(&org, None).await?.items;
        Ok((teams, api::identity::projects(&org, None).await?.items))
    });
    let whole = org.blocked(permission).is_none();
    let mut options: Vec<(AttrValue, AttrValue)> = Vec::new();
    if whole {
        options.push(("org".into(), format!("Organisation {}", org.name()).into()));
    }
    if let Some(found) = load.ready() {
        let (teams, projects) = &**found;
        for team in teams {
            if org.can_at(permission, &[format!("team:{}", team.id)]) {
                let words = format!("Team {}", team.name);
                options.push((format!("team:{}", team.slug).into(), words.into()));
            }
        }
        for project in projects {
            let places = [format!("team:{}", project.team), format!("project:{}", project.id)];
            if org.can_at(permission, &places) {
                let words = format!("Project {} of {}", project.name, project.team_slug);
                options.push((format!("project:{}", project.slug).into(), words.into()));
            }
        }
    }
    Places { whole, options }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_decides_for_the_whole_organisation_writes_what_allows() {
        let team = Places { whole: false, options: vec![("team:blue".into(), "Blue".into())] };
        assert!(team.may_write(CallEffect::Deny, "team:blue"));
        assert!(!team.may_write(CallEffect::Deny, "org"));
        assert!(!team.may_write(CallEffect::Allow, "team:blue"));
        let whole = Places { whole: true, ..team };
        assert!(whole.may_write(CallEffect::Allow, "team:blue"));
    }
}
