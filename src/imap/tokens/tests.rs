//! Byte tables for the tokenizer.

use super::super::strings::{slice, string};
use super::*;

fn tokens(text: &str) -> Vec<String> {
    let limits = Limits::default();
    let (mut tokens, mut found) = (Tokens::new(text.as_bytes(), 0, &limits), Vec::new());
    while let Some(token) = tokens.next().unwrap() {
        found.push(match token {
            Token::Open => "(".to_owned(),
            Token::Close => ")".to_owned(),
            Token::Atom(bytes) => format!("a:{}", String::from_utf8_lossy(bytes)),
            Token::Quoted(bytes) => format!("q:{}", String::from_utf8_lossy(bytes)),
            Token::Literal(bytes) => format!("l:{}", String::from_utf8_lossy(bytes)),
            Token::Streamed(size) => format!("s:{size}"),
            Token::Unclosed(bytes) => format!("u:{}", String::from_utf8_lossy(bytes)),
        });
    }
    found
}

#[test]
fn all_kinds() {
    let table: &[(&str, &[&str])] = &[
        ("", &[]),
        (" \r\n", &[]),
        ("a  b\r\n", &["a:a", "a:b"]),
        ("(a(b)c)", &["(", "a:a", "(", "a:b", ")", "a:c", ")"]),
        ("())", &["(", ")", ")"]),
        ("NIL -1 \\Seen \\* a[b]<0> \u{fc}", &["a:NIL", "a:-1", "a:\\Seen", "a:\\*", "a:a[b]<0>", "a:\u{fc}"]),
        (r#""a" "" "a\"b" "a\\" "ü""#, &["q:a", "q:", r#"q:a\"b"#, r"q:a\\", "q:ü"]),
        (r#""\" INBOX"#, &["q:\\", "a:INBOX"]),
        ("\"a (b\r\n", &["u:\"a (b\r\n"]),
        ("\"a\nb\" c", &["u:\"a\nb\" c"]),
        ("{3}\r\na b {0}\r\n~{1+}\nx)\r\n", &["l:a b", "l:", "l:x", ")"]),
        ("a {5}\r\n", &["a:a", "s:5"]),
        ("{x} {5 {5}x {99999999999999999999}\r\n", &["a:{x}", "a:{5", "a:{5}x", "a:{99999999999999999999}"]),
        ("a\"b c\"d", &["a:a\"b", "a:c\"d"]),
        // (Gmail, Zimbra, MailKit #485) Quotes in a string that are not escaped.
        (r#""say "hi" twice" x"#, &[r#"q:say "hi" twice"#, "a:x"]),
        (r#"("k="v"" "=?q?"a b"?=")"#, &["(", r#"q:k="v""#, r#"q:=?q?"a b"?="#, ")"]),
        (r#"""Ann" Lee" ""Bo"" "c "d\"e" f "g"" 5"#, &[r#"q:"Ann" Lee"#, r#"q:"Bo""#, r#"q:c "d\"e" f "g""#, "a:5"]),
        // (MailKit #422) A backslash at the end that is not escaped.
        (r#"("C:\a\" "SIZE" "10")"#, &["(", r"q:C:\a\", "q:SIZE", "q:10", ")"]),
        (
            r#"("a 3\") NIL (5) "b" "c\" "5" x"#,
            &["(", r"q:a 3\", ")", "a:NIL", "(", "a:5", ")", "q:b", r"q:c\", "q:5", "a:x"],
        ),
        (
            r#""a \" " "a\"b" "a \" NIL" "a\" b "c" d"#,
            &[r#"q:a \" "#, r#"q:a\"b"#, r#"q:a \" NIL"#, r#"q:a\" b "#, r#"a:c""#, "a:d"],
        ),
        (r#"("a\") 5)"#, &["(", r"q:a\", ")", "a:5", ")"]),
        (r#""a\" b)"#, &[r#"u:"a\" b)"#]),
        // (163.com) `""` itself.
        (
            r#"("""" NIL) """" ("""") """"x"#,
            &["(", r#"q:"""#, "a:NIL", ")", r#"q:"""#, "(", r#"q:"""#, ")", "q:", "q:", "a:x"],
        ),
        // One such quote alone.
        ("\"5\"x7\" NIL\r\n\"b\"", &["q:5\"x7", "a:NIL", "q:b"]),
        (
            r#"("a"b" "c")(5 "d"\"e") "f"g h" 5"#,
            &["(", r#"q:a"b"#, "q:c", ")", "(", "a:5", r#"q:d"\"e"#, ")", r#"q:f"g h"#, "a:5"],
        ),
        (
            r#"("N" "5"x7") "b" ("F" "5"x7") "=?q?"a b"?=" ""c" (d)""#,
            &["(", "q:N", "q:5\"x7", ")", "q:b", "(", "q:F", "q:5\"x7", ")", r#"q:=?q?"a b"?="#, r#"q:"c" (d)"#],
        ),
        ("\"a\"b\"", &["q:a\"b"]),
        // Without a blank between them they are two.
        (
            r#""a""b""c"NIL "d"5 "e"(x)"f"{1}"#,
            &["q:a", "q:b", "q:c", "a:NIL", "q:d", "a:5", "q:e", "(", "a:x", ")", "q:f", "a:{1}"],
        ),
        // An odd number of them, in places where pairs are looked for first: where NIL, lists, their end or another string
        // follows, the quote before that was the end.
        (
            r#"(("24."-M" (("Ann" NIL "12345" "q")))"#,
            &["(", "(", r#"q:24."-M"#, "(", "(", "q:Ann", "a:NIL", "q:12345", "q:q", ")", ")", ")"],
        ),
        (
            r#"("A."b" NIL "m."c" ) "(A."b" ((NIL "m."c")"#,
            &["(", r#"q:A."b"#, "a:NIL", r#"q:m."c"#, ")", r#"q:(A."b"#, "(", "(", "a:NIL", r#"q:m."c"#, ")"],
        ),
        (r#"("<i."d>") UID 7 "a."b" 5"#, &["(", r#"q:<i."d>"#, ")", "a:UID", "a:7", r#"q:a."b"#, "a:5"]),
        (r#"("<a."b>" nil NIL ) UID 7 "c")"#, &["(", r#"q:<a."b>"#, "a:nil", "a:NIL", ")", "a:UID", "a:7", "q:c", ")"]),
        (r#"("a."b" x) UID 7 "c")"#, &["(", "q:a.", "a:b\"", "a:x", ")", "a:UID", "a:7", "q:c", ")"]),
        (r#""24."x" "" NIL"#, &[r#"q:24."x"#, "q:", "a:NIL"]),
        (r#""24."x" " y" 5"#, &[r#"q:24."x"#, "q: y", "a:5"]),
        (r#""a "b" c."-d" (("e"))"#, &[r#"q:a "b" c."-d"#, "(", "(", "q:e", ")", ")"]),
        // Nothing tells it: no other string is swallowed.
        (r#""5."x" y "" 5"#, &["q:5.", "a:x\"", "a:y", "q:", "a:5"]),
        // Parentheses in the text are text, and so is NIL.
        (r#""the "b" NIL" 5"#, &[r#"q:the "b" NIL"#, "a:5"]),
        (r#"""Ann" ("Annie") Lee" ""Ann" ("Annie")" 5"#, &[r#"q:"Ann" ("Annie") Lee"#, r#"q:"Ann" ("Annie")"#, "a:5"]),
        (
            r#""see ("a") or ("b")" "(the "c") (d) "e" f" ":) "g" (5) h" 5"#,
            &[r#"q:see ("a") or ("b")"#, r#"q:(the "c") (d) "e" f"#, r#"q::) "g" (5) h"#, "a:5"],
        ),
        // (MailKit #1369) A literal that was counted in characters, as Java and .NET count them.
        ("{4}\r\nд\"д\" x", &["l:д\"д\"", "a:x"]),
        ("({3}\r\n😀é) {2}\r\nжж", &["(", "l:😀é", ")", "l:жж"]),
        // What is right, or wrong otherwise, stays.
        ("{2}\r\nд {2}\r\nдx {3}\r\nabcd", &["l:д", "l:дx", "l:abc", "a:d"]),
    ];
    for (text, expected) in table {
        assert_eq!(tokens(text), *expected, "{text:?}");
    }
}

#[test]
fn values_and_where_they_are() {
    let limits = Limits::default();
    let text = "a \"b\\\"\" {1}\r\nc (d (e) \"f\") NIL (g";
    let mut tokens = Tokens::new(text.as_bytes(), 0, &limits);
    let mut found = Vec::new();
    while let Some(value) = tokens.value().unwrap() {
        found.push(text[tokens.spot(&value)].to_owned());
    }
    assert_eq!(found, ["a", "b\\\"", "c", "(d (e) \"f\")", "NIL", "(g"]);
    assert_eq!(Value::Quoted(b"a\\\"b").text().unwrap(), &b"a\"b"[..]);
    assert_eq!(Value::Atom(b"nil").text(), None);
    assert_eq!(unescape(b"a\\\\b\\"), &b"a\\b\\"[..]);
    // (hMailServer) A backslash that is not escaped; but `\,` is a comma, as in header fields.
    assert_eq!(unescape("a\\b\\1\\é\\\\c\\, \\\"".as_bytes()), "a\\b\\1\\é\\c, \"".as_bytes());
}

#[test]
fn values_of_a_list_are_found_and_read() {
    let list = b"(a \"b\\\"\" {1}\r\nc (d (e) \"f\")NIL ~{0}\r\n \"\\\\\"\"\") rest";
    let mut tokens = Tokens::inside(list).unwrap();
    let mut found = Vec::new();
    while let Next::Value(span) = tokens.span() {
        found.push(string(slice(list, span)).map(|text| text.to_string()));
    }
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found, [text("a"), text("b\""), text("c"), None, None, text(""), text("\\"), text("")]);
    assert_eq!(tokens.peek(), Some(b'r'));
    for broken in [&b"(a"[..], b"((a)", b"(\"a)", b"({5}\r\na)", b"("] {
        let mut tokens = Tokens::inside(broken).unwrap();
        let end = std::iter::repeat_with(|| tokens.span()).find(|next| next.value().is_none());
        assert_eq!(end, Some(Next::Broken), "{broken:?}");
    }
    assert!(Tokens::inside(b"a").is_none() && Tokens::inside(b"").is_none());
    assert_eq!(string(b""), None);
    assert_eq!(string(b"\"").unwrap(), "\"");
}

/// The delimiter of levels, which some servers (Exchange) do not escape.
#[test]
fn delimiters() {
    for (text, meant, rest) in [
        (r#" "/" x"#, "/", " x"),
        (r#""\\" "x""#, r"\", r#" "x""#),
        (r#""\"" "x""#, "\"", r#" "x""#),
        (r#""\" "x""#, r"\", r#" "x""#),
        (r#""\")"#, r"\", ")"),
        (r#""\""#, r"\", ""),
        (
            r#"{1}
/ x"#,
            "/",
            " x",
        ),
        ("NIL x", "NIL", " x"),
    ] {
        let limits = Limits::default();
        let mut tokens = Tokens::new(text.as_bytes(), 0, &limits);
        let found = tokens.delimiter().unwrap().unwrap();
        let found = if meant == "NIL" { None } else { found.text() };
        assert_eq!(found.as_deref().unwrap_or(b"NIL"), meant.as_bytes(), "{text}");
        assert_eq!(&text[tokens.position()..], rest, "{text}");
    }
}

/// Rules 6 and 12: depth is a number.
#[test]
fn rule_12_nesting_costs_no_stack() {
    let mut limits = Limits::default();
    let nested = |depth: usize| "(".repeat(depth) + &")".repeat(depth);
    let value = |text: &str, limits: &Limits| Tokens::new(text.as_bytes(), 0, limits).value().map(drop);
    assert!(value(&nested(400_000), &limits).is_ok());
    limits.tokens = 10;
    assert!(value(&nested(5), &limits).is_ok());
    assert_eq!(value(&nested(6), &limits), Err(Flaw::TooMuch { what: "tokens", max: 10 }));
}

/// What looks like the start of something, again and again, is gone over once. A quadratic tokenizer takes minutes here.
#[test]
fn rule_12_no_text_takes_more_than_linear_time() {
    let limits = Limits { tokens: usize::MAX, ..Limits::default() };
    for piece in [
        "{a ",
        "{1 ",
        "~{ ",
        "\" ",
        "\"a ",
        "\"a\"b ",
        "\"a\"b\" ",
        "\"a.\"b\n",
        "\"a.\"b\" ((",
        "\"a.\"b\" \"\" ",
        "\"(\"b\") ",
        "\"a\"",
        "{2}\r\né\u{e9}x ",
        "\"\\\" ",
        "\"\\\" NIL \"b ",
        "\\\" ",
        "a\" ",
        "( ",
        ") ",
        "{1}\r\na ",
        "[ ",
        "x[ ",
        "x[{1}\r\n] ",
    ] {
        let text = piece.repeat(60_000);
        let mut tokens = Tokens::new(text.as_bytes(), 0, &limits);
        while tokens.next().unwrap().is_some() {}
        let mut tokens = Tokens::new(text.as_bytes(), 0, &limits);
        while tokens.item_name().unwrap().is_some() && tokens.value().unwrap().is_some() {}
    }
}
