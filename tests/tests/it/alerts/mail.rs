//! `ralex mail test`: the settings of a mail server, tried.

use std::process::Output;

use ralex_tests::app::run;

use super::FROM;
use super::post_office::PostOffice;
use crate::sinks::collector::Authority;

fn test(settings: &[(&str, &str)]) -> (bool, String) {
    let settings = [settings, &[("RALEX_MAIL_FROM", FROM)]].concat();
    let output: Output = run(&["mail", "test", "--to", "ada@example.com"], &settings);
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn mail_goes_out_encrypted_and_with_a_login_or_not_at_all() {
    let authority = Authority::new("Mail CA");
    let office = PostOffice::encrypted(&authority);
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, authority.pem()).unwrap();
    let ca = ca.to_str().unwrap();
    let url = |password: &str| format!("smtp://ada:{password}@localhost:{}", office.port);
    let (sent, said) = test(&[("RALEX_SMTP_URL", &url("right")), ("RALEX_SMTP_CA", ca)]);
    assert!(sent, "{said}");
    let letters = office.letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(letters[0].encrypted, "{letters:?}");
    assert_eq!(letters[0].login.as_deref(), Some(":ada:right"));
    assert_eq!(letters[0].to, ["ada@example.com"]);
    // Somebody else's certificate.
    let (sent, said) = test(&[("RALEX_SMTP_URL", &url("right"))]);
    assert!(!sent && said.contains("No encrypted connection"), "{said}");
    let (sent, said) = test(&[("RALEX_SMTP_URL", &url("hidden")), ("RALEX_SMTP_CA", ca)]);
    assert!(!sent && said.contains("refused the login with 535"), "{said}");
    assert!(!said.contains("hidden"), "{said}");
    assert_eq!(office.came().len(), 1);
}

#[test]
fn a_server_that_cannot_encrypt_gets_nothing() {
    let office = PostOffice::start();
    let (sent, said) = test(&[("RALEX_SMTP_URL", &office.url())]);
    assert!(!sent && said.contains("STARTTLS"), "{said}");
    assert!(office.came().is_empty());
    let (sent, said) = test(&[("RALEX_SMTP_URL", &office.url()), ("RALEX_SMTP_TLS", "off")]);
    assert!(sent, "{said}");
    office.answer(Some("550 not here"));
    let (sent, said) = test(&[("RALEX_SMTP_URL", &office.url()), ("RALEX_SMTP_TLS", "off")]);
    assert!(!sent && said.contains("550") && said.contains("not here"), "{said}");
    let (sent, said) = test(&[]);
    assert!(!sent && said.contains("RALEX_SMTP_URL"), "{said}");
    let (sent, said) = test(&[("RALEX_SMTP_URL", "smtp://127.0.0.1:9")]);
    assert!(!sent && said.contains("cannot be reached"), "{said}");
}
