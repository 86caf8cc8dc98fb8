//! What of an event tells of a person beyond their id, and of whom.
//!
//! These fields stand in a leaf as commitments. Free text that people write, as reasons and the
//! names of things, is not among them: nobody can tell whom it names.

use std::net::IpAddr;

use ralex_kernel::{Email, Subject, UserId};

use super::{AlertEvent, ApprovalEvent, Event, FactorEvent, LogEvent, ReportEvent};
use crate::Author;

/// Whose a field is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    User(UserId),
    /// Whoever has that e-mail address.
    Contact(Email),
}

/// A field of a record, by its JSON pointer.
pub(crate) type Personal = (String, Whose);

/// Whose address it is that a request came from. Machines are nobody's.
pub(crate) fn address(author: &Author, event: &Event) -> Option<(IpAddr, Whose)> {
    let address = author.address?;
    if let Event::LoginFailed { user, .. }
    | Event::Factor(
        FactorEvent::Failed { user, .. } | FactorEvent::PasskeyCopied { user, .. },
    ) = event
    {
        return Some((address, Whose::User(*user)));
    }
    match author.subject {
        Subject::User(user) => Some((address, Whose::User(user))),
        Subject::Token { .. }
        | Subject::Service { .. }
        | Subject::Directory { .. }
        | Subject::System => None,
    }
}

impl Event {
    /// The fields of its detail that are personal.
    pub(crate) fn personal(&self) -> Vec<Personal> {
        if let Self::MemberAdded { user, .. } = self {
            return vec![("/email".to_owned(), Whose::User(*user))];
        }
        // Written about nobody else.
        if let Self::Factor(FactorEvent::Reset { user, .. }) = self {
            return vec![("/reason".to_owned(), Whose::User(*user))];
        }
        if let Self::ProgramApproved { user, .. } | Self::ProgramDenied { user, .. } = self {
            return vec![("/name".to_owned(), Whose::User(*user))];
        }
        if let Self::Token(event) = self {
            let user = event.user();
            return user.map(|user| ("/name".to_owned(), Whose::User(user))).into_iter().collect();
        }
        if let Self::Approval(
            ApprovalEvent::Approved { asker, .. } | ApprovalEvent::Denied { asker, .. },
        ) = self
        {
            return contact("/asker", asker).into_iter().collect();
        }
        if let Self::Log(LogEvent::Changed { asked_by, .. }) = self {
            return contact("/asked_by", asked_by).into_iter().collect();
        }
        if let Self::Alert(
            AlertEvent::RuleCreated { channels, .. } | AlertEvent::RuleUpdated { channels, .. },
        ) = self
        {
            let told = channels.iter().enumerate().filter_map(|(at, channel)| {
                contact(&format!("/channels/{at}"), channel.strip_prefix("email ")?)
            });
            return told.collect();
        }
        if let Self::Report(
            ReportEvent::Mailed { recipients, .. }
            | ReportEvent::ScheduleCreated { recipients, .. }
            | ReportEvent::ScheduleUpdated { recipients, .. },
        ) = self
        {
            let told = recipients.iter().enumerate();
            return told
                .map(|(at, to)| (format!("/recipients/{at}"), Whose::Contact(to.clone())))
                .collect();
        }
        Vec::new()
    }
}

/// An e-mail address that may be an id, or the name of a token, as well.
fn contact(path: &str, text: &str) -> Option<Personal> {
    text.parse().ok().map(|email| (path.to_owned(), Whose::Contact(email)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenEvent;
    use ralex_kernel::{AuditRequestId, Credential, OrgId, ReportId, ScopePath, TeamId, TokenId};

    fn of(subject: Subject) -> Author {
        let address = Some([203, 0, 113, 9].into());
        Author { subject, address, ..Author::system(OrgId::generate()) }
    }

    #[test]
    fn addresses_are_of_people_and_of_no_machine() {
        let (user, team, token) = (UserId::generate(), TeamId::generate(), TokenId::generate());
        let event = Event::CacheCleared { org: OrgId::generate() };
        let found = address(&of(Subject::User(user)), &event);
        assert_eq!(found, Some(([203, 0, 113, 9].into(), Whose::User(user))));
        let org = OrgId::generate();
        let machine = Subject::Token { token, org, scope: ScopePath::Team { team } };
        let author = Author { credential: Credential::TeamToken(token), ..of(machine) };
        assert_eq!(address(&author, &event), None);
        assert_eq!(address(&of(Subject::System), &event), None);
        let failed = Event::LoginFailed { user, failures: 1 };
        let found = address(&of(Subject::System), &failed);
        assert_eq!(found.map(|it| it.1), Some(Whose::User(user)));
    }

    #[test]
    fn e_mail_addresses_are_personal_wherever_they_stand() {
        let user = UserId::generate();
        let ada: Email = "ada@example.com".parse().unwrap();
        let added = Event::MemberAdded { user, email: ada.clone() };
        assert_eq!(added.personal(), [("/email".to_owned(), Whose::User(user))]);
        let rule = AlertEvent::RuleUpdated {
            rule: ralex_kernel::AlertRuleId::generate(),
            name: "All".parse().unwrap(),
            scope: "org".into(),
            kinds: Vec::new(),
            least_severity: "info",
            channels: vec!["webhook example.com".into(), "email ada@example.com".into()],
            quiet: false,
            enabled: true,
        };
        let contact = |path: &str| [(path.to_owned(), Whose::Contact(ada.clone()))];
        assert_eq!(Event::Alert(rule).personal(), contact("/channels/1"));
        let mailed = ReportEvent::Mailed {
            report: ReportId::generate(),
            recipients: vec![ada.clone()],
            attached: true,
        };
        assert_eq!(Event::Report(mailed).personal(), contact("/recipients/0"));
        let denied = |asked_by: &str| LogEvent::Changed {
            request: AuditRequestId::generate(),
            what: super::super::Retained::Hold { hold: None },
            asked_by: asked_by.into(),
            reason: "x".into(),
        };
        let told = Event::Log(denied("ada@example.com")).personal();
        assert_eq!(told, contact("/asked_by"));
        assert!(Event::Log(denied(&user.to_string())).personal().is_empty());
    }

    #[test]
    fn the_name_of_a_personal_token_is_its_persons() {
        let (token, user) = (TokenId::generate(), UserId::generate());
        let revoked = TokenEvent::PersonalRevoked { token, name: "ada-mac".parse().unwrap(), user };
        let event = Event::Token(revoked);
        assert_eq!(event.personal(), [("/name".to_owned(), Whose::User(user))]);
        assert_eq!(event.target(), Some(format!("token:{token}")));
        let told = serde_json::to_value(&event).unwrap();
        assert_eq!(told["action"], "personal_token.revoked");
        assert_eq!(told["detail"], serde_json::json!({ "token": token, "name": "ada-mac" }));
    }
}
