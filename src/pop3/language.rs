//! UTF-8 and the language of the server's texts: UTF8 and LANG, RFC 6856.

use super::codec::{self, ListingFramer, StatusFramer};
use super::{Language, Pop3, accepted, call, send};
use crate::wire::{Answer, Part};
use crate::{Client, Error, Result};

impl Client<Pop3> {
    /// Asks for UTF-8 in messages and in what the server says: UTF8. Before the log-in, and after
    /// [`start_tls`](Client::start_tls), which the client refuses from then on (RFC 6856 2.1).
    ///
    /// Without it a server may refuse a message with an address outside ASCII, with
    /// [`ResponseCode::Utf8`](super::ResponseCode::Utf8). Names and passwords outside ASCII need a server whose
    /// capability `UTF8` has the argument `USER`.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// if pop3.capabilities()?.has("UTF8") {
    ///     pop3.utf8()?;
    /// }
    /// pop3.login("user", "password")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As all verbs.
    pub fn utf8(&mut self) -> Result<()> {
        self.exchange(|pop3, wire| {
            let framer = StatusFramer::new(wire.limits());
            call(wire, "UTF8", framer)?;
            pop3.utf8 = true;
            Ok(())
        })
    }

    /// The languages in which the server can speak: LANG, RFC 6856 3.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// for language in pop3.languages()? {
    ///     println!("{}: {}", language.tag, language.description);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Limit`] for more than `limits.list_entries`.
    pub fn languages(&mut self) -> Result<Vec<Language>> {
        self.exchange(|_, wire| {
            let framer = ListingFramer::entries(wire.limits());
            call(wire, "LANG", framer)?;
            let mut languages = Vec::new();
            while wire.next_part()? != Part::Last {
                let (tag, description) = codec::language(codec::listed(wire.frame()));
                languages.push(Language { tag, description });
            }
            Ok(languages)
        })
    }

    /// Has the server speak the language of this tag (RFC 5646: `es`, `pt-BR`), or its own if that is `*`: LANG. Returns
    /// the tag of the language that it took.
    ///
    /// ```
    /// # use mailconnect::{Pop3Client, testing::{Mode, Server}};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = Server::pop3().mode(Mode::Plain).start()?;
    /// # let mut pop3 = Pop3Client::connect(server.endpoint())?;
    /// assert_eq!(pop3.lang("en")?, "en");
    /// assert!(pop3.lang("tlh").is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what is no tag; nothing was sent then. A server without that language refuses.
    pub fn lang(&mut self, tag: &str) -> Result<String> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if tag != "*" && (tag.is_empty() || !tag.bytes().all(good)) {
            return Err(Error::invalid("tag", "is no language tag (RFC 5646) and not `*`"));
        }
        codec::argument("tag", "LANG ".len(), tag)?;
        self.exchange(|_, wire| {
            let answer = Answer::new("LANG", StatusFramer::new(wire.limits()));
            send(wire, answer, |group| group.put("LANG ").text("tag", tag.as_bytes()))?;
            accepted(wire, "LANG")?;
            let text = codec::status(wire.frame()).map(|status| codec::language(status.text).0);
            text.map_err(|flaw| wire.flaw(flaw))
        })
    }
}
