//! Links: somebody who was invited, or who forgot their password, chooses one; and who has an account is
//! asked whether they belong to one more organisation.
//!
//! What always holds: a link is good once and for a while, and a newer one ends it; who has only a link
//! is not in, since a login follows, with the second factor where there is one; what a mail server brings
//! is shown to nobody else; and whether an address has an account is told to no outsider.

use chrono::TimeDelta;
use ralex_access::Scope;
use ralex_api::identity::NewMemberAnswer;
use ralex_api::links::{
    ForgottenOffer, ForgottenPassword, Invitation, LinkPurpose, LinkShown, SetPassword, UseLink,
};
use ralex_audit::{AccountEvent, Author, Event};
use ralex_kernel::{Code, Credential, Email, OrgId, Problem, Secret, Subject, UserId};
use ralex_mail::{Mail, Mailer};
use ralex_store::{System, problem};
use tracing::warn;
use url::Url;

use crate::mint::{Minted, TokenKind};
use crate::{Arrival, Identity, password, sql, stored, throttle};

/// How long an invitation waits.
const INVITED: TimeDelta = TimeDelta::days(7);
/// And a link of who forgot their password: they sit before their mailbox.
pub(crate) const FORGOTTEN: TimeDelta = TimeDelta::minutes(30);
/// Mails of that kind to one address that cost nothing, and the longest wait then, in seconds.
const FREE_MAILS: i32 = 3;
const LONGEST_WAIT: i64 = 900;

/// A link that is made and not handed over yet.
pub(crate) struct Link {
    minted: Minted,
    may_show: bool,
    asks: Asks,
}

/// What a link asks of who opens it.
enum Asks {
    ForPassword,
    /// To sign in and say yes or no; where nobody can sign in yet, after a password is chosen by a link that
    /// nobody but a mail server is shown.
    Whether(Option<Minted>),
}

/// Who brings links, and what they begin with.
#[derive(Clone)]
pub(crate) struct Post {
    mailer: Mailer,
    /// Without a slash at its end; nothing where the settings do not say how people reach the server.
    address: String,
}

impl Post {
    pub fn none(public_url: Option<&Url>) -> Self {
        let address = public_url.map(|url| url.as_str().trim_end_matches('/').to_owned());
        Self { mailer: Mailer::absent(), address: address.unwrap_or_default() }
    }

    pub fn by(self, mailer: Mailer) -> Self {
        Self { mailer, ..self }
    }
}

impl Identity {
    /// Makes a link if nobody can come in by an account yet. It is sent by [`Identity::hand_over`] once
    /// the transaction has ended.
    pub(crate) async fn invite_if_unused(
        &self,
        tx: &mut System,
        author: &Author,
        user: UserId,
    ) -> Result<Option<Link>, Problem> {
        if !sql::link::is_unused(tx, user).await.map_err(problem)? {
            return Ok(None);
        }
        // Whoever may be shown the link can come in by it, and is no second person beside themselves.
        if let Some(maker) = author.subject.user() {
            sql::user::set_maker(tx, user, maker).await.map_err(problem)?;
        }
        let event = Event::Account(AccountEvent::Invited { user });
        ralex_audit::record(tx, author, event).await.map_err(problem)?;
        self.invite(tx, author.org, user).await.map(Some)
    }

    async fn invite(&self, tx: &mut System, org: OrgId, user: UserId) -> Result<Link, Problem> {
        let now = self.clock.now();
        let minted = self.mint.mint(TokenKind::Link);
        // Who has it is that person everywhere, so an administrator of one organisation sees none of
        // somebody who is in another as well.
        let may_show = !sql::link::is_elsewhere(tx, user, org).await.map_err(problem)?;
        // One that nobody could be given would only end the one which the other organisation handed over.
        if may_show || self.forgotten_offer().offered {
            let (purpose, times) = (LinkPurpose::Invited.as_str(), (now, now + INVITED));
            sql::link::put(tx, (user, None), purpose, &minted.digest, times)
                .await
                .map_err(problem)?;
        }
        Ok(Link { minted, may_show, asks: Asks::ForPassword })
    }

    /// Makes a link by which somebody who has an account says whether they belong to the author's
    /// organisation. It opens nothing by itself, so that it may be shown.
    pub(crate) async fn ask_to_join(
        &self,
        tx: &mut System,
        author: &Author,
        user: UserId,
    ) -> Result<Link, Problem> {
        let now = self.clock.now();
        let minted = self.mint.mint(TokenKind::Link);
        let (purpose, times) = (LinkPurpose::Join.as_str(), (now, now + INVITED));
        sql::link::put(tx, (user, Some(author.org)), purpose, &minted.digest, times)
            .await
            .map_err(problem)?;
        let event = Event::Account(AccountEvent::Invited { user });
        ralex_audit::record(tx, author, event).await.map_err(problem)?;
        let unused = sql::link::is_unused(tx, user).await.map_err(problem)?;
        let first = if unused && self.forgotten_offer().offered {
            Some(self.invite(tx, author.org, user).await?.minted)
        } else {
            None
        };
        Ok(Link { minted, may_show: true, asks: Asks::Whether(first) })
    }

    /// Has an invitation brought by mail; where none can bring it, the answer holds the link itself.
    pub(crate) async fn hand_over(
        &self,
        made: Option<Link>,
        (to, org): (&Email, &str),
    ) -> Result<Option<Invitation>, Problem> {
        let Some(made) = made else { return Ok(None) };
        let link = self.link(&made.minted.text);
        let (days, has_account) = (INVITED.num_days(), matches!(made.asks, Asks::Whether(_)));
        let what = match &made.asks {
            Asks::ForPassword => format!("Choose a password to come in:\n\n{link}"),
            Asks::Whether(None) => {
                format!(
                    "Sign in with the account that you have, and say whether you join:\n\n{link}"
                )
            }
            Asks::Whether(Some(first)) => format!(
                "Choose a password for the account that you have:\n\n{}\n\nThen sign in, and say \
                 whether you join:\n\n{link}",
                self.link(&first.text)
            ),
        };
        let text = format!(
            "You are invited to {org} on Ralex.\n\n{what}\n\nA link is good once, for {days} days. If you \
             did not expect this, leave it alone.\n"
        );
        let sent = self.send(to, format!("Invitation to {org}"), text).await;
        let expires_at = self.clock.now() + INVITED;
        let mut invitation =
            Invitation { expires_at, mailed: true, link: None, failure: None, has_account };
        match sent {
            Ok(()) => self.sent(&made.minted.digest).await?,
            Err(why) => {
                invitation.mailed = false;
                invitation.link = made.may_show.then_some(link);
                invitation.failure = Some(why);
            }
        }
        Ok(Some(invitation))
    }

    /// Invites a member again by whose account nobody can come in yet, or who has yet to say whether they
    /// belong to the organisation; the former link ends. Whoever may be
    /// shown the link can come in by it, so they have to be able to give all that the member holds.
    ///
    /// # Errors
    /// `conflict` for who has a way in, `grant_exceeds_own` where the member holds what the caller could not
    /// give.
    pub async fn invite_again(
        &self,
        scope: &Scope,
        user: UserId,
    ) -> Result<NewMemberAnswer, Problem> {
        let member = self.member(scope, user).await?;
        let mut tx = self.db.system("invite a member again").await?;
        let made = if member.awaits_acceptance {
            self.access.may_resume(&mut tx, scope, user).await?;
            Some(self.ask_to_join(&mut tx, scope.author(), user).await?)
        } else {
            self.access.may_vouch_for(&mut tx, scope, user).await?;
            self.invite_if_unused(&mut tx, scope.author(), user).await?
        };
        if made.is_none() {
            let detail = "This person has a way in already. Who forgot their password asks for another \
                          one on the sign-in page.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        tx.commit().await.map_err(problem)?;
        let org = self.org(scope.org()).await?;
        let invitation = self.hand_over(made, (&member.user.email, org.name.as_str())).await?;
        Ok(NewMemberAnswer { member, one_time_password: None, invitation })
    }

    /// Whether who forgot their password can have a link by mail.
    pub fn forgotten_offer(&self) -> ForgottenOffer {
        let offered = self.post.mailer.is_set_up() && !self.post.address.is_empty();
        ForgottenOffer { offered }
    }

    /// Sends a link to who forgot their password, if there is such an account and a mail server. Who asks
    /// is told the same in any case, and at once.
    pub async fn forgotten(
        &self,
        asked: ForgottenPassword,
        arrival: &Arrival,
    ) -> Result<(), Problem> {
        let address = throttle::Key {
            name: format!("forgotten:{}", asked.email.key()),
            free_tries: FREE_MAILS,
            longest: LONGEST_WAIT,
        };
        let mut tx = self.db.system("count a question for another password").await?;
        throttle::begin(&mut tx, &[address, throttle::of_network(arrival)], self.clock.now())
            .await?;
        tx.commit().await.map_err(problem)?;
        let (identity, arrival) = (self.clone(), arrival.clone());
        // Not waited for, so that the time taken does not tell whether there is such an account.
        tokio::spawn(async move {
            if let Err(why) = identity.remind(&asked.email, &arrival).await {
                warn!("a link for another password cannot be sent: {}", why.detail);
            }
        });
        Ok(())
    }

    async fn remind(&self, to: &Email, arrival: &Arrival) -> Result<(), Problem> {
        let now = self.clock.now();
        let mut tx = self.db.system("make a link for another password").await?;
        let found = sql::user::find_account(&mut tx, &to.key()).await.map_err(problem)?;
        let Some(account) = found.filter(|account| account.password_hash.is_some()) else {
            return Ok(());
        };
        let minted = self.mint.mint(TokenKind::Link);
        let (purpose, times) = (LinkPurpose::Forgotten.as_str(), (now, now + FORGOTTEN));
        sql::link::put(&mut tx, (account.id, None), purpose, &minted.digest, times)
            .await
            .map_err(problem)?;
        let caller = arrival.caller(Subject::System, Credential::Internal);
        let event = Event::Account(AccountEvent::Forgotten { user: account.id });
        self.record_everywhere(&mut tx, &caller, account.id, &event).await?;
        tx.commit().await.map_err(problem)?;
        let text = format!(
            "Somebody, probably you, asked for another password on Ralex.\n\nChoose one:\n\n{}\n\n\
             The link is good once, for {} minutes. If it was not you, leave it alone: nothing has \
             changed.\n",
            self.link(&minted.text),
            FORGOTTEN.num_minutes()
        );
        let to = stored::<Email>(&account.email)?;
        match self.send(&to, "Another password".to_owned(), text).await {
            Ok(()) => self.sent(&minted.digest).await,
            Err(why) => {
                warn!("a link for another password was not taken by the mail server: {why}");
                Ok(())
            }
        }
    }

    /// Whose account a link opens.
    pub async fn link_of(&self, used: &UseLink, arrival: &Arrival) -> Result<LinkShown, Problem> {
        let mut tx = self.db.system("tell whose a link is").await?;
        let row = self.usable(&mut tx, &used.link, arrival).await?;
        let purpose = LinkPurpose::named(&row.purpose).ok_or_else(gone)?;
        let (email, name) = (stored(&row.email)?, stored(&row.name)?);
        let org = row.org_name.as_deref().map(stored).transpose()?;
        Ok(LinkShown { purpose, email, name, expires_at: row.expires_at, org })
    }

    /// Sets the password of a link's account, and ends all sessions that were opened by the former one.
    pub async fn set_password(&self, set: SetPassword, arrival: &Arrival) -> Result<(), Problem> {
        let now = self.clock.now();
        let mut tx = self.db.system("look at a link before its password is hashed").await?;
        let row = self.usable(&mut tx, &set.link, arrival).await?;
        if row.org.is_some() {
            let detail = "This link asks whether you belong to an organisation, and sets no password. Sign \
                          in with your account, then answer it: POST /api/v1/auth/link/join.";
            return Err(Problem::new(Code::Conflict, detail));
        }
        // Hashing takes its time; no connection waits for it.
        drop(tx);
        password::check_strength(&set.new, &row.email.to_lowercase())?;
        let hash = self.passwords.hash(&set.new).await?;
        let mut tx = self.db.system("set a password by a link").await?;
        let row = self.usable(&mut tx, &set.link, arrival).await?;
        let user = row.user;
        sql::password::set_password(&mut tx, user, &hash).await.map_err(problem)?;
        if let Some(name) = &set.name {
            sql::user::set_name(&mut tx, user, name.as_str()).await.map_err(problem)?;
        }
        sql::link::end_all(&mut tx, user).await.map_err(problem)?;
        let ended = sql::session::revoke_others(&mut tx, user, None, now, None).await;
        let sessions_ended = u32::try_from(ended.map_err(problem)?.len()).unwrap_or(u32::MAX);
        sql::factor::end_challenges(&mut tx, user).await.map_err(problem)?;
        sql::program::end_approved(&mut tx, user, None).await.map_err(problem)?;
        let caller = arrival.caller(Subject::User(user), Credential::Internal);
        let event = Event::PasswordChanged { user, sessions_ended };
        self.record_everywhere(&mut tx, &caller, user, &event).await?;
        tx.commit().await.map_err(problem)
    }

    pub(crate) async fn usable(
        &self,
        tx: &mut System,
        link: &Secret,
        arrival: &Arrival,
    ) -> Result<sql::link::LinkRow, Problem> {
        let now = self.clock.now();
        let network = [throttle::of_network(arrival)];
        throttle::check(tx, &network, now).await?;
        let known = self.mint.recognise(link.expose()).filter(|(kind, _)| *kind == TokenKind::Link);
        // Noise is refused without a question.
        let Some((_, digest)) = known else { return Err(gone()) };
        sql::link::find(tx, &digest, now).await.map_err(problem)?.ok_or_else(gone)
    }

    /// What a person opens. What it is good for stands after the `#`, which no browser sends and no log
    /// of a proxy holds.
    pub(crate) fn link(&self, text: &Secret) -> String {
        format!("{}/welcome#{}", self.post.address, text.expose())
    }

    pub(crate) async fn send(
        &self,
        to: &Email,
        subject: String,
        text: String,
    ) -> Result<(), String> {
        if self.post.address.is_empty() {
            return Err(
                "No public address is set, so a mail could not say where to go: an operator \
                        names one with RALEX_PUBLIC_URL."
                    .to_owned(),
            );
        }
        let mail = Mail {
            to: vec![to.clone()],
            subject,
            text,
            html: None,
            attachments: Vec::new(),
            id: None,
        };
        self.post.mailer.send(&mail).await.map_err(|failure| failure.why)
    }

    async fn sent(&self, digest: &[u8]) -> Result<(), Problem> {
        let mut tx = self.db.system("note that a link was mailed").await?;
        sql::link::mailed(&mut tx, digest, self.clock.now()).await.map_err(problem)?;
        tx.commit().await.map_err(problem)
    }
}

pub(crate) fn gone() -> Problem {
    let detail = "This link was used, has ended, or a newer one took its place. Ask whoever invited you \
                  for another one, or ask for another password on the sign-in page.";
    Problem::new(Code::NotFound, detail)
}
