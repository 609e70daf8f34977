//! The messages of SCRAM, RFC 5802 7: names with their escapes, and what the server's two say. Pure text, no secrets.

use super::Secret;
use crate::error::SaslCause;

/// The server's first message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerFirst<'m> {
    pub(super) nonce: &'m str,
    pub(super) salt: Secret,
    pub(super) iterations: u64,
}

/// The server's last message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ServerFinal<'m> {
    Signature(Secret),
    Error(&'m str),
}

/// A name as a `saslname`: `,` and `=` would end it.
pub(super) fn escaped(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

/// `r=nonce,s=salt,i=count`, in this order; what follows is for extensions that may be ignored.
pub(super) fn server_first(message: &str) -> Result<ServerFirst<'_>, SaslCause> {
    if message.starts_with("m=") {
        return Err(SaslCause::Malformed("an extension of SCRAM (m=) that must be understood and is not"));
    }
    let mut attributes = message.split(',');
    let mut next = |name: &str| attributes.next().and_then(|attribute| attribute.strip_prefix(name));
    let (nonce, salt, count) = (next("r="), next("s="), next("i="));
    let bad = |what| SaslCause::Malformed(what);
    let nonce = nonce.ok_or(bad("a first message of SCRAM without a nonce"))?;
    let salt = salt.and_then(|salt| Secret::from_base64(salt.as_bytes())).filter(|salt| !salt.as_bytes().is_empty());
    let salt = salt.ok_or(bad("a first message of SCRAM without a salt"))?;
    let count = count.filter(|count| count.bytes().all(|byte| byte.is_ascii_digit()) && !count.is_empty());
    let count = count.ok_or(bad("a first message of SCRAM without an iteration count"))?;
    // A count that does not fit into 64 bits is above any limit.
    Ok(ServerFirst { nonce, salt, iterations: count.parse().unwrap_or(u64::MAX) })
}

/// `v=signature` or `e=error`; what follows is for extensions that may be ignored.
pub(super) fn server_final(message: &str) -> Result<ServerFinal<'_>, SaslCause> {
    let first = message.split(',').next().unwrap_or_default();
    if let Some(error) = first.strip_prefix("e=") {
        return Ok(ServerFinal::Error(error));
    }
    let signature = first.strip_prefix("v=").and_then(|signature| Secret::from_base64(signature.as_bytes()));
    signature.map(ServerFinal::Signature).ok_or(SaslCause::Malformed("a last message of SCRAM without a signature"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_once() {
        assert_eq!(escaped("a=b,c=2Cd"), "a=3Db=2Cc=3D2Cd");
        assert_eq!(escaped("user@example.com"), "user@example.com");
    }

    #[test]
    fn a_first_message_has_three_parts_in_order() {
        let good = server_first("r=abc,s=QSXCR+Q6sek8bf92,i=4096,x=more").unwrap();
        assert_eq!((good.nonce, good.iterations), ("abc", 4096));
        assert_eq!(server_first("r=a,s=YQ==,i=99999999999999999999999").unwrap().iterations, u64::MAX);
        let bad = [
            "",
            "r=a",
            "r=a,s=YQ==",
            "s=YQ==,r=a,i=1",
            "r=a,s=,i=4096",
            "r=a,s=%,i=4096",
            "r=a,s=YQ==,i=",
            "r=a,s=YQ==,i=+1",
            "r=a,s=YQ==,i=-1",
            "r=a,s=YQ==,i=0x10",
            "r=a,s=YQ==,i= 1",
            "r=a,i=1,s=YQ==",
            "m=ext,r=a,s=YQ==,i=4096",
            "a=b",
            "r=a,x=y,s=YQ==,i=4096",
            "v=YQ==",
        ];
        for bad in bad {
            assert!(matches!(server_first(bad), Err(SaslCause::Malformed(_))), "{bad}");
        }
    }

    #[test]
    fn a_last_message_is_a_signature_or_an_error() {
        assert_eq!(server_final("v=YQ==,x=y"), Ok(ServerFinal::Signature("a".into())));
        assert_eq!(server_final("e=invalid-proof"), Ok(ServerFinal::Error("invalid-proof")));
        for bad in ["", "v=%", "V=YQ==", "x=y,v=YQ==", "YQ=="] {
            assert!(matches!(server_final(bad), Err(SaslCause::Malformed(_))), "{bad}");
        }
    }
}
