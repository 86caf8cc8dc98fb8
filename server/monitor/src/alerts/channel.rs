//! Channels as people give them, checked.

use ralex_api::alerts::{AlertChannel, ChannelKind, NewAlertChannel};
use ralex_kernel::{Code, Email, Problem};
use ralex_providers::Post;
use url::Url;

use super::sql::rules::Channel;

/// A rule has so many at most.
pub(crate) const MOST: usize = 10;
const LONGEST: usize = 2_000;

/// Checks all of a rule, each by its place in the list. The same one twice is one.
pub(crate) fn checked(
    given: &[NewAlertChannel],
    post: &Post,
) -> Result<Vec<(ChannelKind, String)>, Problem> {
    if given.is_empty() || given.len() > MOST {
        let rule = format!("must be from 1 to {MOST}; alerts are in the inbox without any rule");
        return Err(Problem::field("channels", rule));
    }
    let mut channels: Vec<(ChannelKind, String)> = Vec::with_capacity(given.len());
    for (place, channel) in given.iter().enumerate() {
        let field = format!("channels[{place}].to");
        let target = match channel.kind {
            ChannelKind::Email => email(&field, &channel.to)?,
            ChannelKind::Webhook => webhook(&field, &channel.to, post)?,
        };
        if !channels.contains(&(channel.kind, target.clone())) {
            channels.push((channel.kind, target));
        }
    }
    Ok(channels)
}

fn email(field: &str, text: &str) -> Result<String, Problem> {
    let email: Result<Email, _> = text.parse();
    let email = email.map_err(|why| Problem::field(field, why.to_string()))?;
    Ok(email.as_str().to_owned())
}

fn webhook(field: &str, text: &str, post: &Post) -> Result<String, Problem> {
    let text = text.trim();
    let url: Url = text.parse().map_err(|_| {
        let rule = "is not an address such as https://example.com/hooks/ralex";
        Problem::field(field, rule)
    })?;
    if text.len() > LONGEST {
        return Err(Problem::field(field, "is too long"));
    }
    post.check(&url).map_err(|problem| Problem::field(field, problem.detail))?;
    Ok(text.to_owned())
}

pub(crate) fn shown(channel: Channel) -> Result<AlertChannel, Problem> {
    let kind = ChannelKind::named(&channel.kind).ok_or_else(|| {
        Problem::new(Code::Internal, "This channel is of a kind that this server does not know.")
    })?;
    Ok(AlertChannel {
        id: channel.id,
        kind,
        to: channel.target,
        failures: u32::try_from(channel.failures).unwrap_or(0),
        failure: channel.failure,
        failed_at: channel.failed_at,
        delivered_at: channel.delivered_at,
        secret: None,
    })
}

#[cfg(test)]
mod tests {
    use ralex_providers::EgressPolicy;

    use super::*;

    #[test]
    fn a_channel_that_cannot_be_is_named_by_its_place() {
        let post = Post::new(EgressPolicy::new([])).unwrap();
        let wrong = |kind, to: &str| {
            let good =
                NewAlertChannel { kind: ChannelKind::Email, to: "ada@example.com".to_owned() };
            let given = [good, NewAlertChannel { kind, to: to.to_owned() }];
            checked(&given, &post).unwrap_err().errors[0].path.clone()
        };
        assert_eq!(wrong(ChannelKind::Email, "nobody"), "channels[1].to");
        assert_eq!(wrong(ChannelKind::Webhook, "nowhere"), "channels[1].to");
        assert_eq!(wrong(ChannelKind::Webhook, "https://127.0.0.1/hook"), "channels[1].to");
        assert_eq!(checked(&[], &post).unwrap_err().errors[0].path, "channels");
    }

    #[test]
    fn the_same_channel_twice_is_one() {
        let post = Post::new(EgressPolicy::new([])).unwrap();
        let ada =
            || NewAlertChannel { kind: ChannelKind::Email, to: " ada@example.com".to_owned() };
        assert_eq!(checked(&[ada(), ada()], &post).unwrap().len(), 1);
    }
}
