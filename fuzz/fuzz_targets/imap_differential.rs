//! What `imap-proto` or `imap-codec` can read of a FETCH response, ours must read too, and to the same values.
#![no_main]

use std::borrow::Cow;

use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;
use imap_codec::imap_types::core::NString;
use imap_codec::imap_types::fetch::MessageDataItem;
use imap_codec::imap_types::response::{Data, Response as Theirs};
use imap_proto::{AttributeValue, Response};
use libfuzzer_sys::fuzz_target;
use mailconnect::imap::{Address, Item, Text};
use mailconnect_fuzz::imap;

/// A value that all three know. An address is its mailbox and its host.
#[derive(Debug, PartialEq)]
enum Fact {
    Uid(u32),
    Size(u64),
    Envelope(Vec<Option<Vec<u8>>>, Vec<Vec<(Option<Vec<u8>>, Option<Vec<u8>>)>>),
}

fn text(text: Option<Text<'_>>) -> Option<Vec<u8>> {
    text.map(|text| text.as_bytes().to_vec())
}

/// The first message.
fn ours(response: &[u8]) -> Option<(u32, Vec<Fact>)> {
    let mut client = imap(&[response, b"A1 OK\r\n"].concat(), usize::MAX);
    let mut list = client.fetch(1, "ALL").ok()?;
    let mut message = list.next_message().ok()??;
    let (number, mut facts) = (message.number(), Vec::new());
    let pair = |address: Address<'_>| (text(address.mailbox), text(address.host));
    while let Some(item) = message.next_item().ok()? {
        match item {
            Item::Uid(uid) => facts.push(Fact::Uid(uid)),
            Item::Size(size) => facts.push(Fact::Size(size)),
            Item::Envelope(e) => facts.push(Fact::Envelope(
                [e.date(), e.subject(), e.in_reply_to(), e.message_id()].map(text).into(),
                [e.from(), e.sender(), e.reply_to(), e.to(), e.cc(), e.bcc()]
                    .map(|list| list.map(pair).collect())
                    .into(),
            )),
            _ => {}
        }
    }
    Some((number, facts))
}

fn proto(response: &[u8]) -> Option<(u32, Vec<Fact>)> {
    let Ok((_, Response::Fetch(number, items))) = Response::parse(response) else { return None };
    // What it does not know it cuts into items of its own.
    if items.iter().any(|item| matches!(item, AttributeValue::Unknown { .. })) {
        return None;
    }
    let own = |text: &Option<Cow<'_, [u8]>>| text.as_ref().map(|text| text.to_vec());
    let list = |list: &Option<Vec<imap_proto::Address<'_>>>| {
        list.iter().flatten().map(|address| (own(&address.mailbox), own(&address.host))).collect()
    };
    let fact = |item: &AttributeValue<'_>| match item {
        AttributeValue::Uid(uid) => Some(Fact::Uid(*uid)),
        AttributeValue::Rfc822Size(size) => Some(Fact::Size((*size).into())),
        AttributeValue::Envelope(e) => Some(Fact::Envelope(
            [&e.date, &e.subject, &e.in_reply_to, &e.message_id].map(own).into(),
            [&e.from, &e.sender, &e.reply_to, &e.to, &e.cc, &e.bcc].map(list).into(),
        )),
        _ => None,
    };
    Some((number, items.iter().filter_map(fact).collect()))
}

fn codec(response: &[u8]) -> Option<(u32, Vec<Fact>)> {
    let codec = ResponseCodec::default();
    let Ok((_, Theirs::Data(Data::Fetch { seq, items }))) = codec.decode(response) else { return None };
    let own = |text: &NString<'_>| text.clone().into_option().map(Cow::into_owned);
    let fact = |item: &MessageDataItem<'_>| match item {
        MessageDataItem::Uid(uid) => Some(Fact::Uid(uid.get())),
        MessageDataItem::Rfc822Size(size) => Some(Fact::Size((*size).into())),
        MessageDataItem::Envelope(e) => Some(Fact::Envelope(
            [&e.date, &e.subject, &e.in_reply_to, &e.message_id].map(own).into(),
            [&e.from, &e.sender, &e.reply_to, &e.to, &e.cc, &e.bcc]
                .map(|list| list.iter().map(|address| (own(&address.mailbox), own(&address.host))).collect())
                .into(),
        )),
        _ => None,
    };
    Some((seq.get(), items.as_ref().iter().filter_map(fact).collect()))
}

fuzz_target!(|bytes: &[u8]| {
    // Escapes are where the other two differ from each other.
    if bytes.contains(&b'\\') {
        return;
    }
    let response = [b"* 1 FETCH (", bytes, b")\r\n"].concat();
    for (name, theirs) in [("imap-proto", proto(&response)), ("imap-codec", codec(&response))] {
        let Some((number, facts)) = theirs else { continue };
        let found = ours(&response).filter(|found| found.0 == number);
        let mut own = found.iter().flat_map(|found| &found.1);
        // What they take for something unknown may be known to ours, so there may be more in between.
        let all = facts.iter().all(|fact| own.any(|own| own == fact));
        assert!(found.is_some() && all, "{name}: {facts:?} is not {found:?} in {}", String::from_utf8_lossy(&response));
    }
});
