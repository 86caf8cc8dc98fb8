//! A message, and how it is written.

use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment as Attached, MultiPart, SinglePart};
use ralex_kernel::Email;

use crate::{Failure, Sender};

/// A message to one or more people, who see each other's addresses.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    pub to: Vec<Email>,
    pub subject: String,
    pub text: String,
    /// The same as `text`, for readers who prefer it so.
    pub html: Option<String>,
    pub attachments: Vec<Attachment>,
    /// What the message is known by; the same when it is sent again. Letters, digits, `-`, `.` and
    /// `_`. A new one where none is given.
    pub id: Option<String>,
}

/// A file that goes with a message.
#[derive(Clone, Debug)]
pub struct Attachment {
    pub name: String,
    /// `application/pdf` for example.
    pub content_type: String,
    pub content: Vec<u8>,
}

impl Mail {
    pub(crate) fn message(&self, sender: &Sender) -> Result<Message, Failure> {
        let mut builder = Message::builder()
            .from(sender.mailbox().clone())
            .subject(one_line(&self.subject))
            .message_id(self.id.as_ref().map(|id| format!("<{id}@{}>", sender.domain())))
            // So that nobody's holiday answers it.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        for to in &self.to {
            let to = to.as_str().parse().map_err(|_| {
                Failure::message(format!("`{to}` is no address that mail can be sent to."))
            })?;
            builder = builder.to(lettre::message::Mailbox::new(None, to));
        }
        let unwritable =
            |_| Failure::message("The message has nobody whom it is addressed to.".to_owned());
        let plain = SinglePart::plain(self.text.clone());
        let Some(body) = self.alternatives() else {
            if self.attachments.is_empty() {
                return builder.singlepart(plain).map_err(unwritable);
            }
            let mixed = MultiPart::mixed().singlepart(plain);
            return builder.multipart(self.attached(mixed)?).map_err(unwritable);
        };
        if self.attachments.is_empty() {
            return builder.multipart(body).map_err(unwritable);
        }
        let mixed = MultiPart::mixed().multipart(body);
        builder.multipart(self.attached(mixed)?).map_err(unwritable)
    }

    fn alternatives(&self) -> Option<MultiPart> {
        let html = self.html.clone()?;
        Some(MultiPart::alternative_plain_html(self.text.clone(), html))
    }

    fn attached(&self, mut parts: MultiPart) -> Result<MultiPart, Failure> {
        for file in &self.attachments {
            let kind = ContentType::parse(&file.content_type).map_err(|_| {
                Failure::message(format!("`{}` is no type of content.", file.content_type))
            })?;
            let name = one_line(&file.name);
            parts = parts.singlepart(Attached::new(name).body(file.content.clone(), kind));
        }
        Ok(parts)
    }
}

/// A header is a line; what would end it becomes a space.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Mail {
        Mail {
            to: vec!["ada@example.com".parse().unwrap()],
            subject: "One\r\nBcc: all@example.com".to_owned(),
            text: "Text".to_owned(),
            id: Some("delivery-7".to_owned()),
            ..Mail::default()
        }
    }

    fn written(mail: &Mail) -> String {
        let sender: Sender = "Ralex <ralex@example.com>".parse().unwrap();
        String::from_utf8(mail.message(&sender).unwrap().formatted()).unwrap()
    }

    #[test]
    fn a_subject_cannot_bring_headers_and_the_id_is_the_senders_own() {
        let text = written(&mail());
        assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
        assert!(text.contains("Message-ID: <delivery-7@example.com>"), "{text}");
        assert!(text.contains("Auto-Submitted: auto-generated"), "{text}");
        assert!(
            text.contains("From: Ralex <ralex@example.com>") || text.contains("\"Ralex\""),
            "{text}"
        );
    }

    #[test]
    fn html_and_files_come_beside_the_text() {
        let file = Attachment {
            name: "report.pdf".to_owned(),
            content_type: "application/pdf".to_owned(),
            content: b"%PDF".to_vec(),
        };
        let text = written(&Mail {
            html: Some("<p>Text</p>".to_owned()),
            attachments: vec![file],
            ..mail()
        });
        for part in ["multipart/mixed", "multipart/alternative", "text/html", "report.pdf"] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn a_message_to_nobody_and_a_file_of_no_type_are_refused() {
        let sender: Sender = "ralex@example.com".parse().unwrap();
        assert!(Mail::default().message(&sender).unwrap_err().for_good);
        let file =
            Attachment { name: "a".to_owned(), content_type: "no".to_owned(), content: vec![] };
        assert!(Mail { attachments: vec![file], ..mail() }.message(&sender).is_err());
    }
}
